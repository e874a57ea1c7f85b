"""What surrounds one cell's run: the files it writes, who follows it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from grla.training import StepStats, previous_checkpoint


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
