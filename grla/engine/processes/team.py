"""Processes that train each cell together: those that torchrun started, or helpers of a worker's own."""

from __future__ import annotations

import signal
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import torch

from grla.cost import fresh_processes
from grla.engine.material import TrainingMaterial
from grla.engine.processes.progress import SIGNALS
from grla.errors import Interrupted
from grla.spec import RunSpec
from grla.training import dismiss, follow_jobs, leads, met_at, num_processes, process_group

LAST_SECONDS = 10.0
"""How long a helper may take to end by itself."""
Find = Callable[[RunSpec], TrainingMaterial]
"""From a spec to what it trains on."""


@contextmanager
def torchrun_group(device: torch.device, find: Callable[[], Find]) -> Iterator[bool]:
    """Inside, all processes that torchrun started train each cell together; without torchrun this one does it alone.

    Gives True in the process that leads. The others train what it trains until its block ends, on what `find()` finds,
    and are given False.
    """
    with process_group(device):
        if num_processes() > 1 and not leads():
            help_training(find(), device)
            yield False
        else:
            with _dismissed():
                yield True


@contextmanager
def team(size: int, threads: int, find: Callable[[], Find]) -> Iterator[None]:
    """Inside, `size` processes of `threads` threads train each cell together, on CPUs; this one leads.

    `find` must be picklable. When a helper dies, training ends with an InputError at the next step.
    """
    if size == 1:
        yield
        return
    context = fresh_processes()
    with tempfile.TemporaryDirectory() as folder:
        meeting = Path(folder) / "meeting"
        helpers = [
            context.Process(target=_helper, args=(meeting, rank, size, threads, find), daemon=True)
            for rank in range(1, size)
        ]
        for helper in helpers:
            helper.start()
        try:
            with met_at(meeting, 0, size), _dismissed():
                yield
        finally:
            for helper in helpers:  # by now they were told of the end, or have lost this process
                helper.join(LAST_SECONDS)
                helper.kill()


def help_training(find: Find, device: torch.device) -> None:
    """Train what the first process trains until it is done; exit with an error when it is gone."""
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)  # it is the first process that stops, at its next step
    try:
        follow_jobs(lambda job: job.trainer(find(job.spec), device))
    except RuntimeError as error:
        sys.exit(f"a helping process ends: {str(error).splitlines()[0]}")


def _helper(meeting: Path, rank: int, size: int, threads: int, find: Callable[[], Find]) -> None:
    torch.set_num_threads(threads)
    with met_at(meeting, rank, size):
        help_training(find(), torch.device("cpu"))


@contextmanager
def _dismissed() -> Iterator[None]:
    """The others are told of the end, unless this process fails: then they end by themselves."""
    try:
        yield
    except Interrupted:
        dismiss()
        raise
    dismiss()
