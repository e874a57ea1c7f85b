"""How time and memory grow with the number of tokens: measuring one size, and laws fitted to several."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from scipy import stats
from torch import Tensor, nn

from grla.cost import gpu_timing
from grla.cost.latency import clock
from grla.cost.memory import map_every_tensor, peak_memory_mib

MOST_RUNS = 9
CONFIDENCE = 0.95


@dataclass(frozen=True)
class Timing:
    """Median milliseconds of one pass over `runs` passes after one to warm up."""

    median_ms: float
    runs: int


@dataclass(frozen=True)
class Exponent:
    """p of cost ~ tokens^p over `points` sizes, with its 95 % interval; None where there are too few for either."""

    exponent: float | None
    low: float | None
    high: float | None
    points: int


@dataclass(frozen=True)
class Crossover:
    """The number of tokens from which on one law is cheaper than another, None outside of the measured sizes.

    `where`: "within", "below" (cheaper at every common size), "above" (more expensive at the largest) or "nowhere" (no
    common size).
    """

    tokens: float | None
    where: Literal["within", "below", "above", "nowhere"]


def one_pass(model: nn.Module, inputs: tuple[Tensor, ...]) -> Callable[[], object]:
    """What is measured: a forward pass of a model in eval mode, forward and backward of one in training mode.

    The backward pass goes to all parameters and to those inputs that require gradients; the gradient of the output is
    all ones. A model whose output depends on none of them has no backward pass.
    """

    def forward() -> object:
        with torch.inference_mode():
            return model(*inputs)

    def forward_and_backward() -> object:
        out = model(*inputs)
        if not out.requires_grad:
            return out
        leaves = [leaf for leaf in (*inputs, *model.parameters()) if leaf.requires_grad]
        return torch.autograd.grad(out, leaves, torch.ones_like(out), allow_unused=True)

    return forward_and_backward if model.training else forward


def time_pass(work: Callable[[], object], device: torch.device, seconds: float) -> Timing:
    """Time `work` after one warm-up: up to nine times, as long as they fit into `seconds`, but at least once.

    On a GPU the warm-up takes half a second, and each time is the mean of calls that take some milliseconds together.
    """
    start = clock(device)
    if device.type == "cuda":
        calls = gpu_timing.calls_in_a_sample(gpu_timing.warm_up(work, device))
        sample = functools.partial(gpu_timing.sample_ms, work, device, calls)
    else:
        calls = 1
        work()
        sample = functools.partial(_sample_ms, work, device)
    times: list[float] = []
    while len(times) < MOST_RUNS and (not times or clock(device) - start + calls * times[-1] / 1000 < seconds):
        times.append(sample())
    return Timing(float(np.median(times)), len(times))


def _sample_ms(work: Callable[[], object], device: torch.device) -> float:
    before = clock(device)
    work()
    return 1000 * (clock(device) - before)


def weigh_pass(work: Callable[[], object], device: torch.device) -> float | None:
    """MiB by which memory grows at the peak of `work`, after one warm-up; for a process that does nothing else.

    None where the system cannot measure it.
    """
    map_every_tensor()
    work()
    return peak_memory_mib(work, device)


def predict(measured: Mapping[int, float], tokens: int) -> float | None:
    """The cost at `tokens`, continued from the exponent between the two largest sizes measured; None with fewer."""
    if len(measured) < 2:
        return None
    before, last = sorted(measured)[-2:]
    exponent = np.log(measured[last] / measured[before]) / np.log(last / before)
    return float(measured[last] * (tokens / last) ** exponent)


def fit_exponent(measured: Mapping[int, float], fit_from: int) -> Exponent:
    """Least squares on the logarithms of tokens and cost, over sizes of at least `fit_from` with a cost above 0.

    The interval is the regression's (Student's t, points - 2 degrees of freedom); two points have none.
    """
    points = {tokens: cost for tokens, cost in measured.items() if tokens >= fit_from and cost > 0}
    if len(points) < 2:
        return Exponent(None, None, None, len(points))
    x, y = (np.log(values) - np.log(values).mean() for values in (list(points), list(points.values())))
    slope = float(x @ y / (x @ x))
    if len(points) == 2:
        return Exponent(slope, None, None, 2)
    freedom = len(points) - 2
    error = np.sqrt(np.square(y - slope * x).sum() / freedom / (x @ x))
    half = float(stats.t.ppf((1 + CONFIDENCE) / 2, freedom) * error)
    return Exponent(slope, slope - half, slope + half, len(points))


def find_crossover(first: Mapping[int, float], second: Mapping[int, float]) -> Crossover:
    """From how many tokens on `second` is cheaper than `first`: the last change of order, interpolated in log-log."""
    sizes = np.array(sorted(set(first) & set(second)))
    if not len(sizes):
        return Crossover(None, "nowhere")
    saved = np.log([first[tokens] / second[tokens] for tokens in sizes.tolist()])
    if saved[-1] <= 0:
        return Crossover(None, "above")
    if (saved > 0).all():
        return Crossover(None, "below")
    last = int(np.flatnonzero(saved <= 0)[-1])
    share = saved[last] / (saved[last] - saved[last + 1])
    low, high = np.log(sizes[last : last + 2])
    return Crossover(float(np.exp(low + share * (high - low))), "within")
