from __future__ import annotations

import math
import random

import pytest

from grla.errors import InputError
from grla.study.parameters import Choice, Float, Int, When, exists

PATH = "model.depth"


@pytest.mark.parametrize(
    ("parameter", "inside", "outside"),
    [
        (Float("x", PATH, 0.1, 10), [0.1, 1, 10.0], [0.09, 11, "1", None]),
        (Int("x", PATH, 8, 20, step=8), [8, 16], [12, 20, 24, 8.0, "8"]),
        (Int("x", PATH, 1, 3), [1, 2, 3], [0, 4]),
        (Choice("x", PATH, ("a", 1)), ["a", 1], ["b", 2]),
    ],
)
def test_a_parameter_draws_and_holds_its_values_and_no_others(
    parameter: Float | Int | Choice, inside: list[object], outside: list[object]
) -> None:
    assert all(parameter.holds(value) for value in inside)
    assert not any(parameter.holds(value) for value in outside)
    numbers = random.Random(0)
    drawn = [parameter.draw(numbers) for _ in range(200)]
    assert all(parameter.holds(value) for value in drawn)
    if not isinstance(parameter, Float):
        assert set(inside) <= set(drawn)


def test_a_logarithmic_range_is_drawn_evenly_by_order_of_magnitude() -> None:
    """Half of 1e-4 to 1 lies below 1e-2; of a linear range 1 % would."""
    numbers = random.Random(0)
    below = [Float("x", PATH, 1e-4, 1, log=True).draw(numbers) < 1e-2 for _ in range(2000)]
    assert math.isclose(sum(below) / 2000, 0.5, abs_tol=0.05)


def test_a_condition_needs_its_parameter_to_have_one_of_the_values() -> None:
    gamma = Float("gamma", PATH, 0.1, 1, when=When("kernel", ("rbf", "ridge")))
    assert exists(gamma, {"kernel": "rbf"})
    assert not exists(gamma, {"kernel": "relu"})
    assert not exists(gamma, {})
    assert exists(Float("x", PATH, 0.1, 1), {})


@pytest.mark.parametrize(
    ("build", "message"),
    [
        (lambda: Float("x", PATH, 1.0, 1.0), r"parameter 'x': low must lie below high \(1.0\), got 1.0"),
        (lambda: Float("x", PATH, 0.0, 1.0, log=True), r"parameter 'x': low must be above 0 for a logarithmic range"),
        (lambda: Int("x", PATH, 3, 1), r"parameter 'x': low must lie below high \(1\), got 3"),
        (lambda: Int("x", PATH, 1, 3, step=0), r"parameter 'x': step must be .* at least 1, got 0"),
        (
            lambda: Choice("x", PATH, ("a",)),
            r"'x': choices must be two or more different values, got \('a',\)",
        ),
        (lambda: Choice("x", PATH, ("a", "a")), r"must be two or more different values"),
    ],
)
def test_an_empty_range_is_named(build, message: str) -> None:
    with pytest.raises(InputError, match=message):
        build()
