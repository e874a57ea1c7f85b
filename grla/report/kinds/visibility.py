"""What a study could see and what it cannot tell: power in a table, limits in words."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from grla.report.document import Number, Section, Table, Text
from grla.report.statistics.power import MOST_SEEDS, POWER, effect_size, seeds_needed, smallest_visible
from grla.report.statistics.verdicts import LEVEL, SKEWED, Difference

UNLIKE = 2  # times the parameters from which on sizes are said to differ
WANTED = 0.05  # dB, the size of difference by which the paper ranks kernels

EXPLAINED = f"""\
Of the paired differences to the base: effect size d (mean difference over the sd of one image's difference from one
seed, Westfall et al. 2014); the sd of their seed effects, image effects and noise; the smallest true difference that
a study of this size calls real with {POWER:.0%} probability, corrected for its comparisons; how many seeds it takes
for {WANTED} dB on as many images; and what pairing left of the variance between seeds (that of the differences over the
sum of both variants' own: 1 if equal seeds brought nothing). Variances from few seeds are themselves rough, and so are
these numbers."""


def visibility_section(differences: Mapping[str, Difference]) -> Section:
    """What the study can see, a row per comparison of which seeds and images were sampled; empty where there is none.

    See EXPLAINED for the columns.
    """
    known = {variant: d for variant, d in differences.items() if np.isfinite(d.variance.noise)}
    table = pd.DataFrame([{"variant": variant, **_row(d)} for variant, d in known.items()])
    return Section("What this study can see", (Text(EXPLAINED), Table(table, left=("variant",))) if known else ())


def limits_section(cells: pd.DataFrame, differences: Mapping[str, Difference]) -> Section:
    """What the study could not have told, in a few honest lines."""
    compared = [difference for difference in differences.values() if difference.verdict != "not compared"]
    bold = [variant for variant, difference in differences.items() if difference.too_bold]
    seeds = _seeds(cells["seed"].nunique(), differences)
    lines = [*_smallest(compared), *seeds, *_sizes(cells), *_correction(compared)]
    if bold:
        lines.append(
            f"Differences that a few images dominate (skewness above {SKEWED:g}), whose 95 % intervals are too narrow "
            f"and would cover about 90 %: {'; '.join(bold)}."
        )
    lines.append(
        "A small budget does not rank kernels: what is equal after a short training of a small model may "
        "differ after a long one, and the other way round."
    )
    return Section("What this study cannot tell", (Text("\n".join(f"- {line}" for line in lines)),))


def _row(difference: Difference) -> dict[str, object]:
    variance, images, level = difference.variance, difference.num_images, difference.level
    smallest = smallest_visible(variance, difference.num_seeds, images, level)
    seeds = seeds_needed(WANTED, variance, images, level)
    return {
        "effect size d": Number(effect_size(difference.mean, variance), "+.2f"),
        "sd of seeds dB": Number(np.sqrt(variance.seed), ".3f"),
        "sd of images dB": Number(np.sqrt(variance.image), ".3f"),
        "sd of noise dB": Number(np.sqrt(variance.noise), ".3f"),
        "smallest visible dB": Number(smallest, ".3f"),
        "left by pairing": Number(difference.pairing, ".2f"),
        f"seeds for {WANTED} dB": f"over {MOST_SEEDS}: more images" if np.isinf(seeds) else Number(seeds, ".0f"),
    }


def _smallest(compared: Sequence[Difference]) -> list[str]:
    if not any(np.isfinite(difference.low) for difference in compared):
        return ["Nothing could be compared with the base, or only one image from one seed: there is no interval."]
    visible = [smallest_visible(d.variance, d.num_seeds, d.num_images, d.level) for d in compared]
    known = [value for value in visible if np.isfinite(value)]
    if not known:
        return []
    reach = f"{min(known):.3f} dB" if len(known) == 1 else f"{min(known):.3f} to {max(known):.3f} dB"
    return [
        f"The smallest difference to the base it could have seen: {reach}, per variant, in {POWER:.0%} of such "
        "studies. Smaller ones may be there."
    ]


def _seeds(num_seeds: int, differences: Mapping[str, Difference]) -> list[str]:
    if num_seeds == 1:
        return [
            "One seed: seeds were not sampled, so the intervals are about other images only and no sd is given; "
            "another seed can turn the differences round."
        ]
    single = [variant for variant, difference in differences.items() if difference.num_seeds == 1]
    lines = [f"Compared on one seed only, so about that seed only: {'; '.join(single)}."] if single else []
    if num_seeds < 5:
        lines.append(f"{num_seeds} seeds: much of an interval's width is the price of so few.")
    return lines


def _sizes(cells: pd.DataFrame) -> list[str]:
    """That networks of very different size are compared, if they are."""
    params = cells[cells["outcome"] == "ok"].groupby("variant", sort=False)["num_params"].first().astype(float)
    least, most = params.min(), params.max()
    if not most > UNLIKE * least > 0:
        return []
    return [
        f"Sizes differ: {params.idxmax()} has {most / least:.1f} times the parameters of {params.idxmin()}, so a "
        "difference between such variants may come from size alone."
    ]


def _correction(compared: Sequence[Difference]) -> list[str]:
    """For what the verdicts are corrected, where there was anything to correct."""
    comparisons = max((difference.num_comparisons for difference in compared), default=1)
    looks = max((difference.num_looks for difference in compared), default=1)
    if comparisons == looks == 1:
        return []
    over = f"the {comparisons} comparisons (Holm)" if comparisons > 1 else ""
    times = f"{looks} looks at numbers of seeds (Bonferroni)" if looks > 1 else ""
    return [
        f"Verdicts are corrected for {' and '.join(filter(None, (over, times)))}: if no difference were real, at most "
        f"{LEVEL:.0%} of such studies would call any real. The intervals are those of each comparison alone, so one "
        "may leave out 0 and its verdict be open all the same."
    ]
