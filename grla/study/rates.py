"""Own learning rates: each variant of a study trains at the rate that suits it best in shorter runs before.

One rate for all favours whichever variant it happens to suit. The shorter runs are a study of their own, of every
variant at every rate, and are read by their validation images alone, never by a test image.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from grla.errors import require
from grla.spec import Budget, RunSpec, with_changes
from grla.study.definition import RATE, Study
from grla.study.layout import Changes, Factor, level_text

RATES = "_rates"


def rates_study(study: Study, profile: str, base: RunSpec, rates: Sequence[float]) -> Study:
    """The study of every variant around `base` at each of `rates`, one seed each.

    The base's own rate is always among them. Of panels only the base's is tried: the others take its rates. Raises
    InputError for a rate that is not above 0.
    """
    for rate in rates:
        require(rate > 0, "rates", "must be above 0", rate)
    layout = study.layout(profile, base)
    rows = [row for row in layout.rows() if layout.rated_as(row) == layout.variant(row)]
    levels = {layout.variant(row): _effective(layout.changes(row), base) for row in rows}
    tried = sorted({*rates, base.train.learning_rate})
    return replace(
        study,
        name=f"{study.name}{RATES}",
        file=study.file or study.name,
        question=f"Which learning rate suits each variant of {study.name} best?",
        factors=(Factor("candidate", levels), Factor("rate", {level_text(rate): {RATE: rate} for rate in tried})),
        design="grid",
        profiles={profile: replace(study.profile(profile), seeds=1, factors=(), rates=())},
        rates={},
        sizes={},
    )


def _effective(changes: Changes, base: RunSpec) -> Changes:
    """The changes without those that leave `base` as it is: its budget, say, which is another one here."""
    return {path: value for path, value in changes.items() if with_changes(base, {path: value}) != base}


def shorter(budget: Budget, share: float) -> Budget:
    """This share of a budget; steps in tens, as every schedule takes them."""
    if budget.unit == "min":
        return Budget(budget.amount * share, "min")
    return Budget(max(10, round(budget.amount * share, -1)), "steps")


def tried_rates(study: Study, profile: str) -> list[float]:
    """The rates of a study made by `rates_study`, ascending."""
    (factor,) = (one for one in study.resolved_factors(profile) if one.name == "rate")
    return sorted(float(str(changes[RATE])) for changes in factor.levels.values())


def best_rates(scores: Mapping[tuple[str, float], float]) -> dict[str, float]:
    """By variant the rate with the highest of `scores` by variant and rate (validation PSNR-Y; the smaller of equals).

    A variant without any score is left out: it failed at every rate.
    """
    best: dict[str, float] = {}
    for (variant, rate), score in sorted(scores.items()):
        if variant not in best or score > scores[variant, best[variant]]:
            best[variant] = rate
    return best


def wider(rates: Sequence[float], chosen: Mapping[str, float]) -> list[float]:
    """`rates` with one more at each end at which a variant chose: three times as high or a third as low."""
    found = set(chosen.values())
    lower, higher = ([min(rates) / 3] if min(rates) in found else []), ([3 * max(rates)] if max(rates) in found else [])
    return [*(float(f"{rate:.2g}") for rate in lower), *rates, *(float(f"{rate:.2g}") for rate in higher)]
