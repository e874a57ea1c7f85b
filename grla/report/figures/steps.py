"""Scores of a study of several budgets against steps, state size and multiply-adds: the data, then the drawing."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from grla.report.figures.canvas import PSNR, line_style, panels, plain_ticks, point_style
from grla.report.results import Results
from grla.report.statistics.bootstrap import crossed_interval
from grla.study import Group, Layout

BUDGET = "train.budget"


def steps_data(results: Results) -> pd.DataFrame:
    """One row per label and number of steps that has a finished cell: label, steps, psnr, low, high, state, macs.

    `psnr` is PSNR-Y (dB), mean over images and seeds, with its 95 % interval for other seeds and images. `state` is how
    many numbers a linear kernel keeps of an image in one layer, features x channels of the values; NaN for kernels that
    keep all tokens. `macs` are multiply-adds of the network. No row unless the study's panels differ in the number of
    training steps alone.
    """
    names = ["label", "steps", "psnr", "low", "high", "state", "macs"]
    rows = []
    for steps, group in _by_steps(results.layout):
        for label, variant in group.rows:
            scores = results.images[results.images["variant"] == variant]
            cells = results.cells[results.cells["variant"] == variant]
            if scores.empty:
                continue
            matrix = scores.pivot(index="seed", columns=["test_set", "image"], values="psnr_y").to_numpy(np.float64)
            state = pd.to_numeric(cells["num_features"]).max() * results.base["model"]["dim"]
            macs = pd.to_numeric(cells["macs"]).max()
            rows.append((label, steps, matrix.mean(), *crossed_interval(matrix), state, macs))
    return pd.DataFrame(rows, columns=names)


def steps_figure(results: Results) -> Figure:
    """PSNR-Y against training steps, a line per label, and at the most steps against state size and multiply-adds."""
    data = steps_data(results)
    figure, (by_steps, by_state, by_macs) = panels([1.0], 3, (14, 4.8))
    for index, (label, rows) in enumerate(data.groupby("label", sort=False)):
        colour, dashes = line_style(index)
        by_steps.plot(rows["steps"], rows["psnr"], marker="o", color=colour, linestyle=dashes, label=str(label))
        by_steps.fill_between(rows["steps"], rows["low"], rows["high"], color=colour, alpha=0.12, linewidth=0)
        last = rows[rows["steps"] == data["steps"].max()]
        for panel, column, scale in ((by_state, "state", 1.0), (by_macs, "macs", 1e-9)):
            _draw_point(panel, index, last[column] * scale, last)
    by_steps.set(xlabel="training steps", ylabel=f"{PSNR}, 95 % interval")
    by_state.set(xlabel="numbers kept of an image, features x channels")
    by_macs.set(xlabel="multiply-adds of the network (G)")
    for panel in (by_steps, by_state, by_macs):
        panel.set_xscale("log")
        plain_ticks(panel)
        panel.sharey(by_steps)
    steps = sorted(data["steps"].unique())
    by_steps.set_xticks(steps, [f"{step:g}" for step in steps])
    by_state.set_title("linear kernels, after the most steps", fontsize=10)
    by_macs.set_title("after the most steps", fontsize=10)
    figure.legend(*by_steps.get_legend_handles_labels(), loc="outside right center", frameon=False, fontsize=9)
    return figure


def _draw_point(panel: Axes, index: int, place: pd.Series, last: pd.DataFrame) -> None:
    colour, marker = point_style(index)
    error = [last["psnr"] - last["low"], last["high"] - last["psnr"]]
    panel.errorbar(place, last["psnr"], yerr=error, color=colour, marker=marker, linestyle="")


def _by_steps(layout: Layout) -> list[tuple[float, Group]]:
    """Each group of a study whose panels differ in the number of training steps alone, with it; of others none."""
    changes = list(layout.factors[0].levels.values())
    budgets = [one[BUDGET] for one in changes if set(one) == {BUDGET}]
    steps = [one["amount"] for one in budgets if isinstance(one, dict) and one["unit"] == "steps"]
    alone = layout.design == "panels" and len(layout.factors) == 2 and len(steps) == len(changes)
    return list(zip(steps, layout.groups(), strict=True)) if alone else []
