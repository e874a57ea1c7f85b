"""What is shown while a study or a search runs."""

from __future__ import annotations

import io

import pytest

from grla.engine.processes.progress import Progress, StopRequest, duration
from grla.provenance import ProcessorShare
from grla.training import StepStats


class Terminal(io.StringIO):
    """A stream that a person looks at."""

    def isatty(self) -> bool:
        return True


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def __call__(self) -> float:
        return self.seconds


def step(number: int, loss: float) -> StepStats:
    return StepStats(number, loss, 1e-3, 0.01)


def test_on_a_terminal_one_line_renews_itself_a_few_times_a_second() -> None:
    terminal, clock = Terminal(), Clock()
    progress = Progress(4, StopRequest(), stream=terminal, clock=clock)
    progress.num_done = 1
    cell = progress.start("kernel=relu seed 0")
    for number, seconds in ((1, 0.1), (2, 10.0), (3, 10.1)):
        clock.seconds = seconds
        cell.stepped(number / 4, step(number, 0.5 / number))
        if number == 2:
            cell.validated({"step": 2, "val_psnr_y": 25.125})
    clock.seconds = 20.0
    cell.stepped(0.75, step(3, 0.1667))
    cell.finished("ok")
    assert "\n" not in terminal.getvalue()[:-1]
    assert terminal.getvalue().split("\r\x1b[K") == [
        "",
        "[2/4] kernel=relu seed 0: starting",
        "[2/4] kernel=relu seed 0:  50%, step 2, loss 0.2500, about 50 s left",  # 10 s of this cell, 20 s each of two
        "[2/4] kernel=relu seed 0:  75%, step 3, loss 0.1667, validation 25.12 dB, about 60 s left",
        "[2/4] kernel=relu seed 0: ok, validation 25.12 dB, 20 s\n",
    ]


def test_a_busy_machine_is_named_once_and_not_after_a_moment() -> None:
    stream, clock = io.StringIO(), Clock()
    progress = Progress(4, StopRequest(), stream=stream, clock=clock, threads=2)
    cell = progress.start("base seed 0")
    cell.share = ProcessorShare(2, clock, lambda: 0.9 * clock.seconds)  # less than half of what two threads could use
    for seconds in (4.0, 10.0, 20.0):
        clock.seconds = seconds
        cell.validated({"step": seconds, "val_psnr_y": 25.0})
        assert stream.getvalue().count("training gets 45% of the processor time") == (seconds > 4.0)


@pytest.mark.parametrize(("threads", "used"), [(2, 1.9), (None, 0.1)])
def test_a_quiet_machine_or_a_gpu_is_not_called_busy(threads: int | None, used: float) -> None:
    stream, clock = io.StringIO(), Clock()
    cell = Progress(4, StopRequest(), stream=stream, clock=clock, threads=threads).start("base seed 0")
    cell.share = ProcessorShare(threads or 1, clock, lambda: used * clock.seconds)
    clock.seconds = 20.0
    cell.validated({"step": 1, "val_psnr_y": 25.0})
    assert "busy" not in stream.getvalue()


def test_a_long_name_does_not_break_the_line() -> None:
    terminal = Terminal()
    Progress(1, StopRequest(), stream=terminal).start("x" * 300)
    assert len(terminal.getvalue().removeprefix("\r\x1b[K")) == 150


def test_elsewhere_and_beside_other_workers_each_validation_has_a_line() -> None:
    for stream, workers in ((io.StringIO(), 1), (Terminal(), 2)):
        clock = Clock()
        progress = Progress(3, StopRequest(), workers, stream, clock)
        progress.num_done = 1
        cell = progress.start("base seed 0")
        clock.seconds = 10.0
        cell.stepped(0.5, step(2, 0.25))
        cell.validated({"step": 2, "val_psnr_y": 25.125})
        left = 10 + 20 / workers
        assert stream.getvalue().splitlines() == [
            "[2/3] base seed 0: starting",
            f"[2/3] base seed 0:  50%, step 2, validation 25.12 dB, about {left:.0f} s left",
        ]


def test_refused_trials_are_shown_and_neither_counted_nor_timed() -> None:
    """A trial of 10 s, a refused one, another of 30 s: 20 s a trial, so 20 s for the last once the third is done."""
    seconds = iter([0.0, 10.0, 100.0, 130.0])
    stream = io.StringIO()
    shown = Progress(4, StopRequest(), stream=stream, clock=lambda: next(seconds))
    shown.start("trial 0: dim=8").finished("ok")
    shown.refused("trial 1", "over_limit, macs 6 exceeds 5")
    shown.start("trial 2: dim=16").finished("pruned")
    lines = stream.getvalue().splitlines()
    assert lines[1] == "[1/4] trial 0: dim=8: ok, 10 s"
    assert lines[2] == "[1/4] trial 1 is not trained: over_limit, macs 6 exceeds 5"
    assert lines[4] == "[2/4] trial 2: dim=16: pruned, 30 s"
    assert shown.num_done == 2
    assert shown.seconds_left(cell_elapsed=20, cell_progress=1) == 20


@pytest.mark.parametrize(("seconds", "text"), [(45, "45 s"), (720, "12 min"), (11_520, "3.2 h"), (181_440, "2.1 days")])
def test_durations_are_written_for_people(seconds: float, text: str) -> None:
    assert duration(seconds) == text
