"""More seeds where a study is open, and the price of looking."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from grla.errors import InputError
from grla.report.statistics.sequential import is_open, look_seeds, until_clear
from grla.report.statistics.simulated import Design, look_again, simulate
from grla.report.statistics.verdicts import Difference

OPEN = Difference(0.01, -0.2, 0.2, 3, 2, "not distinguishable")
CLEAR = Difference(0.01, -0.02, 0.04, 3, 2, "not distinguishable")
REAL = Difference(0.5, 0.3, 0.7, 3, 2, "better")


@pytest.mark.parametrize(
    ("first", "most", "expected"), [(2, 10, (2, 3, 5, 8, 10)), (3, 3, (3,)), (2, 3, (2, 3)), (5, 9, (5, 8, 9))]
)
def test_looks_are_few_and_end_at_the_most(first: int, most: int, expected: tuple[int, ...]) -> None:
    assert look_seeds(first, most) == expected


def test_looks_need_two_seeds_to_begin_with_and_no_fewer_at_the_end() -> None:
    with pytest.raises(InputError, match="first must be a whole number of at least 2, got 1"):
        look_seeds(1, 5)
    with pytest.raises(InputError, match="max_seeds must be a whole number of at least 4, got 3"):
        look_seeds(4, 3)


def test_open_is_what_more_seeds_could_settle() -> None:
    assert is_open(OPEN, 0.05)
    assert not is_open(OPEN, 0.2)
    assert not is_open(CLEAR, 0.05)
    assert not is_open(REAL, 0.05)
    assert is_open(Difference(0.5, 0.3, 0.7, 3, 1, "better"), 0.05)  # on one seed only
    assert is_open(Difference(0.5, np.nan, np.nan, 1, 1, "not distinguishable"), 0.05)
    assert not is_open(Difference(np.nan, np.nan, np.nan, 0, 0, "not compared"), 0.05)


def test_settled_variants_stop_and_a_base_goes_on_with_its_variants() -> None:
    seen = []

    def look(number: int, stopped: Mapping[str, int]) -> dict[str, Difference]:
        seen.append((number, stopped))
        return {"a": REAL, "b": OPEN if number < 5 else CLEAR, "x2 a": replace(OPEN if number < 3 else REAL, base="x2")}

    until_clear(look, (2, 3, 5, 8), 0.05)
    assert seen == [(2, {}), (3, {"a": 2}), (5, {"a": 2, "x2 a": 3, "x2": 3})]


def test_it_ends_at_the_most_seeds_and_refuses_nonsense() -> None:
    numbers = []
    until_clear(lambda number, stopped: numbers.append(number) or {"a": OPEN}, (2, 3), 0.05)
    assert numbers == [2, 3]
    with pytest.raises(InputError, match="clear must be above 0 dB, got 0"):
        until_clear(lambda number, stopped: {}, (2, 3), 0)


def test_looking_again_is_paid_for() -> None:
    """150 null studies of 3 variants and 4 looks: without the correction more than one in ten raises a false alarm."""
    generator, design, seeds = np.random.default_rng(0), Design(8, 3, 0.03, 0.0, 0.0), (2, 3, 5, 8)
    studies = [simulate(design, [0.0] * 3, generator) for _ in range(150)]
    corrected, plain = (np.mean([look_again(s, seeds, 0.001, looks) for s in studies]) for looks in (len(seeds), 1))
    assert corrected <= 0.07
    assert plain > 0.1
