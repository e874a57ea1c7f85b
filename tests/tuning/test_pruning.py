"""The two rules of pruning: by hand, and how often they stop what would have become the best."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray

from grla.tuning.pruning import Rival, dominated, hopeless

REFERENCE = Path(__file__).parents[2] / "results" / "reference"
ORDERS = 60
Curves = NDArray[np.float64]


def rivals(*finals: float, cost: float = 10.0, start: float = 20.0) -> list[Rival]:
    """Trials of one cost with five validations, the first three at `start`."""
    return [Rival((cost,), (start, start, start, final, final)) for final in finals]


def test_nothing_is_dominated_before_enough_was_spent_there() -> None:
    cheap = rivals(26.0, cost=4)
    assert dominated((10.0,), cheap + rivals(25.0, 25.1, 25.2, 25.3)) == ""
    reason = dominated((10.0,), cheap + rivals(25.0, 25.1, 25.2, 25.3, 25.9))
    assert reason == "the best of 5 trials of about this cost has 25.90 dB, one of at most 1/2 of it has 26.00 dB"
    assert dominated((10.0,), cheap + rivals(25.0, 25.1, 25.2, 25.3, 26.1)) == ""
    assert dominated((10.0,), rivals(26.0, cost=5.1) + rivals(25.0, 25.1, 25.2, 25.3)) == ""  # not cheap enough
    assert dominated((30.0,), cheap + rivals(25.0, 25.1, 25.2, 25.3, 25.4)) == ""  # another band
    assert dominated((), [Rival((), (20.0,))] * 9) == ""  # nothing is minimised, so nothing is dear


def test_every_cost_counts() -> None:
    near = [Rival((10.0, 100.0), (25.0,))] * 5
    assert dominated((10.0, 100.0), [*near, Rival((4.0, 90.0), (26.0,))]) == ""
    assert dominated((10.0, 100.0), [*near, Rival((4.0, 50.0), (26.0,))]) != ""


def test_a_curve_is_held_against_trials_that_cost_as_much_and_no_more() -> None:
    others = rivals(26.0, 26.0, 26.0, 26.0, 26.0, start=24.0)
    assert hopeless((10.0,), [20.0], others) == ""  # a fifth of the budget says little
    assert hopeless((10.0,), [20.0, 23.8], others) == ""  # within the margin
    reason = hopeless((10.0,), [20.0, 23.6], others)
    assert reason == "23.60 dB at validation 2 of 5, 23.70 dB is asked by 5 trials of its cost band"
    assert hopeless((10.0,), [23.9, 20.0], others) == ""  # the best so far counts, not a dip
    assert hopeless((9.9,), [20.0, 20.0], others) == ""  # they cost more
    assert hopeless((20.1,), [20.0, 20.0], others) == ""  # they cost less than half
    assert hopeless((10.0,), [20.0, 20.0], others[:4]) == ""
    assert hopeless((), [20.0, 20.0], [Rival((), other.curve) for other in others]) != ""


def test_the_lower_quartile_is_asked_for() -> None:
    """Of 21, 22, 23, 24, 25 it is 22."""
    others = [Rival((), (psnr,) * 5) for psnr in (25.0, 21.0, 23.0, 22.0, 24.0)]
    assert hopeless((), [21.69] * 3, others) != ""
    assert hopeless((), [21.71] * 3, others) == ""


def recorded(name: str) -> Curves:
    """Validation PSNR-Y of all cells of a reference study, a row each."""
    rows = pd.read_csv(REFERENCE / name / "curves.csv").sort_values("step")
    return np.array([cell["val_psnr_y"].to_numpy() for _, cell in rows.groupby("cell_hash", sort=False)])


def modelled(generator: np.random.Generator) -> Curves:
    """30 trials, 10 validations: final - lag * (t ** -0.5 - 1) + noise; the lag of the learners is exponential."""
    share = np.arange(1, 11) / 10
    final, lag = generator.normal(26, 0.3, 30), generator.exponential(1, 30)
    noise = generator.normal(0, 0.05, (30, 10))
    curves: Curves = final[:, None] - lag[:, None] * (share**-0.5 - 1) + noise
    return curves


def replay(curves: Curves) -> tuple[bool, float]:
    """Run the trials one after another: whether the eventual best was stopped, and the share of all that were."""
    best, finished, stopped = int(curves[:, -1].argmax()), list[Rival](), set[int]()
    for index, curve in enumerate(curves):
        if any(hopeless((), curve[:seen].tolist(), finished) for seen in range(1, len(curve))):
            stopped.add(index)
        else:
            finished.append(Rival((), tuple(curve.tolist())))
    return best in stopped, len(stopped) / len(curves)


@pytest.mark.parametrize(
    ("name", "at_most"),
    [("attention-quick", 0.02), ("recall-quick", 0.02), ("recall-photos-quick", 0.05), ("model", 0.1)],
)
def test_the_eventual_best_is_stopped_no_more_often_than_stated(name: str, at_most: float) -> None:
    generator = np.random.default_rng(0)
    runs = []
    for _ in range(ORDERS):
        curves = modelled(generator) if name == "model" else recorded(name)
        runs.append(replay(generator.permutation(curves)))
    lost, stopped = np.mean(runs, axis=0)
    assert lost <= at_most
    assert stopped > 0.03  # and yet there is something to gain
