"""PSNR-Y against cost, and training curves: of each the data (a frame, tested without drawing), then the drawing.

Needs the frames of `grla.report.load`: `cells` (a row per cell) and `curves` (a row per validation).
"""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from grla.report.canvas import PALETTE, PSNR, label_points, line_style, panels, plain_ticks
from grla.report.layout import BASE, Layout

COSTS = ("macs_g", "latency_ms")


def cost_data(layout: Layout, cells: pd.DataFrame) -> pd.DataFrame:
    """One row per variant with a finished cell: variant, panel, name, psnr_y (dB), macs_g, latency_ms.

    Numbers are means over its cells; `panel` is that of its group, `name` the variant's within the panel.
    """
    finished = cells[cells["outcome"] == "ok"]
    means = finished.groupby("variant")[["psnr_y", "macs", "latency_ms"]].mean()
    means = means.reindex([v for v in layout.variants() if v in means.index]).rename_axis("variant").reset_index()
    means["macs_g"] = means["macs"] / 1e9
    groups = {variant: group for group in layout.groups() for _, variant in group.rows}
    means["panel"] = [groups[variant].panel for variant in means["variant"]]
    means["name"] = [_point_name(variant, groups[variant].base) for variant in means["variant"]]
    return means[["variant", "panel", "name", "psnr_y", "macs_g", "latency_ms"]]


def curve_data(layout: Layout, curves: pd.DataFrame) -> pd.DataFrame:
    """Validation PSNR-Y in dB along training: group, label, step, mean, low, high (over the seeds still running).

    Seeds are joined by the number of the validation, not by step: with a budget in minutes their steps differ.
    """
    ordered = curves.sort_values("step", kind="stable")
    ordered = ordered.assign(validation=ordered.groupby("cell_hash").cumcount())
    frames = []
    for group in layout.groups():
        for label, variant in group.rows:
            validations = ordered[ordered["variant"] == variant].groupby("validation")
            frame = validations["val_psnr_y"].agg(mean="mean", low="min", high="max")
            frames.append(frame.assign(group=group.title, label=label, step=validations["step"].mean()))
    joined: pd.DataFrame = pd.concat(frames, ignore_index=True)
    return joined[["group", "label", "step", "mean", "low", "high"]]


def cost_figure(layout: Layout, cells: pd.DataFrame, cost: Mapping[str, Sequence[int]]) -> Figure:
    """PSNR-Y against multiply-adds and against latency, a labelled point per variant (base black), logarithmic cost.

    `cost` is the base run's cost spec: the costs refer to its `count_output` and `latency_input`, (height, width) in
    pixels. Panels of a study that must not be compared have a row of axes each.
    """
    data = cost_data(layout, cells)[::-1]  # the base last, on top of the others
    names = list(dict.fromkeys(group.panel for group in layout.groups()))
    longest = data["name"].str.len().max() if len(data) else 0
    tallest = data.groupby("panel").size().max() if len(data) else 0
    size = (2 * (5 + 0.08 * longest), max(4.5, 1 + 0.26 * tallest) * len(names))
    figure, axes = panels([1.0] * len(names), len(COSTS), size)
    (high, wide), (latency_high, latency_wide) = cost["count_output"], cost["latency_input"]
    titles = (
        f"multiply-adds (G MACs) for an output of {wide}x{high}",
        f"latency (ms), LR input {latency_wide}x{latency_high}",
    )
    for index, (name, column) in enumerate(itertools.product(names, COSTS)):
        _draw_costs(axes[index], data[data["panel"] == name], column)
        axes[index].set(title=name, xlabel=titles[index % len(COSTS)])
    return figure


def curves_figure(layout: Layout, curves: pd.DataFrame) -> Figure:
    """Validation PSNR-Y against step, a panel per group, a line per level: mean over seeds, band from low to high.

    The PSNR axis spans the last three quarters of training, so that the steep start does not flatten the rest.
    """
    data = curve_data(layout, curves)
    groups = list(data.groupby("group", sort=False))
    num_columns = max(1, min(len(groups), 3))
    heights = [1.0] * max(1, -(-len(groups) // num_columns))
    longest = max((rows["label"].nunique() for _, rows in groups), default=0)
    size = (max(6.5, 4.6 * num_columns), (3.8 + 0.2 * longest) * len(heights))
    figure, axes = panels(heights, num_columns, size)
    for panel, (title, rows) in zip(axes, groups, strict=False):
        _draw_curves(panel, rows)
        panel.set(title=title, xlabel="training step", ylabel=f"validation {PSNR}")
        panel.legend(fontsize=9, loc="upper left", bbox_to_anchor=(0, -0.17), frameon=False)
    for unused in axes[len(groups) :]:
        unused.set_axis_off()
    return figure


def _point_name(variant: str, base: str) -> str:
    return BASE if variant == base else variant.removeprefix(f"{base}, ")


def _draw_costs(panel: Axes, data: pd.DataFrame, column: str) -> None:
    rows = data.dropna(subset=[column, "psnr_y"])
    colours = ["black" if name == BASE else PALETTE[0] for name in rows["name"]]
    panel.scatter(rows[column], rows["psnr_y"], c=colours, s=36, zorder=3)
    panel.set(xscale="log", ylabel=f"{PSNR}, mean over images and seeds")
    panel.margins(0.08)
    plain_ticks(panel)
    label_points(panel, list(zip(rows[column], rows["psnr_y"], rows["name"], strict=True)))


def _draw_curves(panel: Axes, rows: pd.DataFrame) -> None:
    for index, (label, line) in enumerate(rows.groupby("label", sort=False)):
        colour, dashes = line_style(index)
        panel.plot(line["step"], line["mean"], label=str(label), linewidth=1.6, color=colour, linestyle=dashes)
        panel.fill_between(line["step"], line["low"], line["high"], color=colour, alpha=0.12, linewidth=0)
    late = rows.loc[rows["step"] >= rows["step"].max() / 4, ["low", "high"]]
    low, high = float(late["low"].min()), float(late["high"].max())
    if high > low:
        panel.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))
