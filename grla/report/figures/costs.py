"""PSNR-Y against cost: the data (a frame), then the drawing."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from numpy.typing import ArrayLike, NDArray

from grla.report.figures.canvas import GRAY, PSNR, panels, plain_ticks, point_style
from grla.report.figures.levels import level_data
from grla.report.results import Results
from grla.study import BASE

COSTS = ("macs_g", "latency_ms", "params_k")


def cost_data(results: Results) -> pd.DataFrame:
    """A row per variant with a finished cell: variant, panel, name, psnr_y, low, high (dB), COSTS, on_front_COST.

    Numbers are means over its cells; `panel` is that of its group, `name` the variant's within the panel. [low, high]
    is the 95 % interval of the paired difference, from the base's mean; NaN for a base. `on_front_COST` says that none
    in the panel is as good at a lower cost.
    """
    layout, cells = results.layout, results.cells
    finished = cells[cells["outcome"] == "ok"].assign(macs_g=lambda rows: rows["macs"] / 1e9)
    finished = finished.assign(params_k=finished["num_params"] / 1e3)
    means = finished.groupby("variant")[["psnr_y", *COSTS]].mean()
    means = means.reindex([v for v in layout.variants() if v in means.index]).rename_axis("variant").reset_index()
    groups = {variant: group for group in layout.groups() for _, variant in group.rows}
    means["panel"] = [groups[variant].panel for variant in means["variant"]]
    means["name"] = [_point_name(variant, groups[variant].base) for variant in means["variant"]]
    found = level_data(results).drop_duplicates("variant").set_index("variant")
    scores = means.set_index("variant")["psnr_y"]
    base = np.array([scores.get(groups[variant].base, np.nan) for variant in means["variant"]])
    for end in ("low", "high"):
        means[end] = base + found.loc[means["variant"], end].to_numpy()
    means.loc[means["name"] == BASE, ["low", "high"]] = np.nan
    for cost in COSTS:
        fronts = [
            pd.Series(pareto_front(rows[cost].to_numpy(), rows["psnr_y"].to_numpy()), rows.index)
            for _, rows in means.groupby("panel")
        ]
        means[f"on_front_{cost}"] = pd.concat(fronts) if fronts else False
    names = ["variant", "panel", "name", "psnr_y", "low", "high", *COSTS, *(f"on_front_{cost}" for cost in COSTS)]
    return means[names]


def pareto_front(cost: ArrayLike, quality: ArrayLike) -> NDArray[np.bool_]:
    """Which points, of costs and qualities (n,), no other beats: as good at a lower cost, or better at an equal one.

    A point without a cost or a quality is not on the front.
    """
    x, y = np.asarray(cost, dtype=np.float64), np.asarray(quality, dtype=np.float64)
    better = (x[None] <= x[:, None]) & (y[None] >= y[:, None]) & ((x[None] < x[:, None]) | (y[None] > y[:, None]))
    return np.asarray(~better.any(axis=1) & np.isfinite(x) & np.isfinite(y))


def cost_figure(results: Results) -> Figure:
    """PSNR-Y against multiply-adds, latency and parameters: a mark per variant (base black), Pareto front, intervals.

    The costs refer to the base run's `count_output` and `latency_input`. Panels of a study that must not be compared
    have a row of axes each. Axes of costs are logarithmic.
    """
    data, cost = cost_data(results), results.base["cost"]
    names = list(dict.fromkeys(group.panel for group in results.layout.groups()))
    points = list(dict.fromkeys(data["name"]))
    height = max(3.4, (0.7 + 0.21 * len(points)) / len(names))
    figure, axes = panels([1.0] * len(names), len(COSTS), (12.5, height * len(names)))
    (high, wide), (latency_high, latency_wide) = cost["count_output"], cost["latency_input"]
    titles = (
        f"G MACs for an output of {wide}x{high}",
        f"latency (ms), LR input {latency_wide}x{latency_high}",
        "parameters (K)",
    )
    for index, (name, column) in enumerate(itertools.product(names, COSTS)):
        _draw_costs(axes[index], data[data["panel"] == name], column, points)
        axes[index].set(title=name, xlabel=titles[index % len(COSTS)])
        axes[index].set_ylabel(f"{PSNR}, mean over images" if index % len(COSTS) == 0 else "")
    handles = [Line2D([], [], linestyle="", label=name, **_mark(points, name)) for name in points]
    handles.append(Line2D([], [], color=GRAY, linestyle="--", linewidth=1, label="Pareto front"))
    handles.append(Line2D([], [], color=GRAY, linewidth=1, label="95 % interval of the\ndifference to the base"))
    figure.legend(handles=handles, loc="outside right center", frameon=False, fontsize=9)
    return figure


def _point_name(variant: str, base: str) -> str:
    return BASE if variant == base else variant.removeprefix(f"{base}, ")


def _mark(points: list[str], name: str) -> dict[str, Any]:
    """Colour and shape of a point, the same in all panels."""
    colour, marker = point_style(points.index(name))
    return {"color": "black" if name == BASE else colour, "marker": marker}


def _draw_costs(panel: Axes, data: pd.DataFrame, column: str, points: list[str]) -> None:
    rows = data.dropna(subset=[column, "psnr_y"])
    front = rows[rows[f"on_front_{column}"]].sort_values(column)
    panel.plot(front[column], front["psnr_y"], "--", color=GRAY, linewidth=1, drawstyle="steps-post", zorder=2)
    for row in rows[::-1].to_dict("records"):  # the base last, on top of the others
        mark = _mark(points, row["name"])
        panel.plot([row[column]] * 2, [row["low"], row["high"]], color=mark["color"], linewidth=1.2, alpha=0.6)
        panel.plot(row[column], row["psnr_y"], markersize=7, zorder=3, **mark)
    panel.set_xscale("log")
    panel.margins(0.1)
    if len(rows) and rows[column].max() < 1.02 * rows[column].min():  # avoid a logarithmic axis of a few percent
        middle = rows[column].mean()
        panel.set_xlim(0.7 * middle, 1.4 * middle)
    plain_ticks(panel)
