"""Which differences are real: differences paired by image and seed, with intervals, and verdicts on a whole study.

Two questions are kept apart. How large is one difference: its 95 % interval (`grla.report.statistics.bootstrap`), which
speaks of this comparison alone. Which of a study's differences are real: the verdicts, corrected by Holm's step-down
method over all comparisons of the study, so that at most 5 % of studies without any real difference call one real (Holm
1979, Scand. J. Statist. 6, 65-70). A study that was looked at several times to decide on more seeds
(`grla.report.statistics.sequential`) has Holm's levels divided by the number of looks. A verdict never goes beyond the
interval; where the interval leaves out 0 and the verdict is "not distinguishable" all the same,
`Difference.lost_to_correction` is True.

The marks of a table, best and second best with their ties, follow from the same differences (`best_and_second`).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
import pandas as pd
from scipy import stats

from grla.errors import InputError
from grla.report.statistics.bootstrap import Floats, crossed_interval
from grla.report.statistics.power import Variance, variance_parts
from grla.study import BASE, Layout

Verdict = Literal["better", "worse", "not distinguishable", "not compared"]
Mark = Literal["best", "second"]

SKEWED = 2.0
"""The skewness of image effects above which 95 % intervals cover less: 90 % where they are lognormal (sigma 1.2)."""
LEVEL = 0.05  # of false positives: of one comparison's interval, and of a whole study's verdicts


@dataclass(frozen=True)
class Difference:
    """A variant minus the base, in the metric's unit, with its 95 % interval [low, high].

    `verdict` is "not compared" where no pair was measured. It is that of a study's `num_comparisons` comparisons
    together, at `num_looks` looks; from `paired_difference`, that of this comparison alone. `note` names what was not
    sampled, "" if both seeds and images were. `base` is the variant that it is compared with; `pairs`, of shape
    (num_seeds, num_images), are the differences it comes from. `pairing` is their variance between seeds over the sum
    of both variants' own: 0 where equal seeds make them alike in all that varies, about 1 where pairing brings nothing.
    """

    mean: float
    low: float
    high: float
    num_images: int
    num_seeds: int
    verdict: Verdict
    note: str = ""
    base: str = BASE
    num_comparisons: int = 1
    num_looks: int = 1
    pairs: Floats = field(default_factory=lambda: np.empty((0, 0)), repr=False, compare=False)
    pairing: float = np.nan

    @property
    def half_width(self) -> float:
        """Half the interval's width; NaN without an interval."""
        return (self.high - self.low) / 2

    @property
    def lost_to_correction(self) -> bool:
        """Whether the interval excludes 0 while the verdict, corrected for the other comparisons, is open."""
        return self.verdict == "not distinguishable" and _side(self.low, self.high) != self.verdict

    @property
    def level(self) -> float:
        """The level of Holm's first step: a difference that is real at it is called real whatever the others are."""
        return LEVEL / self.num_looks / self.num_comparisons

    @property
    def too_bold(self) -> bool:
        """Whether the effects of images are so skewed that the interval is narrower than it should be; see SKEWED."""
        effects = self.pairs.mean(axis=0) if self.pairs.size else np.empty(0)
        return effects.size > 2 and float(np.ptp(effects)) > 0 and abs(float(stats.skew(effects))) > SKEWED

    @property
    def variance(self) -> Variance:
        """The parts of the differences' variance; all NaN unless both seeds and images were sampled."""
        return variance_parts(self.pairs)


def paired_difference(images: pd.DataFrame, variant: str, base: str = BASE, metric: str = "psnr_y") -> Difference:
    """Variant minus base over the (seed, image) pairs both have, with the verdict of this comparison alone.

    `images` has one row per image and cell: variant, seed, test_set, image and the metric. An image that is missing for
    a common seed, or whose difference is not finite, is left out for all seeds. With one seed (or one image) only the
    other level is resampled, as `note` says; with one of each there is no interval (NaN).
    """
    mine, theirs = paired_values(images, variant, base, metric)
    found = difference_of(mine - theirs)
    return replace(found, base=base, pairing=_pairing(mine, theirs))


def paired_values(images: pd.DataFrame, variant: str, base: str, metric: str) -> tuple[Floats, Floats]:
    """Both variants' values, (num_seeds, num_images): the seeds that both have, the images that all of these have.

    Raises InputError for `images` without the columns that `paired_difference` names.
    """
    missing = {"variant", "seed", "test_set", "image", metric} - set(images.columns)
    if missing:
        raise InputError(f"the table of images must have the columns {', '.join(sorted(missing))}")
    mine, theirs = (values_by_seed(images[images["variant"] == name], metric) for name in (variant, base))
    difference = (mine - theirs).replace([np.inf, -np.inf], np.nan)
    known = difference.dropna(axis="index", how="all").dropna(axis="columns")
    first, second = (frame.reindex(index=known.index, columns=known.columns) for frame in (mine, theirs))
    return first.to_numpy(np.float64), second.to_numpy(np.float64)


def values_by_seed(rows: pd.DataFrame, metric: str) -> pd.DataFrame:
    """One variant's values: a row per seed, a column per test set and image."""
    return rows.pivot(index="seed", columns=["test_set", "image"], values=metric)


def difference_of(pairs: Floats) -> Difference:
    """The difference that `pairs`, of shape (num_seeds, num_images) without gaps, give when judged alone."""
    num_seeds, num_images = pairs.shape
    if pairs.size == 0:
        return Difference(np.nan, np.nan, np.nan, 0, 0, "not compared", "no seed was measured for both")
    low, high = crossed_interval(pairs, 1 - LEVEL)
    note = _note(num_seeds, num_images)
    return Difference(float(pairs.mean()), low, high, num_images, num_seeds, _side(low, high), note, pairs=pairs)


def differences_to_base(
    images: pd.DataFrame, variants: Iterable[str], base: str = BASE, metric: str = "psnr_y"
) -> dict[str, Difference]:
    """`paired_difference` of every variant to the base, each judged alone; the base itself is left out."""
    return {v: paired_difference(images, v, base, metric) for v in variants if v != base}


def study_differences(layout: Layout, images: pd.DataFrame, metric: str = "psnr_y") -> dict[str, Difference]:
    """Every variant's difference to the base of its group, the bases left out, with the study's corrected verdicts."""
    found: dict[str, Difference] = {}
    for group in layout.groups():
        variants = [variant for _, variant in group.rows]
        found |= differences_to_base(images, variants, group.base, metric)
    return corrected(found, layout.num_looks)


def corrected(found: Mapping[str, Difference], num_looks: int = 1) -> dict[str, Difference]:
    """The same differences with verdicts that hold together: Holm's step-down method on intervals.

    A difference is real if its interval at level LEVEL / num_looks / n excludes 0, n being the number of comparisons;
    n then becomes the number of those still open, until a round finds none. Comparisons without an interval do not
    count.
    """
    undecided = {name for name, difference in found.items() if np.isfinite(difference.low)}
    num_comparisons = max(len(undecided), 1)
    while undecided:
        level = LEVEL / num_looks / len(undecided)
        decided = {name for name in undecided if _is_real(found[name], level)}
        if not decided:
            break
        undecided -= decided
    verdicts = {name: "not distinguishable" if name in undecided else found[name].verdict for name in found}
    return {
        name: replace(found[name], verdict=verdict, num_comparisons=num_comparisons, num_looks=num_looks)
        for name, verdict in verdicts.items()
    }


def best_and_second(images: pd.DataFrame, variants: Sequence[str], metric: str) -> dict[str, Mark]:
    """The marks of `variants` by a `metric` of which more is better; a single variant has none.

    The best is the variant with the highest mean and every one that is not distinguishable from it; the second best is
    the highest of the rest and every one of the rest that is not distinguishable from that. Holm's method corrects the
    verdicts of each of the two rounds, as the highest was picked by looking. `images` has a row per variant, seed and
    image, as `paired_difference` needs.
    """
    values = images.assign(value=images[metric].astype(float))
    means = values.groupby(["variant", "seed"])["value"].mean().groupby("variant").mean()
    ordered = means.reindex(list(variants)).dropna().sort_values(ascending=False, kind="stable")
    left = [str(name) for name in ordered.index]
    marks: dict[str, Mark] = {}
    for mark in ("best", "second") if len(left) > 1 else ():
        if left:
            found = corrected(differences_to_base(images, left, left[0], metric))
            equal = [left[0], *(name for name in left[1:] if found[name].verdict not in ("better", "worse"))]
            marks |= dict.fromkeys(equal, mark)
            left = [name for name in left if name not in equal]
    return marks


def _is_real(difference: Difference, level: float) -> bool:
    """Whether the interval at `level` excludes 0; it cannot if the 95 % interval inside it does not."""
    if difference.verdict == "not distinguishable":
        return False
    return _side(*crossed_interval(difference.pairs, 1 - level)) == difference.verdict


def _pairing(mine: Floats, theirs: Floats) -> float:
    """Of values (num_seeds, num_images): variances between seeds, summed over images; NaN for one seed."""
    if len(mine) < 2 or mine.shape[1] == 0:
        return np.nan
    own = mine.var(axis=0, ddof=1).sum() + theirs.var(axis=0, ddof=1).sum()
    return float((mine - theirs).var(axis=0, ddof=1).sum() / own) if own > 0 else np.nan


def _side(low: float, high: float) -> Verdict:
    """On which side of 0 an interval lies."""
    if low > 0:
        return "better"
    return "worse" if high < 0 else "not distinguishable"


def _note(num_seeds: int, num_images: int) -> str:
    parts = []
    if num_seeds == 1:
        parts.append("one seed: seeds were not sampled")
    if num_images == 1:
        parts.append("one image: images were not sampled")
    return "; ".join(parts)
