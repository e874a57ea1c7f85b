"""Twice the steps until no curve rises: the real loop, on a study of a second a cell."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace

import pytest

from grla.engine import StudyRun
from grla.errors import InputError
from grla.report import load_results
from grla.spec import Budget
from grla.study import Factor, Study, vary
from rounds import run_until_flat

MakeRun = Callable[..., StudyRun]
BUDGET = {"train__budget": Budget(20, "steps"), "train__validations": 5}


def test_steps_double_while_anything_rises(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    last, name = run_until_flat(make_run(**BUDGET), 1e-6, 50)
    assert last.changes["train.budget"] == Budget(40, "steps")
    printed = capsys.readouterr().out
    assert re.search(r"20 steps: (base|kernel=relu|depth=2).* still rising by more than 1e-06 dB\.", printed)
    assert "40 steps: " in printed
    cells = load_results(last.settings.storage_url, name).cells
    assert set(cells["steps"]) == {40}
    assert cells["gain_db"].notna().all()


def test_a_flat_study_is_not_run_again(make_run: MakeRun, capsys: pytest.CaptureFixture[str]) -> None:
    last, _ = run_until_flat(make_run(**BUDGET), 100.0, 10_000)
    assert last.changes["train.budget"] == Budget(20, "steps")
    assert "20 steps: nothing still rising by more than 100 dB." in capsys.readouterr().out


def test_a_study_of_budgets_gets_longer_ones_and_only_these_count_as_rising(
    make_run: MakeRun, tiny: Study, capsys: pytest.CaptureFixture[str]
) -> None:
    steps = Factor("steps", {str(number): {"train.budget": Budget(number, "steps")} for number in (10, 20)})
    kernel = vary("kernel", "model.kernel", "gaussian_rbf", "uniform")
    smoke = replace(tiny.profile("smoke"), factors=())
    study = replace(tiny, design="panels", factors=(steps, kernel), profiles={"smoke": smoke})
    last, name = run_until_flat(make_run(study=study, **BUDGET), 1e-6, 40)
    assert last.changes["train.budget"] == Budget(40, "steps")
    assert not re.search(r"steps: .*steps=(10|20)", capsys.readouterr().out)  # 10 steps gain what they gain
    cells = load_results(last.settings.storage_url, name).cells
    assert cells.groupby("steps")["variant"].apply(set).to_dict() == {
        10: {"steps=10", "steps=10, kernel=uniform"},
        20: {"steps=20", "steps=20, kernel=uniform"},
        40: {"base", "kernel=uniform"},
    }


def test_nonsense_is_refused_before_anything_runs(make_run: MakeRun) -> None:
    run = make_run(**BUDGET)
    with pytest.raises(InputError, match="until_flat must be above 0 dB, got 0"):
        run_until_flat(run, 0, 100)
    with pytest.raises(InputError, match="max_steps must be at least the budget to begin with, 20steps, got 10"):
        run_until_flat(run, 0.1, 10)
    with pytest.raises(InputError, match=r'must be tens of steps with train\.schedule "stable"'):
        run_until_flat(make_run(train__budget=Budget(1, "min")), 0.1, 100)
    with pytest.raises(InputError, match="workers must be at least 1 with `until_flat`"):
        run_until_flat(make_run(settings={"workers": 0}, **BUDGET), 0.1, 100)
    assert not run.settings.out.exists()
