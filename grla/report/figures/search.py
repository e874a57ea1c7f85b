"""The figures of a search: front, history, importances, parallel coordinates. Data: `grla.report.search`."""

from __future__ import annotations

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import MaxNLocator
from numpy.typing import NDArray

from grla.report.figures.canvas import GRAY, PALETTE, PSNR, label_points, panels, plain_ticks
from grla.report.results import TuningResults
from grla.report.search import ABSENT, NAMES, front, history, positions, ticks, trained
from grla.study import COSTS

TITLES = {
    "macs": "multiply-adds (G MACs) for an output of {output}",
    "num_params": "parameters (K)",
    "latency_ms": "latency (ms), LR input {input}",
    "peak_memory_mib": "peak memory (MiB), LR input {input}",
}
"""Of each cost, in the unit of `grla.study.COSTS`."""
MARKS = {
    "ok": ("o", PALETTE[0], "trained to the end"),
    "pruned": ("x", PALETTE[1], "stopped as hopeless, at its last validation"),
    "diverged": ("P", PALETTE[3], "diverged, at its last validation"),
}
COLOURS = "cividis"  # suits colour-vision deficiency; dark is low


def front_figure(results: TuningResults) -> Figure:
    """Validation PSNR-Y against each minimised cost, a panel each; the front joined and labelled, the base black."""
    costs = results.about["minimise"]
    figure, axes = panels([1.0], len(costs), (7.5 * len(costs), 4.8))
    for panel, cost in zip(axes, costs, strict=True):
        _draw_front(panel, results, cost)
        panel.set(xlabel=TITLES[cost].format(**_sizes(results)), ylabel=f"validation {PSNR}")
        panel.legend(fontsize=9, loc="upper left", bbox_to_anchor=(0, -0.13), ncols=3, frameon=False)
    return figure


def history_figure(results: TuningResults) -> Figure:
    """Validation PSNR-Y of every trained trial in order, by outcome, and the best so far."""
    data = history(results)
    figure, (panel,) = panels([1.0], 1, (8.0, 4.4))
    _draw_outcomes(panel, data, "trial", markersize=6)
    panel.step(data["trial"], data["best"], where="post", color="black", linewidth=1.4, label="best so far")
    refused = data["val_psnr_y"].isna()
    for trial in data.loc[refused, "trial"]:
        panel.axvline(trial, color=GRAY, linewidth=0.8, linestyle=":")
    if refused.any():
        panel.plot([], [], color=GRAY, linewidth=0.8, linestyle=":", label="not trained")
    panel.set(xlabel="trial", ylabel=f"validation {PSNR}")
    panel.xaxis.set_major_locator(MaxNLocator(integer=True))
    panel.legend(fontsize=9, loc="upper left", bbox_to_anchor=(0, -0.13), ncols=2, frameon=False)
    return figure


def importances_figure(results: TuningResults) -> Figure:
    """The share of each parameter in what tells good trials from bad ones, a panel per objective."""
    groups = list(results.importances.groupby("objective", sort=False))
    tallest = max((len(rows) for _, rows in groups), default=1)
    figure, axes = panels([1.0], max(1, len(groups)), (5.5 * max(1, len(groups)), 1.4 + 0.3 * tallest))
    for panel, (objective, rows) in zip(axes, groups, strict=False):
        shown = rows[::-1]
        panel.barh(shown["parameter"], shown["importance"], color=PALETTE[0])
        panel.set(title=f"for {NAMES[str(objective)]}", xlabel="importance (shares of 1)", xlim=(0, None))
    return figure


def parallel_figure(results: TuningResults) -> Figure:
    """Every trained trial as a line over its parameters and PSNR-Y, coloured by the latter; the base is dashed."""
    rows = trained(results).sort_values("val_psnr_y")
    parameters = results.about["parameters"]
    places = np.array([positions(one, rows[one["name"]].tolist()) for one in parameters]).reshape(len(parameters), -1)
    psnr = rows["val_psnr_y"].to_numpy(dtype=float)
    low, high = _span(psnr)
    last = (psnr - low) / (high - low)
    figure, (panel,) = panels([1.0], 1, (1.3 * (len(parameters) + 2), 4.8))
    x = np.arange(len(parameters) + 1)
    for index, place in enumerate(np.vstack([places, last]).T):
        dashes = "--" if rows["base"].iloc[index] else "-"
        colour = matplotlib.colormaps[COLOURS](last[index])
        panel.plot(x, place, color=colour, linewidth=1.6, linestyle=dashes, alpha=0.9)
    for index, parameter in enumerate(parameters):
        _label_axis(panel, index, ticks(parameter))
    _label_axis(panel, len(parameters), {0.0: f"{low:.2f}", 1.0: f"{high:.2f}"})
    if (places == ABSENT).any():
        _label_axis(panel, -0.55, {ABSENT: "absent"})
    panel.set_xticks(x, [*(_heading(one) for one in parameters), f"validation\n{PSNR}"])
    panel.set(yticks=[], xlim=(-0.6, len(parameters) + 0.6), ylim=(ABSENT - 0.08, 1.08))
    panel.grid(axis="y", visible=False)
    panel.grid(axis="x", color=GRAY, alpha=0.8)
    panel.spines[:].set_visible(False)
    handles = [Line2D([], [], color=GRAY, label="a trial"), Line2D([], [], color=GRAY, ls="--", label="the base")]
    panel.legend(handles=handles, loc="upper left", bbox_to_anchor=(0, -0.12), ncols=2, fontsize=9, frameon=False)
    return figure


def _draw_outcomes(panel: Axes, trials: pd.DataFrame, x: str, markersize: int) -> None:
    """Validation PSNR-Y of the trials that have one against their column `x`, marked by outcome."""
    for outcome, (marker, colour, label) in MARKS.items():
        rows = trials[(trials["outcome"] == outcome) & trials["val_psnr_y"].notna()]
        if len(rows):
            panel.plot(rows[x], rows["val_psnr_y"], marker, color=colour, label=label, markersize=markersize)


def _draw_front(panel: Axes, results: TuningResults, cost: str) -> None:
    factor = COSTS[cost].factor
    rows = results.trials.assign(x=results.trials[cost].astype(float) * factor)
    _draw_outcomes(panel, rows, "x", markersize=5)
    base = rows[rows["base"] & (rows["outcome"] == "ok")]
    panel.plot(base["x"], base["val_psnr_y"], "s", color="black", label="base", markersize=7)
    best = front(results).sort_values(cost)
    x, y = best[cost].astype(float) * factor, best["val_psnr_y"].astype(float)
    panel.step(x, y, where="post", color=PALETTE[0], linewidth=4, alpha=0.35, label="front", zorder=1)
    panel.set_xscale("log")
    panel.margins(0.08)
    plain_ticks(panel)
    names = [f"trial {row.trial} (base)" if row.base else f"trial {row.trial}" for row in best.itertuples()]
    label_points(panel, list(zip(x, y, names, strict=True)))


def _label_axis(panel: Axes, index: float, labels: dict[float, str]) -> None:
    """Write the labels of a vertical axis beside it, on white, so that lines do not hide them."""
    box = {"facecolor": "white", "edgecolor": "none", "alpha": 0.75, "pad": 0.6}
    for place, text in labels.items():
        panel.text(index + 0.04, place, text, fontsize=8, va="center", ha="left", bbox=box, zorder=4)


def _heading(parameter: dict[str, object]) -> str:
    return f"{parameter['name']}\n(log)" if parameter.get("log") else str(parameter["name"])


def _span(values: NDArray[np.float64]) -> tuple[float, float]:
    low, high = float(values.min()), float(values.max())
    return (low, high) if high > low else (low - 0.5, low + 0.5)


def _sizes(results: TuningResults) -> dict[str, str]:
    cost = results.about["base"]["cost"]
    names = {"output": "count_output", "input": "latency_input"}
    return {word: f"{cost[name][1]}x{cost[name][0]}" for word, name in names.items()}
