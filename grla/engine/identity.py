"""Which process a worker is, so that another on the same machine can see at once that it has died."""

from __future__ import annotations

import functools
import hashlib
import os
import socket
from contextlib import suppress
from pathlib import Path

import psutil

START_TOLERANCE_SECONDS = 60
"""Two processes of one number are told apart by when they started, which a changed clock may move."""


def this_worker() -> str:
    """This process by host, process number, start, and machine: "host:4242:1763900000:0a1b2c3d"."""
    process = psutil.Process()
    return f"{socket.gethostname()}:{process.pid}:{process.create_time():.0f}:{_machine()}"


def worker_name(worker: str | None) -> str:
    """A worker as people are shown it: "host:4242"; "-" for none."""
    return "-" if worker is None else worker.rsplit(":", 2)[0]


def on_this_machine(worker: str | None) -> bool:
    """Whether the worker's process, if it is alive, can be seen from here."""
    return worker is not None and worker.endswith(f":{_machine()}")


def is_dead(worker: str | None) -> bool:
    """Whether it is certain that the worker's process has ended; of other machines' workers it never is."""
    if worker is None or not on_this_machine(worker):
        return False
    number, started = map(int, worker.split(":")[-3:-1])
    try:
        process = psutil.Process(number)
        other = abs(process.create_time() - started) > START_TOLERANCE_SECONDS
        return other or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False


@functools.cache
def _machine() -> str:
    """8 hex digits for everything that process numbers are unique in: host, its boot, and Linux' PID namespace."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
    with suppress(OSError):
        parts.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:8]
