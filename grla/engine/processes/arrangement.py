"""How a run shares out a machine's cores: how many cells at a time, processes for each cell, and threads for each.

On CPUs one thread is the rule: a cell's bits are then the same with any number of cores, whatever else runs there, and
processes side by side do more than threads, see `run_benchmark.py throughput`. A GPU has one worker unless asked.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psutil
import torch

from grla.errors import require

MIB = 2**20
USABLE = 0.8
"""The share of a machine's memory that workers may fill."""
PROCESS_MIB = 500
"""What a worker takes beside its cell's training: PyTorch and the images."""
LARGE_STEP = 2e9
"""Multiply-adds of a forward pass over a batch from which on a cell is large. On two cores, two processes that share a
batch do 0.48 times what one thread does for the base of profile quick (6e7), and 1.30 times for the paper's network
(2e10; two threads: 1.20). Where in between sharing begins to pay has not been measured."""


@dataclass(frozen=True)
class Arrangement:
    """`workers` cells at a time, each trained by `processes` processes of `threads` threads."""

    workers: int = 1
    processes: int = 1
    threads: int = 1

    def __str__(self) -> str:
        cells = "1 cell" if self.workers == 1 else f"{self.workers} cells"
        each = f" by {self.processes} processes" if self.processes > 1 else ""
        threads = "1 thread" if self.threads == 1 else f"{self.threads} threads"
        return f"{cells} at a time, trained{each} with {threads}{' each' if each or self.workers > 1 else ''}"


@dataclass(frozen=True)
class Work:
    """What is to be done, finished or not: a number of cells and, of the largest, what decides how it is done best.

    `step_macs` are the multiply-adds of a forward pass over its batch, `mib` its training's peak of memory. Every
    cell's batch is divided equally by numbers that divide `batch_size`; 1 where processes cannot share some cell.
    """

    num_cells: int
    batch_size: int = 1
    step_macs: float = 0.0
    mib: float = 0.0


@dataclass(frozen=True)
class Machine:
    """The cores and the memory in MiB of the machine, and whether it computes on a GPU."""

    cores: int
    mib: float = math.inf
    gpu: bool = False

    @classmethod
    def here(cls, device: torch.device) -> Machine:
        """This machine; cores are what PyTorch would use by itself, so that OMP_NUM_THREADS and affinity count."""
        return cls(torch.get_num_threads(), psutil.virtual_memory().total / MIB, device.type != "cpu")


def arrange(work: Work, machine: Machine, workers: int | None = None, threads: int | None = None) -> Arrangement:
    """The arrangement for `work`; `workers` and `threads` are what was asked for, None what is to be chosen.

    Cells come first, one for each core that has the memory; cores that are left go to the processes of a large cell,
    and, where processes cannot share it, to its threads.
    It depends on nothing that changes while the work is done, so that a run that goes on computes the same bits.
    Raises InputError for more threads than cores.
    """
    if threads is not None:
        require(threads <= machine.cores, "threads", f"must be at most the cores at hand, {machine.cores}", threads)
    if machine.gpu:
        workers = workers or 1
        return Arrangement(workers, 1, threads or max(1, machine.cores // workers))
    if workers is not None:
        return Arrangement(workers, 1, threads or 1)
    fitting = int(USABLE * machine.mib // (work.mib + PROCESS_MIB)) if math.isfinite(machine.mib) else work.num_cells
    workers = max(1, min(machine.cores // (threads or 1), work.num_cells, fitting))
    spare = machine.cores // ((threads or 1) * workers) if work.step_macs >= LARGE_STEP else 1
    processes = next(number for number in range(spare, 0, -1) if work.batch_size % number == 0)
    return Arrangement(workers, processes, threads or spare // processes)


@contextmanager
def threads_of(number: int) -> Iterator[None]:
    """Inside, PyTorch computes with `number` threads."""
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)
