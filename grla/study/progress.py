"""What a person sees while a study runs, and how they stop it."""

from __future__ import annotations

import signal
import sys
import time
from types import FrameType
from typing import TextIO

from grla.study.engine import PlannedCell
from grla.training.loop import StepStats

REFRESH_SECONDS = 0.2


class StopRequest:
    """Set by the first Ctrl-C (or SIGTERM): the cell under way stops at its next step, with a checkpoint.

    A second Ctrl-C stops at once, losing the steps since the last checkpoint. Use as a context manager.
    """

    def __init__(self) -> None:
        self.asked = False

    def __enter__(self) -> StopRequest:
        self._earlier = {number: signal.signal(number, self._ask) for number in (signal.SIGINT, signal.SIGTERM)}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._earlier.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self.asked:
            raise KeyboardInterrupt
        self.asked = True
        print("\nStopping after this step; once more to stop at once.", file=sys.stderr, flush=True)


class StudyProgress:
    """Counts the cells of a run and estimates the time left from the cells done so far."""

    def __init__(self, num_done: int, num_cells: int, stream: TextIO = sys.stderr) -> None:
        self.num_done = num_done
        self.num_cells = num_cells
        self.stream = stream
        self.cell_seconds: list[float] = []

    def start(self, planned: PlannedCell, stop: StopRequest) -> CellProgress:
        """The listener of the next cell."""
        return CellProgress(self, planned, stop)

    def finish(self, seconds: float) -> None:
        """One more cell is done."""
        self.num_done += 1
        self.cell_seconds.append(seconds)

    def seconds_left(self, cell_elapsed: float, cell_progress: float) -> float:
        """Estimated time left of the whole run, the current cell's rest included."""
        this_cell = cell_elapsed / max(cell_progress, 1e-3)
        usual = sum(self.cell_seconds) / len(self.cell_seconds) if self.cell_seconds else this_cell
        others = self.num_cells - self.num_done - 1
        return max(this_cell - cell_elapsed, 0) + others * usual


class CellProgress:
    """Prints one cell's progress: a line that renews itself on a terminal, a line per validation elsewhere."""

    def __init__(self, study: StudyProgress, planned: PlannedCell, stop: StopRequest) -> None:
        self.study = study
        self.stop = stop
        self.name = f"{planned.cell.variant} seed {planned.cell.spec.seed}"
        self.started = self._printed = time.monotonic()
        self.validation = ""
        self.progress = 0.0
        self._print("starting: counting, timing")

    def stepped(self, progress: float, stats: StepStats) -> None:
        """Renew the line, at most a few times a second."""
        self.progress = progress
        now = time.monotonic()
        if self.study.stream.isatty() and now - self._printed > REFRESH_SECONDS:
            self._printed = now
            self._print(f"{progress:4.0%}, step {stats.step}, loss {stats.loss:.4f}{self.validation}{self._left()}")

    def validated(self, entry: dict[str, float]) -> None:
        """Show the latest validation PSNR-Y."""
        self.validation = f", validation {entry['val_psnr_y']:.2f} dB"
        if not self.study.stream.isatty():
            self._print(f"{self.progress:4.0%}, step {entry['step']:.0f}{self.validation}{self._left()}")

    def should_stop(self) -> bool:
        """Whether Ctrl-C was pressed."""
        return self.stop.asked

    def lap(self, phase: str) -> None:
        """Phases are not shown."""

    def finished(self, outcome: str) -> None:
        """The cell is done: say how it ended and how long it took."""
        seconds = time.monotonic() - self.started
        self._print(f"{outcome}{self.validation}, {seconds:.0f} s")
        if self.study.stream.isatty():
            self.study.stream.write("\n")
        self.study.finish(seconds)

    def _left(self) -> str:
        elapsed = time.monotonic() - self.started
        return f", about {duration(self.study.seconds_left(elapsed, self.progress))} left"

    def _print(self, text: str) -> None:
        line = f"[{self.study.num_done + 1}/{self.study.num_cells}] {self.name}: {text}"
        tty = self.study.stream.isatty()
        self.study.stream.write(f"\r\x1b[K{line[:150]}" if tty else f"{line}\n")
        self.study.stream.flush()


def duration(seconds: float) -> str:
    """Seconds for people: "45 s", "12 min", "3.2 h", "2.1 days"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} days"
