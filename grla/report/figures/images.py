"""On which images a variant wins or loses: paired differences image by image, the data (a frame), then the drawing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from grla.report.figures.canvas import line_style, list_rows, panels, point_mark
from grla.report.figures.levels import level_data
from grla.report.results import Results

WHITE = {"facecolor": "white", "edgecolor": "none", "pad": 0.5}
FEW = 24
"""Of up to so many images, those with the smallest and the largest difference are named, left and right."""


def image_difference_data(results: Results) -> pd.DataFrame:
    """A row per compared variant and image: group, label, test_set, image, difference, low, high (dB).

    `difference` is PSNR-Y minus that of the group's base, mean over their common seeds; low and high are the smallest
    and the largest over these seeds. An image without a finite difference is left out.
    """
    keys = ["test_set", "image", "seed"]
    rows = []
    images = results.images
    for group in results.layout.groups():
        base = images[images["variant"] == group.base].set_index(keys)["psnr_y"]
        for label, variant in group.rows:
            mine = images[images["variant"] == variant].set_index(keys)["psnr_y"]
            pairs = (mine - base).replace([np.inf, -np.inf], np.nan).dropna()
            if variant == group.base or pairs.empty:
                continue
            found = pairs.groupby(keys[:2], sort=False).agg(difference="mean", low="min", high="max").reset_index()
            rows.append(found.assign(group=group.title, label=label))
    columns = ["group", "label", "test_set", "image", "difference", "low", "high"]
    return pd.concat(rows, ignore_index=True)[columns] if rows else pd.DataFrame(columns=columns)


def image_differences_figure(results: Results) -> Figure:
    """A row per compared variant: a dot per image, one colour per test set, and the mean with its 95 % interval.

    Thin lines span the seeds; of few images those with the least and the largest difference are named at the ends.
    """
    data = image_difference_data(results)
    means = level_data(results).set_index(["group", "label"])
    groups = list(data.groupby("group", sort=False))
    heights = [rows["label"].nunique() + 0.5 for _, rows in groups] or [1.0]
    figure, axes = panels(heights, 1, (9.5, 1.3 + 0.75 * sum(heights) + 0.35 * len(heights)))
    sets = list(dict.fromkeys(data["test_set"]))
    for panel, (title, rows) in zip(axes, groups, strict=False):
        labels = list(dict.fromkeys(rows["label"]))
        panel.axvline(0, color="black", linewidth=0.8, zorder=1)
        for y, label in enumerate(labels):
            _draw_images(panel, y, rows[rows["label"] == label], sets)
            mean = means.loc[(title, label)]
            panel.plot([mean["low"], mean["high"]], [y, y], color="black", linewidth=2.2, zorder=4)
            panel.plot(mean["difference"], y, "D", color="black", zorder=5)
        list_rows(panel, str(title), labels)
        panel.margins(x=0.12)
        panel.sharex(axes[0])
    axes[-1].set_xlabel("PSNR-Y of an image, paired difference to the base (dB)")
    marks = [point_mark(line_style(index)[0], "o", str(name), markersize=5) for index, name in enumerate(sets)]
    marks.append(Line2D([], [], color="black", marker="D", label="mean over images (95 % interval)"))
    figure.legend(handles=marks, loc="outside upper left", ncols=4, frameon=False, fontsize=9)
    return figure


def _draw_images(panel: Axes, y: int, rows: pd.DataFrame, sets: list[str]) -> None:
    """The images of one variant below and above its mean, each test set on a line of its own."""
    places = y + (np.linspace(0.18, 0.38, len(sets)) if len(sets) > 1 else np.array([0.28]))
    for index, (name, place) in enumerate(zip(sets, places, strict=True)):
        mine, (colour, _) = rows[rows["test_set"] == name], line_style(index)
        panel.hlines([place] * len(mine), mine["low"], mine["high"], color=colour, linewidth=0.8, alpha=0.5)
        panel.plot(mine["difference"], [place] * len(mine), "o", color=colour, markersize=5, alpha=0.7)
    if len(rows) <= FEW:
        ordered = rows.sort_values("difference", kind="stable")["image"].to_list()
        beside: dict[str, Any] = {"y": places.mean(), "va": "center", "fontsize": 9, "bbox": WHITE, "zorder": 1.5}
        panel.text(rows["low"].min(), s=f" {ordered[0]} ", ha="right", **beside)
        panel.text(rows["high"].max(), s=f" {ordered[-1]} ", ha="left", **beside)
