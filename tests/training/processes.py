"""Processes of their own for tests to kill or to limit."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.process import BaseProcess
from typing import Any

PRELOADED = ["hypothesis", "pytest", "torch._dynamo", "torch.utils.tensorboard"]


def start(work: Callable[..., None], *arguments: Any) -> tuple[BaseProcess, Connection]:
    """Run work(*arguments, told) in a new process; also returns what it sends to the connection `told`.

    Processes fork from a server that has imported what takes long, and run nothing else.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(*arguments, there))
    process.start()
    there.close()
    return process, here
