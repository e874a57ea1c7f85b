"""Each variant at its own learning rate: chosen by validation images in shorter runs, recorded, and verified."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from grla.engine import StudyRun, run_study
from grla.errors import InputError
from grla.report.kinds.study import faults, publish
from grla.spec import Budget, RunSpec
from grla.study import Profile, best_rates, load_study, rates_study, shorter, tried_rates, wider
from rounds import with_own_rates
from tests.shared import ABLATIONS

MakeRun = Callable[..., StudyRun]


def test_the_best_rate_is_by_validation_and_failures_do_not_count() -> None:
    scores = {("base", 1e-3): 20.0, ("base", 1e-2): 21.0, ("v", 1e-3): 19.0, ("w", 1e-2): 5.0, ("w", 1e-3): 5.0}
    assert best_rates(scores) == {"base": 1e-2, "v": 1e-3, "w": 1e-3}


@pytest.mark.parametrize(
    ("chosen", "expected"),
    [
        ({"a": 1e-3}, [1e-4, 1e-3, 1e-2]),
        ({"a": 1e-2}, [1e-4, 1e-3, 1e-2, 3e-2]),
        ({"a": 1e-4, "b": 1e-2}, [3.3e-5, 1e-4, 1e-3, 1e-2, 3e-2]),
        ({}, [1e-4, 1e-3, 1e-2]),
    ],
)
def test_the_range_grows_where_a_variant_chose_its_end(chosen: dict[str, float], expected: list[float]) -> None:
    assert wider([1e-4, 1e-3, 1e-2], chosen) == pytest.approx(expected)


def test_shorter_runs_are_a_share_in_tens() -> None:
    assert shorter(Budget(2000, "steps"), 0.25) == Budget(500, "steps")
    assert shorter(Budget(6, "steps"), 0.25) == Budget(10, "steps")
    assert shorter(Budget(4, "min"), 0.5) == Budget(2, "min")


def test_recall_steps_tries_rates_until_kernels_have_begun_to_recall() -> None:
    """GRBF begins after 4000 steps of 16,000: a quarter would choose among networks that all average."""
    assert load_study("recall_steps").profile("quick").rate_share == 0.5
    with pytest.raises(InputError, match="rate_share must be above 0 and at most 1, got 2"):
        Profile({}, 1, "never", rate_share=2)


def test_every_variant_is_tried_at_every_rate_and_the_bases_own() -> None:
    study, base = load_study("tiny", ABLATIONS), RunSpec()
    base = study.cells("smoke", {})[0].spec
    trying = rates_study(study, "smoke", base, (1e-3, 1e-2))
    assert tried_rates(trying, "smoke") == sorted({1e-3, 1e-2, base.train.learning_rate})
    cells = trying.cells("smoke", {})
    assert len(cells) == 3 * 3
    assert {(cell.spec.model.kernel.name, cell.spec.model.depth) for cell in cells} == {
        ("gaussian_rbf", 1),
        ("relu", 1),
        ("gaussian_rbf", 2),
    }
    with pytest.raises(InputError, match="rates must be above 0, got -1"):
        rates_study(study, "smoke", base, (-1.0,))


def test_a_study_trains_each_variant_at_its_own(make_run: MakeRun, tmp_path: Path) -> None:
    """A rate that destroys everything is never chosen; what was chosen is in table, record and hashes."""
    run = make_run(study=load_study("aggregation"), model__upscale=2, train__budget=Budget(20, "steps"))
    base = run.cells()[0].spec.train.learning_rate
    own = with_own_rates(run, (base, 100.0))
    rates = own.study.rates
    assert set(rates) == {cell.variant for cell in run.cells()}
    assert 100.0 not in rates.values()
    assert [cell.spec.train.learning_rate for cell in own.cells()] == [rates[cell.variant] for cell in own.cells()]
    publish(own.settings.storage_url, run_study(own), own.folder)
    summary = (own.folder / "summary.md").read_text()
    assert "Learning rates: each variant's own" in summary
    table = pd.read_csv(own.folder / "tables" / "aggregation.csv")
    assert table["learning rate"].dropna().tolist() == pytest.approx(list(rates.values()))
    for folder in (own.folder, tmp_path / "out" / "aggregation_rates" / "smoke"):
        assert [fault for fault in faults(folder) if not fault.startswith("code ")] == []
    again = with_own_rates(run, (base, 100.0))
    assert again.study.rates == rates
    assert with_own_rates(replace(run, join=True), ()).study.rates == rates


def test_it_needs_a_worker(make_run: MakeRun) -> None:
    with pytest.raises(InputError, match="workers must be at least 1 with `rates`"):
        with_own_rates(make_run(settings={"workers": 0}), (1e-3,))
