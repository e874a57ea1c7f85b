"""The parts of a variance, effect size and power, against hand, statsmodels and simulated studies."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm
from statsmodels.stats.power import TTestPower

from grla.report.statistics.power import Variance, effect_size, power, seeds_needed, smallest_visible, variance_parts
from grla.report.statistics.simulated import Design, check


def test_hand_worked_parts_and_effect_size() -> None:
    """Seed means 0.15 and 0.35, image means 0.2 and 0.3, nothing left over."""
    parts = variance_parts(np.array([[0.1, 0.2], [0.3, 0.4]]))
    assert (parts.seed, parts.image, parts.noise) == pytest.approx((0.02, 0.005, 0.0))
    assert effect_size(0.25, parts) == pytest.approx(0.25 / 0.025**0.5)


def test_the_parts_are_those_of_an_analysis_of_variance() -> None:
    table = np.random.default_rng(0).normal(0, 1, (4, 6)) + 2 * np.arange(4)[:, None] + np.arange(6)
    rows = pd.DataFrame([(s, i, value) for (s, i), value in np.ndenumerate(table)], columns=["seed", "image", "value"])
    squares = anova_lm(ols("value ~ C(seed) + C(image)", rows).fit())
    seed, image, noise = squares["sum_sq"] / squares["df"]
    parts = variance_parts(table)
    assert (parts.seed, parts.image, parts.noise) == pytest.approx(((seed - noise) / 6, (image - noise) / 4, noise))


def test_a_part_is_never_negative_and_unknown_if_one_level_was_not_sampled() -> None:
    checkered = np.array([[1.0, -1.0], [-1.0, 1.0]])
    assert variance_parts(checkered) == Variance(0.0, 0.0, 4.0)
    for table in (np.ones((1, 5)), np.ones((5, 1)), np.empty((0, 0))):
        parts = variance_parts(table)
        assert np.isnan([parts.seed, parts.image, parts.noise, effect_size(0.1, parts)]).all()
        assert np.isnan([smallest_visible(parts, 2, 5, 0.05), seeds_needed(0.05, parts, 5, 0.05)]).all()


def test_power_is_that_of_a_t_test_where_only_seeds_differ() -> None:
    only_seeds = Variance(0.02**2, 0.0, 0.0)
    for seeds, level in ((3, 0.05), (6, 0.05), (6, 0.05 / 8)):
        size = TTestPower().solve_power(nobs=seeds, alpha=level, power=0.8)
        assert smallest_visible(only_seeds, seeds, 10, level) == pytest.approx(0.02 * size, rel=0.001)
        expected = TTestPower().power(2.0, seeds, level)
        assert power(0.04, only_seeds, seeds, 10, level) == pytest.approx(expected, abs=0.001)


def test_seeds_needed_is_the_first_number_with_enough_power() -> None:
    needed = TTestPower().solve_power(effect_size=0.05 / 0.04, alpha=0.05, power=0.8)
    assert seeds_needed(0.05, Variance(0.04**2, 0.0, 0.0), 10, 0.05) == np.ceil(needed)
    mixed = Variance(0.02**2, 0.03**2, 0.02**2)
    seeds = int(seeds_needed(0.05, mixed, 20, 0.01))
    assert power(0.05, mixed, seeds - 1, 20, 0.01) < 0.8 <= power(0.05, mixed, seeds, 20, 0.01)


def test_no_number_of_seeds_makes_up_for_few_images() -> None:
    assert seeds_needed(0.05, Variance(0.01**2, 0.1**2, 0.0), 3, 0.05) == np.inf
    assert np.isfinite(seeds_needed(0.05, Variance(0.01**2, 0.1**2, 0.0), 100, 0.05))


def test_where_nothing_varies_everything_is_seen() -> None:
    nothing = Variance(0.0, 0.0, 0.0)
    assert smallest_visible(nothing, 2, 3, 0.05) == 0
    assert power(1e-9, nothing, 2, 3, 0.05) == 1
    assert seeds_needed(0.05, nothing, 3, 0.05) == 2
    assert np.isnan(effect_size(0.1, nothing))


@pytest.mark.parametrize("design", [Design(3, 5, 0.02, 0.02, 0.02), Design(5, 19, 0.03, 0.01, 0.01)])
def test_simulated_studies_keep_what_is_promised(design: Design) -> None:
    """Coverage, family-wise false alarms and power of 200 studies, up to their error; more by check_statistics.py."""
    shares = check(design, num_studies=200, num_variants=4)
    assert 92 <= shares["covered"] <= 99
    assert shares["false alarms"] <= 7
    assert 72 <= shares["seen"] <= 88
