"""Which configurations of a search are not worth a step, and which learning curves not worth another one.

Optuna prunes studies of one objective only, and it compares all trials with each other; but of a front of compromises a
cheap network must not be stopped for learning less than an expensive one. So trials are compared inside cost bands, by
two rules that use nothing but the costs and the validation curves of trials that were trained to the end (rivals):

Dominated in cost, before the first step: at least `LEAST` rivals cost about the same (each cost within a factor `BAND`
either way), and the best of them is no better than a rival that costs at most 1 / `BAND` of it. What was spent there
has bought nothing so far.

Hopeless, at a validation: of the rivals that cost no more, but at least 1 / `BAND` (without costs: of all), there are
at least `LEAST`, `FIRST_SHARE` of the budget is used, and the best PSNR-Y so far lies more than `MARGIN_DB` below the
lower quartile of what they had reached at the same validation. The margin keeps trials that differ by chance alone; the
first validations say little, as noise and late learners show. How often the eventual best of a set of curves falls
victim is tested: in at most 2 % of random orders for the curves of two records in `results/reference`, 5 % for those of
a third, whose cells end within 0.2 dB of each other, and in at most 10 % for a model whose learners differ in speed by
more than an order of magnitude (`tests/tuning/test_pruning.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BAND = 2.0
LEAST = 5
FIRST_SHARE = 0.4
QUARTILE = 0.25
MARGIN_DB = 0.3

Costs = tuple[float, ...]


@dataclass(frozen=True)
class Rival:
    """A trial that was trained to the end: its minimised costs, and validation PSNR-Y in dB at every validation."""

    costs: Costs
    curve: tuple[float, ...]

    @property
    def psnr_y(self) -> float:
        """What it reached at the end, in dB."""
        return self.curve[-1]


def dominated(costs: Costs, rivals: Sequence[Rival]) -> str:
    """Why a configuration of these costs is not worth a step, "" if it is; the first rule of the module."""
    near = [rival.psnr_y for rival in rivals if _between(rival.costs, costs, 1 / BAND, BAND)]
    cheaper = [rival.psnr_y for rival in rivals if _between(rival.costs, costs, 0, 1 / BAND)]
    if not costs or len(near) < LEAST or not cheaper or max(cheaper) < max(near):
        return ""
    best = f"the best of {len(near)} trials of about this cost has {max(near):.2f} dB"
    return f"{best}, one of at most 1/{BAND:g} of it has {max(cheaper):.2f} dB"


def hopeless(costs: Costs, curve: Sequence[float], rivals: Sequence[Rival]) -> str:
    """Why a trial with these costs and this curve so far is not worth another step, "" if it is; the second rule."""
    band = [rival.curve for rival in rivals if _between(rival.costs, costs, 1 / BAND, 1)]
    if len(band) < LEAST or len(curve) < FIRST_SHARE * len(band[0]):
        return ""
    reached = [max(other[: len(curve)]) for other in band]
    bar = float(np.quantile(reached, QUARTILE)) - MARGIN_DB
    if max(curve) >= bar:
        return ""
    where = f"validation {len(curve)} of {len(band[0])}"
    return f"{max(curve):.2f} dB at {where}, {bar:.2f} dB is asked by {len(band)} trials of its cost band"


def _between(costs: Costs, middle: Costs, low: float, high: float) -> bool:
    """Whether every cost lies in [low, high] times that of the middle."""
    return all(low * own <= cost <= high * own for cost, own in zip(costs, middle, strict=True))
