"""Several workers on one machine: processes that share its threads and GPUs and claim what is to be run."""

from __future__ import annotations

import sys
from collections.abc import Callable
from multiprocessing.process import BaseProcess

import torch

from grla.cost import fresh_processes
from grla.devices import share_gpus
from grla.engine.processes.progress import StopRequest
from grla.errors import InputError, Interrupted

Job = Callable[[StopRequest], None]
"""What a worker does until nothing is left, or it is asked to stop; it must be picklable."""

STOPPED = 130
"""The exit status of a worker that was asked to stop."""


def run_workers(job: Job, number: int, threads: int, device: torch.device, stop: StopRequest) -> None:
    """Do `job` in `number` processes of `threads` threads; returns when all have ended.

    A process that dies does not end the others: they take its cell. Raises `Interrupted` when `stop` was asked, and
    InputError when no process came to the end.
    """
    context = fresh_processes()
    processes: list[BaseProcess] = [
        context.Process(target=_worker, args=(job, device, index, threads), name=f"worker {index + 1}")
        for index in range(number)
    ]
    for process in processes:
        process.start()
    _watch(processes, stop)
    ends = [process.exitcode for process in processes]
    if stop.asked:
        raise Interrupted("the workers were stopped")
    for process in processes:
        if process.exitcode:
            print(f"{process.name} {_end(process.exitcode)}; its cell was left to the others", file=sys.stderr)
    if 0 not in ends:
        raise InputError(f"all {number} workers ended before the study did, see above; run again to go on")


def _watch(processes: list[BaseProcess], stop: StopRequest) -> None:
    """Wait for all processes; pass the first request to stop on as SIGTERM, and the second."""
    asked = False
    try:
        while any(process.is_alive() for process in processes):
            if stop.asked and not asked:
                asked = True
                _terminate(processes)
            for process in processes:
                process.join(0.05)
    except KeyboardInterrupt:
        _terminate(processes)
        raise


def _terminate(processes: list[BaseProcess]) -> None:
    for process in processes:
        process.terminate()


def _end(exitcode: int) -> str:
    return f"was ended by signal {-exitcode}" if exitcode < 0 else f"ended with status {exitcode}"


def _worker(job: Job, device: torch.device, index: int, threads: int) -> None:
    """The main function of one of the processes."""
    torch.set_num_threads(threads)
    share_gpus(device, index)
    try:
        with StopRequest(quiet=True) as stop:
            job(stop)
    except (Interrupted, KeyboardInterrupt):
        sys.exit(STOPPED)
    except InputError as error:
        sys.exit(f"error: worker {index + 1}: {error}")
