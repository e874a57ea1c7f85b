from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from scipy import stats

from grla.errors import InputError
from grla.report.statistics.bootstrap import crossed_interval

Floats = NDArray[np.float64]
TABLES = arrays(np.float64, (3, 4), elements=st.floats(-1, 1).map(lambda value: round(value, 3)))


def simulate(num_studies: int, shape: tuple[int, int], sd: tuple[float, float, float], mean: float = 0.0) -> Floats:
    """Tables of differences (num_studies, num_seeds, num_images); sd: seed effects, image effects, noise, in dB."""
    generator, (num_seeds, num_images) = np.random.default_rng(7), shape
    seeds = generator.normal(0, sd[0], (num_studies, num_seeds, 1))
    images = generator.normal(0, sd[1], (num_studies, 1, num_images))
    return np.asarray(mean + seeds + images + generator.normal(0, sd[2], (num_studies, *shape)))


def found_share(tables: Floats) -> float:
    """Share of the studies whose interval leaves out 0."""
    intervals = np.array([crossed_interval(table, num_resamples=2000) for table in tables])
    return float(np.mean((intervals[:, 0] > 0) | (intervals[:, 1] < 0)))


def test_interval_is_students_where_only_seeds_differ() -> None:
    """Every image alike: the plain paired t interval over 4 seeds, worked by hand, up to the bootstrap's shape."""
    seeds = np.array([-0.03, -0.01, 0.01, 0.03]) + 0.02
    low, high = crossed_interval(np.repeat(seeds[:, None], 6, axis=1), num_resamples=100_000)
    half = stats.t.ppf(0.975, 3) * seeds.std(ddof=1) / 2
    assert (low + high) / 2 == pytest.approx(0.02, abs=0.002)
    assert (high - low) / 2 == pytest.approx(half, rel=0.03)


def test_interval_is_the_plain_bootstrap_where_there_is_much_data() -> None:
    (table,) = simulate(1, (60, 300), (0.02, 0.02, 0.02))
    low, high = crossed_interval(table)
    error = np.sqrt(table.mean(axis=1).var(ddof=1) / 60 + table.mean(axis=0).var(ddof=1) / 300)
    assert (high - low) / 2 == pytest.approx(1.96 * error, rel=0.06)


@pytest.mark.parametrize("shape", [(2, 3), (2, 5), (3, 3), (3, 5)])
@pytest.mark.parametrize("sd", [(0.03, 0.01, 0.01), (0.01, 0.03, 0.01), (0.02, 0.02, 0.02)])
def test_null_studies_are_rarely_called_real(shape: tuple[int, int], sd: tuple[float, float, float]) -> None:
    """At most 5 % up to the error of 600 studies (0.9 % each way)."""
    assert found_share(simulate(600, shape, sd)) <= 0.065


def test_plain_percentile_bootstrap_would_have_failed() -> None:
    """Why the corrections are there: without them a quarter of null studies with 2 seeds are called real."""
    generator, found = np.random.default_rng(1), 0
    for table in simulate(300, (2, 3), (0.03, 0.01, 0.01)):
        seeds = generator.multinomial(2, [1 / 2] * 2, 2000) @ table / 2
        means = (seeds * generator.multinomial(3, [1 / 3] * 3, 2000)).sum(axis=1) / 3
        low, high = np.quantile(means, [0.025, 0.975])
        found += low > 0 or high < 0
    assert found / 300 > 0.2


def test_a_real_tenth_of_a_decibel_is_found() -> None:
    assert found_share(simulate(200, (3, 5), (0.01, 0.02, 0.01), mean=0.1)) > 0.9


@settings(deadline=None, max_examples=25)
@given(TABLES, st.floats(-5, 5))
def test_shifting_the_differences_shifts_the_interval(table: Floats, shift: float) -> None:
    low, high = crossed_interval(table, num_resamples=500)
    assert crossed_interval(table + shift, num_resamples=500) == pytest.approx((low + shift, high + shift), abs=1e-6)


@settings(deadline=None, max_examples=25)
@given(TABLES, st.floats(0.01, 100))
def test_the_interval_has_the_metrics_unit(table: Floats, factor: float) -> None:
    low, high = crossed_interval(table, num_resamples=500)
    scaled = crossed_interval(table * factor, num_resamples=500)
    assert scaled == pytest.approx((low * factor, high * factor), abs=1e-6 * factor)


@settings(deadline=None, max_examples=25)
@given(TABLES, st.permutations(range(3)), st.permutations(range(4)))
def test_names_of_seeds_and_images_do_not_matter(table: Floats, seeds: list[int], images: list[int]) -> None:
    expected = crossed_interval(table, num_resamples=500)
    assert crossed_interval(table[seeds][:, images], num_resamples=500) == pytest.approx(expected, abs=1e-6)


@settings(deadline=None, max_examples=25)
@given(TABLES)
def test_more_confidence_is_a_wider_interval_around_the_mean(table: Floats) -> None:
    narrow, wide = (crossed_interval(table, confidence, 2000) for confidence in (0.8, 0.95))
    assert wide[0] <= narrow[0] + 1e-9
    assert narrow[1] <= wide[1] + 1e-9
    assert wide[0] - 1e-9 <= table.mean() <= wide[1] + 1e-9


def test_confidence_is_a_share() -> None:
    with pytest.raises(InputError, match="confidence must lie between 0 and 1, got 95"):
        crossed_interval(np.zeros((2, 2)), confidence=95)
