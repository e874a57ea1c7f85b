"""What a person sees while a study runs, and how they stop it."""

from __future__ import annotations

import multiprocessing
import signal
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from types import FrameType
from typing import TextIO

from grla.provenance import BUSY, ProcessorShare
from grla.study import VALIDATION_PSNR
from grla.training import StepStats

REFRESH_SECONDS = 0.2
FIRST = "worker 1"
"""The name of the first of several workers, see `grla.engine.processes.workers`."""
SETTLED_SECONDS = 5.0
"""How long a cell runs before it is said that the machine is busy: a moment's share says little."""


SIGNALS = tuple(getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGHUP") if hasattr(signal, name))
"""What asks a process to stop: Ctrl-C, kill, and a terminal that is closed."""


class StopRequest:
    """Set by the first of SIGNALS: the cell under way stops at its next step, with a checkpoint.

    A second one stops at once, by KeyboardInterrupt, losing the steps since the last checkpoint. A signal that is
    ignored, as nohup has it, stays so. Use as a context manager. A worker that
    another process started is stopped by that process, by SIGTERM, and `quiet`; it also stops when that one has died.
    """

    def __init__(self, quiet: bool = False) -> None:
        self._signalled = False
        self.quiet = quiet

    @property
    def asked(self) -> bool:
        """Whether to stop."""
        parent = multiprocessing.parent_process() if self.quiet else None
        return self._signalled or (parent is not None and not parent.is_alive())

    def __enter__(self) -> StopRequest:
        # A terminal sends its signals to all processes in it, which would be the second of a worker.
        quiet = {number: signal.SIG_IGN for number in SIGNALS if self.quiet and number != signal.SIGTERM}
        heard = [number for number in SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
        self._earlier = {number: signal.signal(number, quiet.get(number, self._ask)) for number in heard}
        return self

    def __exit__(self, *_: object) -> None:
        for number, handler in self._earlier.items():
            signal.signal(number, handler)

    def _ask(self, number: int, frame: FrameType | None) -> None:
        if self._signalled:
            raise KeyboardInterrupt
        self._signalled = True
        if not self.quiet:
            _show(sys.stderr, "\nStopping after this step; once more to stop at once.\n")


class Progress:
    """Counts the cells of a study, or the trials of a search, and estimates the time left from those done so far.

    `num_done` is how many are done by now, whoever did them. Where several `workers` share a terminal none of them
    renews a line of its own. With the number of `threads` that each is trained with it is said, once, when the machine
    has too little time for them.
    """

    def __init__(
        self,
        num_cells: int,
        stop: StopRequest,
        workers: int = 1,
        stream: TextIO = sys.stderr,
        clock: Callable[[], float] = time.monotonic,
        threads: int | None = None,
    ) -> None:
        self.num_done = 0
        self.threads = threads
        # Of several workers the first one tells what concerns them all.
        self.told_of_load = threads is None or multiprocessing.current_process().name not in ("MainProcess", FIRST)
        self.num_cells = num_cells
        self.stop = stop
        self.workers = workers
        self.stream = stream
        self.clock = clock
        self.live = stream.isatty() and workers == 1
        self.cell_seconds: list[float] = []

    def start(self, name: str) -> CellProgress:
        """The listener of the next cell."""
        return CellProgress(self, name)

    def refused(self, name: str, reason: str) -> None:
        """A trial ended without a step: it is shown, and has cost no time worth counting."""
        _show(self.stream, f"[{self.num_done}/{self.num_cells}] {name} is not trained: {reason}\n")

    def finish(self, seconds: float) -> None:
        """One more cell is done."""
        self.num_done += 1
        self.cell_seconds.append(seconds)

    def tell_of_load(self, share: float) -> None:
        """Say once that training gets only this share of the processor time that it could use, if it is small."""
        if share < BUSY and not self.told_of_load:
            self.told_of_load = True
            what = f"This machine is busy: training gets {share:.0%} of the processor time that it could use"
            _show(self.stream, f"\n{what}. Scores do not depend on it, times do.\n")

    def seconds_left(self, cell_elapsed: float, cell_progress: float) -> float:
        """Estimated time left of the whole run, the current cell's rest included."""
        this_cell = cell_elapsed / max(cell_progress, 1e-3)
        usual = sum(self.cell_seconds) / len(self.cell_seconds) if self.cell_seconds else this_cell
        others = self.num_cells - self.num_done - 1
        return max(this_cell - cell_elapsed, 0) + others * usual / self.workers


class CellProgress:
    """Prints one cell's progress: a line that renews itself on a terminal, a line per validation elsewhere."""

    def __init__(self, run: Progress, name: str) -> None:
        self.run = run
        self.name = name
        self.started = self._printed = run.clock()
        self.validation = ""
        self.progress = 0.0
        self.share = ProcessorShare(run.threads or 1)
        self._print("starting")

    def stepped(self, progress: float, stats: StepStats) -> None:
        """Renew the line, at most a few times a second."""
        self.progress = progress
        now = self.run.clock()
        if self.run.live and now - self._printed > REFRESH_SECONDS:
            self._printed = now
            self._print(f"{progress:4.0%}, step {stats.step}, loss {stats.loss:.4f}{self.validation}{self._left()}")

    def validated(self, entry: dict[str, float]) -> None:
        """Show the latest validation PSNR-Y, and whether other work takes the processor."""
        if self.run.clock() - self.started > SETTLED_SECONDS:
            self.run.tell_of_load(self.share.now())
        self.validation = f", validation {entry[VALIDATION_PSNR]:.2f} dB"
        if not self.run.live:
            self._print(f"{self.progress:4.0%}, step {entry['step']:.0f}{self.validation}{self._left()}")

    def checkpointed(self) -> None:
        """Checkpoints are not shown."""

    def should_stop(self) -> bool:
        """Whether Ctrl-C was pressed."""
        return self.run.stop.asked

    def lap(self, phase: str) -> None:
        """Phases are not shown."""

    def finished(self, outcome: str) -> None:
        """The cell is done: say how it ended and how long it took."""
        seconds = self.run.clock() - self.started
        self._print(f"{outcome}{self.validation}, {seconds:.0f} s")
        if self.run.live:
            _show(self.run.stream, "\n")
        self.run.finish(seconds)

    def _left(self) -> str:
        elapsed = self.run.clock() - self.started
        return f", about {duration(self.run.seconds_left(elapsed, self.progress))} left"

    def _print(self, text: str) -> None:
        line = f"[{self.run.num_done + 1}/{self.run.num_cells}] {self.name}: {text}"
        _show(self.run.stream, f"\r\x1b[K{line[:150]}" if self.run.live else f"{line}\n")


def _show(stream: TextIO, text: str) -> None:
    """Write what nobody may see any more: a terminal that was closed must not end a run before its checkpoint."""
    with suppress(OSError):
        stream.write(text)
        stream.flush()


def duration(seconds: float) -> str:
    """Seconds for people: "45 s", "12 min", "3.2 h", "2.1 days"."""
    if seconds < 90:
        return f"{seconds:.0f} s"
    if seconds < 90 * 60:
        return f"{seconds / 60:.0f} min"
    return f"{seconds / 3600:.1f} h" if seconds < 48 * 3600 else f"{seconds / 86400:.1f} days"
