"""What surrounds one cell's run: the record it leaves, the files it writes, who follows it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, Protocol

from grla.provenance import code_version
from grla.training import StepStats, previous_checkpoint

Outcome = Literal["ok", "diverged", "out_of_memory", "error"]


@dataclass
class Record:
    """The result of one cell; `None` is what was not measured.

    psnr_y (dB) and ssim_y are means over all test images. Costs have their unit in the name; `macs` and `hook_flops`
    are per image at the spec's `count_output`, latency and `peak_memory_mib` at its `latency_input`. `num_features` is
    that of a linear kernel: the rows of the state that each head keeps of an image. `workers` is how many cells ran on
    the machine at once: times of more than one are not those of an idle machine. `execution` says how it was trained
    (see `grla.engine.execution`), "" the usual way; everything else runs the usual way, and of
    several processes training memory is that of one.
    """

    cell_hash: str
    outcome: Outcome = "ok"
    reason: str = ""
    psnr_y: float | None = None
    ssim_y: float | None = None
    num_params: int | None = None
    macs: int | None = None
    hook_flops: int | None = None
    elementwise_ops: int | None = None
    num_features: int | None = None
    latency_ms: float | None = None
    latency_p10_ms: float | None = None
    latency_p90_ms: float | None = None
    peak_memory_mib: float | None = None
    train_seconds: float | None = None
    train_peak_memory_mib: float | None = None
    steps: int = 0
    final_loss: float | None = None
    device: str = "cpu"
    workers: int = 1
    execution: str = ""
    code_version: str = field(default_factory=code_version)
    images: list[dict[str, Any]] = field(default_factory=list)
    history: list[dict[str, float]] = field(default_factory=list)


class Listener(Protocol):
    """Who follows a cell while it runs."""

    def stepped(self, progress: float, stats: StepStats) -> None:
        """After every training step; `progress` is the share of the cell's budget used, 0 to 1."""

    def validated(self, entry: dict[str, float]) -> None:
        """After every validation, with its entry of the history."""

    def should_stop(self) -> bool:
        """Whether to stop at the next step, with a checkpoint."""

    def lap(self, phase: str) -> None:
        """Whenever a phase of the cell ends: those of its trainer, "pricing", "validation", "scoring", "storage"."""

    def finished(self, outcome: str) -> None:
        """After the cell's record is stored."""


@dataclass(frozen=True)
class CellFolders:
    """Where one cell's files go.

    `checkpoint` is written when training has ended. Until then its state goes to `partial`: of two workers that take
    the same cell for theirs, none can replace trained weights by half trained ones.
    """

    checkpoint: Path
    tensorboard: Path
    images: Path

    @property
    def partial(self) -> Path:
        """The checkpoint of a training under way."""
        return self.checkpoint.with_suffix(".partial")

    @property
    def shared(self) -> tuple[Path, Path]:
        """Where the two latest checkpoints that other machines wrote of this training are brought to."""
        first, second = (self.checkpoint.with_suffix(f".shared{index}") for index in range(2))
        return first, second

    @property
    def resumable(self) -> tuple[Path, ...]:
        """All checkpoints that training may go on from."""
        return self.checkpoint, self.partial, previous_checkpoint(self.partial), *self.shared
