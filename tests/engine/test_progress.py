"""What is shown while a search runs."""

from __future__ import annotations

import io

import pytest

from grla.engine import progress
from grla.engine.progress import StopRequest, TrialsProgress


def test_refused_trials_are_shown_and_neither_counted_nor_timed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A trial of 10 s, a refused one, another of 30 s: 20 s a trial, so 20 s for the last once the third is done."""
    clock = iter([0.0, 10.0, 100.0, 130.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    stream = io.StringIO()
    shown = TrialsProgress(4, StopRequest(), stream=stream)
    shown.begin("trial 0: dim=8").finished("ok")
    shown.refused("trial 1", "over_limit, macs 6 exceeds 5")
    shown.begin("trial 2: dim=16").finished("pruned")
    lines = stream.getvalue().splitlines()
    assert lines[1] == "[1/4] trial 0: dim=8: ok, 10 s"
    assert lines[2] == "[1/4] trial 1 is not trained: over_limit, macs 6 exceeds 5"
    assert lines[4] == "[2/4] trial 2: dim=16: pruned, 30 s"
    assert shown.num_done == 2
    assert shown.seconds_left(cell_elapsed=20, cell_progress=1) == 20
