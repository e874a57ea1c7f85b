"""Several budgets from one run: what goes on from a trunk is, to the bit, what is trained at one go."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch

from grla.engine import CellWatcher, StudyRun, run_study
from grla.engine.trunk import Trunk, gain_since_half, half_of
from grla.report.results import Results, load_results
from grla.spec import Budget, RunSpec, TrainSpec, with_changes
from grla.study import Study
from grla.training import StepStats, Trainer, load_checkpoint, save_checkpoint

MakeRun = Callable[..., StudyRun]


@pytest.fixture
def run_for(make_run: MakeRun, tiny: Study, tmp_path: Path) -> Callable[..., Results]:
    """The results, in a folder, of one cell that trains so many steps at a rate that is constant for four fifths."""
    study = replace(tiny, factors=tiny.factors[:1])

    def run(steps: int, out: str, init_from: str = "") -> Results:
        changes = {"train__schedule": "stable", "train__budget": Budget(steps, "steps"), "train__validations": 5}
        changes |= {"train__init_from": init_from}
        asked = make_run(study=study, out=tmp_path / out, **changes)
        return load_results(asked.settings.storage_url, run_study(asked))

    return run


@pytest.fixture
def count_steps(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The steps that cells really trained."""
    trained: list[int] = []
    original = CellWatcher.stepped

    def counting(watcher: CellWatcher, trainer: Trainer, stats: StepStats) -> None:
        trained.append(stats.step)
        original(watcher, trainer, stats)

    monkeypatch.setattr(CellWatcher, "stepped", counting)
    return trained


def same(one: Results, other: Results, tmp_path: Path, outs: tuple[str, str]) -> None:
    pd.testing.assert_frame_equal(one.images, other.images)
    pd.testing.assert_frame_equal(one.curves.drop(columns="seconds"), other.curves.drop(columns="seconds"))
    columns = ["cell_hash", "psnr_y", "gain_db", "steps", "final_loss"]
    pd.testing.assert_frame_equal(one.cells[columns], other.cells[columns])
    for cell_hash in one.cells["cell_hash"]:
        mine, theirs = (load_checkpoint(tmp_path / out / "cells" / cell_hash / "weights.pt") for out in outs)
        for name, value in mine["model"].items():
            assert torch.equal(value, theirs["model"][name]), name


def test_a_longer_run_goes_on_from_a_shorter_one_to_the_bit(
    run_for: Callable[[int, str], Results], count_steps: list[int], tmp_path: Path
) -> None:
    """Of each of two cells: 20 steps, then 40 with what 20 would have given on the way, however it comes about."""
    run_for(20, "grown")
    assert len(count_steps) == 2 * (20 + 2)  # half of it, 10 steps, has 2 of its own
    count_steps.clear()
    grown = run_for(40, "grown")
    assert len(count_steps) == 2 * (40 - 16)
    count_steps.clear()
    straight = run_for(40, "straight")
    assert len(count_steps) == 2 * (40 + 4)
    same(grown, straight, tmp_path, ("grown", "straight"))
    assert not list(tmp_path.glob("*/cells/*/half"))


def test_a_shorter_run_goes_on_from_where_a_longer_one_branched_off(
    run_for: Callable[[int, str], Results], count_steps: list[int], tmp_path: Path
) -> None:
    """40 steps leave checkpoints at 16 and 32: 20 steps go on from the first."""
    run_for(40, "first")
    count_steps.clear()
    shorter = run_for(20, "first")
    assert len(count_steps) == 2 * (4 + 10)  # half of it is trained from the start: nothing branched off before 8
    same(shorter, run_for(20, "alone"), tmp_path, ("first", "alone"))


def test_runs_from_given_weights_share_a_trunk_of_their_own(
    run_for: Callable[..., Results], count_steps: list[int], tmp_path: Path
) -> None:
    run_for(20, "first")
    weights = str(next((tmp_path / "first" / "cells").glob("*/weights.pt")))
    count_steps.clear()
    run_for(20, "first", weights)
    assert len(count_steps) == 2 * (20 + 2)  # nothing of the trunk of those that started from nothing
    count_steps.clear()
    grown = run_for(40, "first", weights)
    assert len(count_steps) == 2 * (40 - 16)
    same(grown, run_for(40, "straight", weights), tmp_path, ("first", "straight"))


def test_the_gain_is_that_over_half_the_budget_annealed(run_for: Callable[[int, str], Results]) -> None:
    half, whole = run_for(20, "out"), run_for(40, "out")
    ends = [frame.curves.groupby("variant")["val_psnr_y"].last() for frame in (half, whole)]
    gains = whole.cells.set_index("variant")["gain_db"]
    pd.testing.assert_series_equal(gains, ends[1] - ends[0], check_names=False, check_like=True)
    assert (gains != 0).all()


def test_without_a_trunk_the_gain_is_that_of_the_curve() -> None:
    history = [{"step": step, "val_psnr_y": psnr} for step, psnr in ((2, 20.0), (4, 23.0), (6, 24.0), (8, 24.5))]
    assert gain_since_half(history) == pytest.approx(1.5)
    assert gain_since_half(history[:3]) == pytest.approx(4.0)  # half of 6 is between 2 and 4
    assert gain_since_half(history[:1]) is None


def test_only_a_trunk_on_the_way_is_used(tmp_path: Path) -> None:
    entries = [{"step": step, "seconds": step / 10, "loss": 1 / step, "val_psnr_y": 20.0} for step in (4, 8, 12, 16)]
    trunk = Trunk(tmp_path / "trunk")

    def spec(steps: int, validations: int = 5) -> TrainSpec:
        return TrainSpec(Budget(steps, "steps"), schedule="stable", validations=validations)

    assert trunk.state_for(spec(40)) is None
    save_checkpoint(tmp_path / "partial", {"step": 16, "history": entries})
    trunk.keep(tmp_path / "partial", 16)
    state = trunk.state_for(spec(40))
    assert state is not None
    assert [entry["step"] for entry in state["history"]] == [8, 16]
    assert state["history"][1]["loss"] == pytest.approx((1 / 12 + 1 / 16) / 2)  # the mean over the steps since 8
    assert trunk.state_for(spec(20)) is not None
    assert trunk.state_for(spec(10)) is None  # it is past its end
    assert trunk.state_for(spec(60)) is None  # which validates at 12, but not at 16
    assert trunk.state_for(spec(40, 20)) is None  # which validates at 2
    denser = [{**entries[0], "step": step} for step in (2, 4, 6, 8)]
    save_checkpoint(tmp_path / "partial", {"step": 8, "history": denser})
    trunk.keep(tmp_path / "partial", 8)
    found = [trunk.state_for(spec(steps)) for steps in (10, 20, 40)]
    assert [state and state["step"] for state in found] == [8, 16, 16]


def test_half_a_budget_has_a_trunk_of_its_own_or_is_none() -> None:
    spec = with_changes(RunSpec(), {"train.schedule": "stable", "train.budget": Budget(40, "steps")})
    half = half_of(spec)
    assert half is not None
    assert (half.train.budget, half.train.trunk_steps) == (Budget(20, "steps"), 16)
    assert half_of(with_changes(spec, {"train.budget": Budget(30, "steps")})) is None
    assert half_of(RunSpec()) is None
