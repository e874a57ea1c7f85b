"""Laws against costs made up by known ones; measuring against known allocations and numbers of calls."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from grla.cost.child import run_in_child
from grla.cost.scaling import find_crossover, fit_exponent, one_pass, predict, time_pass, weigh_pass

CPU = torch.device("cpu")
SIZES = (4096, 16_384, 65_536, 262_144, 1_048_576)
exponents = st.floats(0.0, 3.0)
factors = st.floats(1e-6, 1e3)


def law(factor: float, exponent: float, sizes: tuple[int, ...] = SIZES) -> dict[int, float]:
    return {size: factor * size**exponent for size in sizes}


@given(exponents, factors)
def test_a_power_law_is_found_and_continued(exponent: float, factor: float) -> None:
    fit = fit_exponent(law(factor, exponent), fit_from=16_384)
    assert fit.points == 4
    assert fit.low is not None
    assert fit.high is not None
    assert [fit.exponent, fit.low, fit.high] == pytest.approx([exponent] * 3, abs=1e-6)
    assert predict(law(factor, exponent, SIZES[:3]), SIZES[4]) == pytest.approx(factor * SIZES[4] ** exponent)


def test_sizes_below_the_first_do_not_count() -> None:
    costs = law(1.0, 1.0) | {4096: 1e9}
    assert fit_exponent(costs, fit_from=16_384).exponent == pytest.approx(1)
    assert fit_exponent(costs, fit_from=1).exponent != pytest.approx(1, abs=0.1)


def test_interval_of_a_regression_by_hand() -> None:
    """Powers of ten (0, 0), (1, 2), (2, 1): slope 1/2, squared residuals 1/4 + 1 + 1/4, one degree of freedom.

    The slope's standard error is sqrt(3/2 / 2); Student's t at 97.5 % is 12.7062.
    """
    fit = fit_exponent({1: 1.0, 10: 100.0, 100: 10.0}, fit_from=1)
    assert fit.exponent == pytest.approx(0.5)
    assert fit.high == pytest.approx(0.5 + 12.7062 * np.sqrt(3 / 4), rel=1e-5)
    assert fit.low == pytest.approx(0.5 - 12.7062 * np.sqrt(3 / 4), rel=1e-5)


def test_two_points_have_a_slope_without_an_interval() -> None:
    fit = fit_exponent({10: 1.0, 1000: 10.0}, fit_from=1)
    assert (fit.exponent, fit.low, fit.high) == (pytest.approx(0.5), None, None)


@pytest.mark.parametrize("costs", [{}, {16_384: 1.0}, {16_384: 0.0, 65_536: 0.0}])
def test_too_few_points_have_no_exponent(costs: dict[int, float]) -> None:
    assert fit_exponent(costs, fit_from=1).exponent is None
    assert predict({4096: 1.0}, 8192) is None


@given(st.floats(4097, 1_048_575), factors)
def test_the_crossover_of_two_laws_is_where_they_are_equal(tokens: float, factor: float) -> None:
    """factor N^2 and factor * tokens * N meet at N = tokens."""
    found = find_crossover(law(factor, 2.0), law(factor * tokens, 1.0))
    assert found.where == "within"
    assert found.tokens == pytest.approx(tokens, rel=1e-6)


def test_crossovers_outside_of_what_was_measured() -> None:
    quadratic = law(1.0, 2.0)
    assert find_crossover(quadratic, law(100.0, 1.0)).where == "below"
    assert find_crossover(quadratic, law(1e7, 1.0)).where == "above"
    assert find_crossover(quadratic, {}).where == "nowhere"
    # What was stopped takes no part: of the sizes that both have, softmax is the faster.
    assert find_crossover({4096: 1.0, 16_384: 16.0}, law(1.0, 1.0)).where == "above"


def test_of_several_changes_of_order_the_last_counts() -> None:
    noisy = {1: 2.0, 2: 1.0, 4: 1.0, 8: 4.0}
    found = find_crossover(noisy, {1: 1.0, 2: 2.0, 4: 2.0, 8: 2.0})
    assert found.tokens == pytest.approx(4 * 2**0.5)


def test_a_pass_forward_leaves_no_graph_and_one_with_backward_returns_gradients() -> None:
    x = torch.ones(2, 3, requires_grad=True)
    out = one_pass(nn.Linear(3, 4).eval(), (x,))()
    assert isinstance(out, torch.Tensor)
    assert not out.requires_grad
    model = nn.Linear(3, 4).train()
    to_input, to_weight, to_bias = one_pass(model, (x,))()  # type: ignore[misc]
    torch.testing.assert_close(to_input, model.weight.sum(0).expand(2, 3))
    torch.testing.assert_close(to_weight, torch.full((4, 3), 2.0))
    torch.testing.assert_close(to_bias, torch.full((4,), 2.0))
    assert x.grad is None


def test_what_depends_on_nothing_has_no_backward_pass() -> None:
    class Constant(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.zeros(x.shape)

    out = one_pass(Constant().train(), (torch.ones(2, requires_grad=True),))()
    assert isinstance(out, torch.Tensor)


@pytest.mark.parametrize(("seconds", "runs"), [(3600.0, 9), (0.0, 1)])
def test_a_pass_is_timed_once_at_least_and_nine_times_at_most(seconds: float, runs: int) -> None:
    calls: list[None] = []
    timing = time_pass(lambda: calls.append(None), CPU, seconds)
    assert (timing.runs, len(calls)) == (runs, runs + 1)
    assert timing.median_ms >= 0


def test_memory_of_a_known_allocation() -> None:
    answer = run_in_child(partial(weigh_pass, partial(torch.ones, 10 * 2**20), CPU), 60)
    if answer.value is None:
        pytest.skip("this system cannot measure the peak of a part of a process")
    assert answer.value == pytest.approx(40, abs=1)
