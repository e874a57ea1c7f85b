"""A worker with helpers of its own, against a worker alone; torchrun's processes are in test_torchrun.py."""

from __future__ import annotations

import multiprocessing
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from importlib import import_module
from pathlib import Path

import pytest
import torch

from grla.engine import StudyRun, run_study
from grla.engine.cells import open_cells
from grla.engine.processes.arrangement import Arrangement
from grla.engine.processes.progress import StopRequest
from grla.engine.run import open_plan, work
from grla.errors import InputError, Interrupted
from grla.model import build_seeded
from grla.report.results import Results, load_results
from grla.training import num_processes
from grla.training.distributed import SharedTrainer

MakeRun = Callable[..., StudyRun]


def run_by(run: StudyRun, processes: int, stop: StopRequest | None = None) -> Results:
    run_study(replace(run, settings=replace(run.settings, workers=0)))
    plan, store = open_plan(run), open_cells(run.settings.out, None)
    work(run, Arrangement(processes=processes), plan, store, stop or StopRequest())
    return load_results(run.settings.storage_url, plan.trials.study_name)


RECIPE = {
    "data__stages": ((2, 12, 4), (4, 16, 2)),
    "train__loss": "l1_fft",
    "train__ema_decay": 0.9,
    "train__ema_ramp": True,
    "train__norm_frozen": 0.5,
    "train__weight_decay": 0.1,
}


@pytest.mark.parametrize("recipe", [{}, RECIPE])
def test_a_team_gets_what_one_process_gets_and_says_so(
    make_run: MakeRun, tmp_path: Path, recipe: dict[str, object]
) -> None:
    alone, shared = (run_by(make_run(out=tmp_path / str(size), **recipe), size) for size in (1, 2))
    assert set(alone.cells["execution"]) == {""}
    assert set(shared.cells["execution"]) == {"2 processes"}
    assert shared.cells["cell_hash"].tolist() == alone.cells["cell_hash"].tolist()
    assert shared.cells["psnr_y"].tolist() == pytest.approx(alone.cells["psnr_y"].tolist(), abs=1e-3)
    assert shared.curves["loss"].tolist() == pytest.approx(alone.curves["loss"].tolist(), rel=1e-6)
    assert num_processes() == 1
    assert not multiprocessing.active_children()


def test_a_team_starts_from_given_weights_as_one_process_does(make_run: MakeRun, tmp_path: Path) -> None:
    model = make_run().cells()[0].spec.model
    torch.save(build_seeded(model, seed=7).state_dict(), tmp_path / "weights.pt")
    cold, alone, shared = (
        run_by(make_run(out=tmp_path / name, train__init_from=str(path)), size)
        for name, path, size in (("cold", "", 1), ("1", tmp_path / "weights.pt", 1), ("2", tmp_path / "weights.pt", 2))
    )
    assert shared.cells["cell_hash"].tolist() == alone.cells["cell_hash"].tolist()
    assert shared.curves["loss"].tolist() == pytest.approx(alone.curves["loss"].tolist(), rel=1e-6)
    assert cold.curves["loss"].tolist() != pytest.approx(alone.curves["loss"].tolist(), rel=1e-2)


def test_a_team_that_is_stopped_goes_on_to_the_same_bits(make_run: MakeRun, tmp_path: Path) -> None:
    straight = run_by(make_run(out=tmp_path / "straight"), 2)
    run = make_run(out=tmp_path / "stopped")

    class StopsOnce(StopRequest):
        asked = property(lambda self: next(answers))

    answers = iter([False] * 4 + [True] * 100)
    with pytest.raises(Interrupted):
        run_by(run, 2, StopsOnce())
    assert not multiprocessing.active_children()
    gone_on = run_by(run, 2)
    for one, other, column in (
        (gone_on.cells, straight.cells, "psnr_y"),
        (gone_on.curves, straight.curves, "loss"),
    ):
        by_variant = [frame.groupby("variant")[column].apply(list).to_dict() for frame in (one, other)]
        assert by_variant[0] == by_variant[1]


def strike_helpers(patch: pytest.MonkeyPatch, number: signal.Signals) -> None:
    """Send a signal to all helpers before the fourth step."""
    step = SharedTrainer.train_step

    def striking(trainer: SharedTrainer) -> object:
        if trainer.step == 3:
            for helper in multiprocessing.active_children():
                assert helper.pid is not None
                os.kill(helper.pid, number)
                if number == signal.SIGKILL:
                    helper.join(10)  # the death of one that was not waited for must be noticed as well
        return step(trainer)

    patch.setattr(SharedTrainer, "train_step", striking)


def test_the_death_of_a_helper_ends_the_run_in_one_line_and_loses_no_cell(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = make_run(settings={"grace": 2})
    with monkeypatch.context() as patch:
        strike_helpers(patch, signal.SIGKILL)
        with pytest.raises(InputError, match=r"one of 2 processes is gone .*; run again to go on"):
            run_by(run, 2)
    assert num_processes() == 1
    finished = run_by(run, 1)
    assert finished.cells["outcome"].tolist() == ["ok"] * 3


def test_a_helper_that_stands_still_is_not_waited_for_for_ever(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("grla.training.distributed.LEADERS_WAIT", timedelta(seconds=20))
    monkeypatch.setattr(import_module("grla.engine.processes.team"), "LAST_SECONDS", 0.1)
    strike_helpers(monkeypatch, signal.SIGSTOP)
    with pytest.raises(InputError, match=r"(?i)timed out.*; run again to go on"):
        run_by(make_run(), 2)
    assert num_processes() == 1
