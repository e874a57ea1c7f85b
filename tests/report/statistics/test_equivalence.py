"""Equality within a margin: two one-sided tests by hand, and what no test may say."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from grla.report.statistics.bootstrap import crossed_interval
from grla.report.statistics.equivalence import equivalence, gains_by_variant, is_rising
from grla.report.statistics.verdicts import corrected, difference_of

FLAT = {"base": 0.0, "v": 0.01}


def pairs(mean: float, sd: float, seeds: int = 3, images: int = 30) -> np.ndarray:
    return mean + np.random.default_rng(0).normal(0, sd, (seeds, images))


@pytest.mark.parametrize(
    ("mean", "sd", "expected"),
    [
        (0.0, 0.005, "equivalent"),
        (0.0, 0.2, "open"),
        (0.1, 0.005, "different"),
        (0.01, 0.001, "equivalent"),  # a real difference, and smaller than the margin
        (0.03, 0.005, "different"),
    ],
)
def test_what_is_said(mean: float, sd: float, expected: str) -> None:
    assert equivalence(difference_of(pairs(mean, sd)), 0.02, FLAT, "v") == expected


@given(st.floats(-0.05, 0.05), st.floats(0.001, 0.1), st.integers(1, 12))
def test_it_is_two_one_sided_tests_at_the_studys_level(mean: float, sd: float, comparisons: int) -> None:
    found = replace(difference_of(pairs(mean, sd)), num_comparisons=comparisons)
    low, high = crossed_interval(found.pairs, 1 - 2 * 0.05 / comparisons)
    inside = low > -0.02 and high < 0.02
    assert (equivalence(found, 0.02, FLAT, "v") == "equivalent") == inside


def test_more_comparisons_make_it_harder() -> None:
    found = difference_of(pairs(0.0, 0.034))
    assert equivalence(found, 0.02, FLAT, "v") == "equivalent"
    assert equivalence(replace(found, num_comparisons=100), 0.02, FLAT, "v") == "open"


@pytest.mark.parametrize(
    ("gains", "why"),
    [
        ({"base": 0.5, "v": 0.0}, "still rising"),
        ({"base": 0.0, "v": 0.021}, "still rising"),
        ({"base": 0.5}, "still rising"),
        ({"base": 0.0}, "gain not known"),
        ({}, "gain not known"),
    ],
)
def test_nothing_is_settled_while_either_side_rises(gains: dict[str, float], why: str) -> None:
    assert equivalence(difference_of(pairs(0.0, 0.005)), 0.02, gains, "v") == f"not yet settled: {why}"
    assert equivalence(difference_of(pairs(0.1, 0.005)), 0.02, gains, "v") == "different"  # at this budget it is


def test_one_seed_or_one_image_shows_no_equality() -> None:
    for shape in ((1, 30), (3, 1)):
        assert equivalence(difference_of(np.zeros(shape)), 0.02, FLAT, "v") == "open"
    (one,) = corrected({"v": difference_of(np.empty((0, 0)))}).values()
    assert equivalence(one, 0.02, FLAT, "v") == "open"


def test_the_gain_of_a_variant_is_its_largest() -> None:
    rows = [("a", "ok", 0.01), ("a", "ok", 0.3), ("a", "diverged", 9.0), ("b", "ok", np.nan), ("b", "ok", 0.0)]
    gains = gains_by_variant(pd.DataFrame(rows, columns=["variant", "outcome", "gain_db"]))
    assert gains["a"] == 0.3
    assert np.isnan(gains["b"])
    assert gains_by_variant(pd.DataFrame({"variant": ["a"], "outcome": ["ok"]})) == {}
    assert [is_rising(gain, 0.02) for gain in (0.3, np.nan, 0.02, -1.0)] == [True, True, False, False]
