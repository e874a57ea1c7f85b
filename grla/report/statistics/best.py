"""The marks of a table as it is shown: the best and the second best, ties counted as ties. Baselines do not compete."""

from __future__ import annotations

import pandas as pd

from grla.report.statistics.verdicts import Mark, best_and_second
from grla.report.tables import METRICS
from grla.study import Group

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
