"""One model trained by several processes: each holds all of it and a slice of every batch.

The first process leads. It tells the others what to train and, before each step, to go on; it alone validates, writes
and decides. Losses, gradients and BatchNorm's statistics are those of the whole batch, so that results differ from
those of one process by rounding only. torchrun starts them, or `grla.engine.processes.team`; else nothing of this
happens.
"""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from grla.devices import take_own_gpu
from grla.errors import InputError, require
from grla.spec import TrainSpec
from grla.training.loop import Batch, Diverged, StepStats, Trainer
from grla.training.shared_norm import mean_of_processes, share_batch_norms

LONGEST_WAIT = timedelta(days=1)
"""For the first process, which prices, validates and scores alone."""
LEADERS_WAIT = timedelta(minutes=10)
"""Of the first process for the others, which are never more than a step behind. gloo usually tells at once that one is
gone, but can miss it, and then waits for as long as it may."""
END = -1.0  # instead of the seconds trained so far: no further step

Job = TypeVar("Job")
"""What is to be trained; it is sent to the other processes and must be picklable."""


@contextmanager
def process_group(device: torch.device) -> Iterator[None]:
    """Join the processes that torchrun started: gloo between CPUs, and nccl between GPUs, one for each process.

    Raises InputError where there are fewer GPUs than processes.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1 or not dist.is_torchelastic_launched():
        yield
        return
    on_gpu = device.type == "cuda"
    take_own_gpu(device, int(os.environ["LOCAL_RANK"]), int(os.environ["LOCAL_WORLD_SIZE"]))
    _expect_warnings()
    dist.init_process_group("cpu:gloo,cuda:nccl" if on_gpu else "gloo", timeout=_patience(int(os.environ["RANK"])))
    try:
        yield
    finally:
        dist.destroy_process_group()


@contextmanager
def met_at(meeting: Path, rank: int, size: int) -> Iterator[None]:
    """Join the group of `size` processes of this machine that meet at a file, which must not exist; on CPUs."""
    _expect_warnings()
    address, patience = meeting.as_uri(), _patience(rank)
    dist.init_process_group("gloo", init_method=address, rank=rank, world_size=size, timeout=patience)
    try:
        yield
    finally:
        dist.destroy_process_group()


def _patience(rank: int) -> timedelta:
    return LEADERS_WAIT if rank == 0 else LONGEST_WAIT


def num_processes() -> int:
    """How many processes train one model together; 1 where there is no group of them."""
    return dist.get_world_size() if dist.is_initialized() else 1


def leads() -> bool:
    """Whether this is the first process, or the only one."""
    return not dist.is_initialized() or dist.get_rank() == 0


@contextmanager
def trained_together(job: Job, build: Callable[[Job], Trainer]) -> Iterator[Trainer]:
    """The trainer that `build` makes of `job`, in all processes at once; called in the first one.

    The others build the same and do each step with it, until the block ends. Without others it is `build(job)`.
    """
    _announce(job)
    trainer = build(job)
    try:
        yield trainer
    finally:
        if isinstance(trainer, SharedTrainer) and not trainer.in_step:
            _tell(END)


def follow_jobs(build: Callable[[Any], Trainer]) -> None:
    """Train whatever the first process trains, until it calls `dismiss`; RuntimeError when it is gone."""
    while (job := _next_job()) is not None:
        trainer = build(job)
        assert isinstance(trainer, SharedTrainer)
        trainer.follow()


def dismiss() -> None:
    """Tell the other processes that no further job comes; called in the first one."""
    _announce(None)


def require_equal_slices(batch_size: int) -> None:
    """Raise InputError unless `batch_size` can be shared out equally."""
    rule = f"must divide by the number of processes, {num_processes()}, which share each batch"
    require(batch_size % num_processes() == 0, "data.batch_size", rule, batch_size)


def own_slice(batch: Batch) -> Batch:
    """`batch`, of which each process gets its part, in order."""
    if num_processes() == 1:
        return batch

    def part(step: int) -> tuple[Tensor, Tensor]:
        lr, hr = (images.chunk(num_processes())[dist.get_rank()] for images in batch(step))
        return lr, hr

    return part


class SharedTrainer(Trainer):
    """A trainer whose twins in the other processes do the same steps; `batch` gives this process its slice."""

    def __init__(
        self,
        model: nn.Module,
        spec: TrainSpec,
        batch: Batch,
        device: torch.device,
        wrap: Callable[[nn.Module], nn.Module],
        seed: int = 0,
    ) -> None:
        def shared(model: nn.Module) -> nn.Module:
            # Statistics are equal everywhere as they are; a kernel may leave weights unused, in each step the same.
            return DistributedDataParallel(wrap(model), broadcast_buffers=False, static_graph=True)

        super().__init__(share_batch_norms(model), spec, batch, device, shared, seed)
        self.in_step = False

    def train_step(self) -> StepStats:
        """A step of all processes, called in the first one; raises what `Trainer.train_step` does, in all of them.

        A fault in a step is an InputError: the others are then in the middle of it, and only a fresh start helps.
        """
        self.in_step = True
        _tell(self.seconds)
        try:
            stats = super().train_step()
        except (Diverged, InputError):
            self.in_step = False
            raise
        except Exception as error:
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            raise InputError(f"a step of {num_processes()} processes failed ({reason}); run again to go on") from error
        self.in_step = False
        return stats

    def follow(self) -> None:
        """Do the steps that the first process tells of, until it tells of the end; called in the others."""
        while (seconds := _told()) != END:
            self.seconds = seconds  # the first one's clock counts: schedules may depend on it
            try:
                super().train_step()
            except (Diverged, InputError):
                continue  # as in all processes

    def loss_value(self, loss: Tensor) -> float:
        """The mean over all slices."""
        return mean_of_processes(loss.detach()).item()


def trainer_kind() -> type[Trainer]:
    """The trainer to use here."""
    return SharedTrainer if num_processes() > 1 else Trainer


def _expect_warnings() -> None:
    """Say nothing of what is meant to be: gradients of depthwise convolutions, which are small, come in another layout
    than their weights', and the argument of DistributedDataParallel that PyTorch before 2.12 knows has a new name."""
    warnings.filterwarnings("ignore", "Grad strides do not match bucket view strides")
    warnings.filterwarnings("ignore", "`broadcast_buffers` is deprecated")


@contextmanager
def _reaching_all() -> Iterator[None]:
    """That another process is gone is nothing that a cell has done: an InputError."""
    try:
        yield
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"one of {num_processes()} processes is gone ({reason}); run again to go on") from error


def _announce(job: object) -> None:
    if num_processes() > 1:
        with _reaching_all():
            dist.broadcast_object_list([job], src=0, device=torch.device("cpu"))


def _next_job() -> Any:
    jobs = [None]
    dist.broadcast_object_list(jobs, src=0, device=torch.device("cpu"))
    return jobs[0]


def _tell(seconds: float) -> None:
    with _reaching_all():
        dist.broadcast(torch.tensor([seconds], dtype=torch.float64), src=0)


def _told() -> float:
    seconds = torch.empty(1, dtype=torch.float64)
    dist.broadcast(seconds, src=0)
    return seconds.item()
