"""PSNR-Y by level of each factor, and the differences to the base: the data (a frame), then the drawing.

Needs the frames of `grla.report.results`: `cells` (a row per cell) and `images` (a row per image and cell, baselines
included). Where a study has many rows the figures grow in height.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from grla.report.figures.canvas import BASELINE_DASHES, GRAY, PALETTE, PSNR, Colour, list_rows, panels, point_mark
from grla.report.results import Results
from grla.report.tables import baseline_rows, outcomes, trained_rows
from grla.study import BASE

VERDICT_COLOURS: dict[str, Colour | str] = {
    "better": PALETTE[0],
    "worse": PALETTE[3],
    "not distinguishable": GRAY,
    BASE: "black",
}


def level_data(results: Results) -> pd.DataFrame:
    """One row per group and level: group, label, variant, mean, difference, low, high, verdict, num_seeds, failures.

    `mean` is PSNR-Y in dB over images and seeds; `difference` (dB, with its 95 % interval low, high) the paired one to
    the group's base over `num_seeds` common seeds, 0 for the base itself, NaN where nothing was compared; `failures`
    says in words what did not finish.
    """
    found = results.differences
    scores = seed_data(results.images).groupby("variant")["psnr_y"]
    means, counts = scores.mean(), scores.size()
    rows = []
    for group in results.layout.groups():
        for label, variant in group.rows:
            d = found.get(variant)
            numbers = (d.mean, d.low, d.high, d.verdict) if d else (0.0, 0.0, 0.0, BASE)
            num_seeds = d.num_seeds if d else int(counts.get(variant, 0))
            failures = outcomes(results.cells[results.cells["variant"] == variant])
            rows.append((group.title, label, variant, means.get(variant, np.nan), *numbers, num_seeds, failures))
    names = ["group", "label", "variant", "mean", "difference", "low", "high", "verdict", "num_seeds", "failures"]
    return pd.DataFrame(rows, columns=names)


def seed_data(images: pd.DataFrame) -> pd.DataFrame:
    """PSNR-Y in dB, mean over images, of every trained variant and seed: variant, seed, psnr_y."""
    return trained_rows(images).groupby(["variant", "seed"], sort=False)[["psnr_y"]].mean().reset_index()


def baseline_data(results: Results) -> pd.DataFrame:
    """PSNR-Y in dB, mean over images, of every baseline beside each group: group, variant, psnr_y."""
    rows = [
        (group.title, variant, scores["psnr_y"].mean())
        for group in results.layout.groups()
        for variant, scores in baseline_rows(results.images, group).groupby("variant", sort=False)
    ]
    return pd.DataFrame(rows, columns=["group", "variant", "psnr_y"])


def levels_figure(results: Results) -> Figure:
    """PSNR-Y by level, a panel per group: seeds as light points, means, intervals, baselines and base as lines.

    The interval is that of the paired difference, drawn from the base's mean: it crosses the base's line where it
    covers 0. The spread of PSNR itself over images would only say that some pictures are harder than others.
    Panels of a study that must not be compared have x axes of their own.
    """
    data, seeds, baselines = level_data(results), seed_data(results.images), baseline_data(results)
    groups = results.layout.groups()
    figure, axes = _level_panels(data, [group.panel for group in groups], f"{PSNR}, mean over images")
    for panel, group in zip(axes, groups, strict=True):
        base = float(seeds.loc[seeds["variant"] == group.base, "psnr_y"].mean())
        rows = data[data["group"] == group.title]
        beside = baselines.loc[baselines["group"] == group.title, "psnr_y"]
        for dashes, psnr_y in zip(BASELINE_DASHES, beside, strict=False):
            panel.axvline(psnr_y, color=GRAY, linestyle=dashes, linewidth=1)
        panel.axvline(base, color="black", linewidth=0.8)
        for y, row in enumerate(rows.itertuples()):
            points = seeds.loc[seeds["variant"] == row.variant, "psnr_y"]
            panel.plot(points, np.full(len(points), y + 0.25), "o", color=PALETTE[9], markersize=5, alpha=0.7)
            _draw_interval(panel, y, row, base)
    named = zip(BASELINE_DASHES, baselines["variant"].unique(), strict=False)
    extra = [
        point_mark(PALETTE[9], "o", "one seed", markersize=5),
        *(Line2D([], [], color=GRAY, linestyle=dashes, label=name) for dashes, name in named),
        Line2D([], [], color="black", linewidth=0.8, label="base, mean over seeds"),
    ]
    _legend(figure, data, extra)
    return figure


def gain_figure(results: Results) -> Figure:
    """Paired difference to the base with its 95 % interval, a panel per group, coloured by verdict."""
    data = level_data(results)
    same_axis = [""] * len(results.layout.groups())
    figure, axes = _level_panels(data, same_axis, "PSNR-Y, paired difference to the base (dB), 95 % interval")
    for panel, (_, rows) in zip(axes, data.groupby("group", sort=False), strict=True):
        panel.axvline(0, color="black", linewidth=0.8)
        for y, row in enumerate(rows.itertuples()):
            _draw_interval(panel, y, row, 0.0)
    _legend(figure, data, [])
    return figure


def _level_panels(data: pd.DataFrame, scales: Sequence[str], xlabel: str) -> tuple[Figure, list[Axes]]:
    """A panel per group with its levels from top to bottom; neighbours of equal `scales` share the x axis."""
    groups = list(data.groupby("group", sort=False))
    heights = [len(rows) + 0.5 for _, rows in groups]
    num_scales = len(set(scales))
    figure, axes = panels(heights, 1, (8.5, 1.4 + 0.36 * sum(heights) + 0.35 * len(groups) + 0.2 * num_scales))
    for index, (panel, (title, rows)) in enumerate(zip(axes, groups, strict=True)):
        names = [_level_name(row) for row in rows.itertuples()]
        list_rows(panel, str(title), names)
        panel.sharex(axes[scales.index(scales[index])])
        panel.tick_params(labelbottom=scales[index] not in scales[index + 1 :])
    axes[-1].set_xlabel(xlabel)
    return figure, axes


def _level_name(row: Any) -> str:
    name = f"{row.label} (base)" if row.verdict == BASE else str(row.label)
    return "\n".join(part for part in (name, row.failures) if part)


def _draw_interval(panel: Axes, y: int, row: Any, origin: float) -> None:
    """The mean of a level and its interval; hollow if from one seed; no mark without a finished or common seed."""
    if row.num_seeds == 0:
        return
    colour = VERDICT_COLOURS[row.verdict]
    if row.high > row.low:
        panel.plot([origin + row.low, origin + row.high], [y, y], color=colour, linewidth=2.2, solid_capstyle="butt")
    panel.plot(origin + row.difference, y, "D", color=colour, mfc="white" if _single(row) else colour, zorder=4)


def _single(row: Any) -> bool:
    return bool(row.num_seeds == 1 and row.verdict != BASE)


def _legend(figure: Figure, data: pd.DataFrame, extra: list[Line2D]) -> None:
    names = {BASE: "base", **{name: f"{name} (95 % interval)" for name in VERDICT_COLOURS if name != BASE}}
    shown = [name for name in VERDICT_COLOURS if name in set(data["verdict"])]
    marks = [Line2D([], [], color=VERDICT_COLOURS[v], marker="D", markersize=6, label=names[v]) for v in shown]
    if any(_single(row) for row in data.itertuples()):
        marks.append(point_mark(GRAY, "D", "hollow: one seed, seeds not sampled", markerfacecolor="white"))
    figure.legend(handles=marks + extra, loc="outside upper left", ncols=3, frameon=False, fontsize=9)
