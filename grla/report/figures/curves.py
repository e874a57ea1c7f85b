"""Training curves: the data (a frame), then the drawing."""

from __future__ import annotations

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from grla.report.figures.canvas import PALETTE, PSNR, line_style, panels
from grla.report.results import Results
from grla.study import VALIDATION_PSNR

TIMES = {"step": "training step", "seconds": "training time (s)"}


def curve_data(results: Results) -> pd.DataFrame:
    """Validation PSNR-Y in dB along training: group, label, step, seconds, mean, low, high (over seeds still running).

    Seeds are joined by the number of the validation, not by step: with a budget in minutes their steps differ. `step`
    and `seconds` of training are means over the seeds.
    """
    ordered = results.curves.sort_values("step", kind="stable")
    ordered = ordered.assign(validation=ordered.groupby("cell_hash").cumcount())
    frames = []
    for group in results.layout.groups():
        for label, variant in group.rows:
            validations = ordered[ordered["variant"] == variant].groupby("validation")
            frame = validations[VALIDATION_PSNR].agg(mean="mean", low="min", high="max")
            times = validations[list(TIMES)].mean()
            frames.append(frame.join(times).assign(group=group.title, label=label))
    joined: pd.DataFrame = pd.concat(frames, ignore_index=True)
    return joined[["group", "label", *TIMES, "mean", "low", "high"]]


def curves_figure(results: Results) -> Figure:
    """Validation PSNR-Y against step and against time, a row per group, a line per level: mean over seeds, band from
    low to high.

    The PSNR axis spans the last three quarters of training, so that the steep start does not flatten the rest.
    """
    data = curve_data(results)
    groups = list(data.groupby("group", sort=False))
    longest = max((rows["label"].nunique() for _, rows in groups), default=0)
    height = max(3.4, 0.9 + 0.22 * longest)
    figure, axes = panels([1.0] * max(1, len(groups)), len(TIMES), (11, height * max(1, len(groups))))
    for index, (title, rows) in enumerate(groups):
        for panel, (time, words) in zip(axes[2 * index : 2 * index + 2], TIMES.items(), strict=True):
            _draw_curves(panel, rows, time)
            panel.set(title=title, xlabel=words)
        axes[2 * index].set_ylabel(f"validation {PSNR}\nband: lowest to highest seed")
        axes[2 * index + 1].legend(fontsize=9, loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False)
    return figure


def cell_figure(history: pd.DataFrame) -> Figure:
    """Validation PSNR-Y and training loss of one cell against the step; `history` has a row per validation."""
    figure, axes = panels([1.0], 2, (9, 3.4))
    labels = {VALIDATION_PSNR: f"validation {PSNR}", "loss": "training loss"}
    for panel, colour, (column, label) in zip(axes, PALETTE, labels.items(), strict=False):
        panel.plot(history["step"], history[column], marker=".", color=colour)
        panel.set(xlabel=TIMES["step"], ylabel=label)
    return figure


def _draw_curves(panel: Axes, rows: pd.DataFrame, time: str) -> None:
    for index, (label, line) in enumerate(rows.groupby("label", sort=False)):
        colour, dashes = line_style(index)
        panel.plot(line[time], line["mean"], label=str(label), linewidth=1.6, color=colour, linestyle=dashes)
        panel.fill_between(line[time], line["low"], line["high"], color=colour, alpha=0.12, linewidth=0)
    late = rows.loc[rows["step"] >= rows["step"].max() / 4, ["low", "high"]]
    low, high = float(late["low"].min()), float(late["high"].max())
    if high > low:
        panel.set_ylim(low - 0.05 * (high - low), high + 0.05 * (high - low))
