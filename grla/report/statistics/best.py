"""Which rows of a table are the best and the second best, ties counted as ties.

The best is the variant with the highest mean and every one that cannot be told from it: the interval of their paired
difference covers 0, corrected for the others. The second is the highest of the rest and every one of the rest that
cannot be told from that. The verdicts of one such round hold together in 95 of 100 studies (Holm), as the highest was
picked by looking. Baselines do not compete.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import pandas as pd

from grla.report.statistics.verdicts import corrected, differences_to_base
from grla.report.tables import METRICS
from grla.study import Group

Mark = Literal["best", "second"]
Marks = dict[tuple[str, str], Mark]
"""From (row, column) of a table as it is shown to its mark."""


def table_marks(group: Group, images: pd.DataFrame) -> Marks:
    """The marks of a `group_table`: PSNR-Y over all images and by test set, and SSIM-Y."""
    mine = images[images["variant"].isin([variant for _, variant in group.rows])]
    sets = list(dict.fromkeys(mine["test_set"]))
    columns = {"PSNR-Y dB": (mine, "psnr_y"), METRICS["ssim_y"][0]: (mine, "ssim_y")}
    if len(sets) > 1:
        columns |= {f"{name} dB": (mine[mine["test_set"] == name], "psnr_y") for name in sets}
    names = {variant: group.name(label, variant) for label, variant in group.rows}
    return {
        (names[variant], column): mark
        for column, (rows, metric) in columns.items()
        if rows[metric].notna().any()
        for variant, mark in best_and_second(rows, list(names), metric).items()
    }


def best_and_second(images: pd.DataFrame, variants: Sequence[str], metric: str) -> dict[str, Mark]:
    """The marks of `variants` by a `metric` of which more is better; one alone has none.

    `images` has a row per variant, seed and image, as `paired_difference` needs.
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
