"""A sweep over numbers of tokens: lines of time and memory, and what each pass reaches under the machine's roofs.

The data is the record of `run_benchmark.py scaling`.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from grla.report.figures.canvas import PALETTE, label_points, line_marks, line_style, panels, plain_ticks, point_mark

Record = dict[str, Any]

LINE = ["kind", "name", "passes"]
"""The columns that name a line: a subject and a kind of pass."""
QUANTITIES = {"median_ms": "time (ms)", "memory_mib": "growth of memory (MiB)"}
ENDS = {"stopped at the time limit": "x", "out_of_memory": "s", "error": "D"}


def scaling_figure(record: Record, kind: str) -> Figure:
    """Time and memory (rows) of all kernels or networks (`kind`) against tokens, a column per kind of pass.

    Axes are logarithmic, so a law is a straight line. A mark at a line's end says how the next size ended.
    """
    points = pd.DataFrame(record["points"])
    points = points[points["kind"] == kind]
    names, passes, sizes = (list(points[column].unique()) for column in ("name", "passes", "tokens"))
    figure, axes = panels([1.0] * len(QUANTITIES), len(passes), (11.0, 8.0))
    for index, panel in enumerate(axes):
        if index % len(passes):
            panel.sharey(axes[index - 1])
        column, which = list(QUANTITIES)[index // len(passes)], passes[index % len(passes)]
        _draw_lines(panel, points[points["passes"] == which], column, names)
        panel.set(xscale="log", yscale="log", title=which, ylabel=QUANTITIES[column])
        panel.set(xlim=(sizes[0] / 1.4, sizes[-1] * 1.4), xlabel="tokens" if kind == "kernel" else "LR pixels")
        panel.set_xticks(sizes, [f"{size:,}" for size in sizes], fontsize=9)
        panel.set_xticks([], minor=True)
        plain_ticks(panel, "y")
    ends = points.loc[points["outcome"] != "ok", "outcome"].unique()
    marks = [point_mark("black", ENDS[end], f"next size: {end.replace('_', ' ')}") for end in ends]
    figure.legend(handles=line_marks(names) + marks, loc="outside right upper", frameon=False, fontsize=9)
    return figure


def roofline_data(record: Record) -> pd.DataFrame:
    """Of each subject and kind of pass the largest size that was measured, with its `intensity`: FLOP per useful byte.

    What has no multiply-adds is left out.
    """
    points = pd.DataFrame(record["points"]).dropna(subset=["gflop_per_s"])
    points = points[points["macs"] > 0].groupby(LINE, sort=False).last().reset_index()
    return points.assign(intensity=2 * points["macs"] / points["useful_bytes"])


def roofline_figure(record: Record) -> Figure:
    """GFLOP/s of each forward pass against FLOP per byte of useful traffic, under the measured roofs.

    A point is the largest size that was measured of a kernel or network, labelled with its tokens and with its time
    over the least that the roofs allow. What has no multiply-adds is not shown.
    """
    points = roofline_data(record)
    figure, (panel,) = panels([1.0], 1, (9.0, max(5.0, 1.5 + 0.26 * len(points))))
    _draw_roofs(panel, points["intensity"], record["roofs"])
    for kind, marker, colour in (("kernel", "o", PALETTE[0]), ("network", "s", PALETTE[1])):
        shown = points[points["kind"] == kind]
        if len(shown):
            panel.plot(shown["intensity"], shown["gflop_per_s"], marker, color=colour, label=f"{kind}, forward")
    panel.set(xlabel="FLOP per byte of useful traffic", ylabel="GFLOP/s")
    panel.set_title("labels: time over the least that the roofs allow", fontsize=10)
    plain_ticks(panel, "y")
    about = zip(points["name"], points["tokens"], points["times_roof"], strict=True)
    names = [f"{name}, {tokens:,} tokens: {times:.2g}" for name, tokens, times in about]
    label_points(panel, list(zip(points["intensity"], points["gflop_per_s"], names, strict=True)))
    figure.legend(loc="outside upper left", ncols=3, frameon=False, fontsize=9)
    return figure


def _draw_roofs(panel: Axes, intensities: pd.Series[float], roofs: Record) -> None:
    """What a pass of each intensity reaches at best: the copy's rate on the slope, the matrix product's on the flat."""
    copy, sgemm = roofs["copy_gb_per_s"], roofs["sgemm_gflop_per_s"]
    seen = [sgemm / copy, *intensities]
    x = np.array([min(seen) / 3, sgemm / copy, max(seen) * 2])
    label = f"roofs: copy {copy:.3g} GB/s, sgemm {sgemm:.3g} GFLOP/s"
    panel.plot(x, np.minimum(copy * x, sgemm), color="black", label=label)
    panel.set(xscale="log", yscale="log", xlim=(x[0], x[-1]))


def _draw_lines(panel: Axes, points: pd.DataFrame, column: str, names: list[str]) -> None:
    for index, name in enumerate(names):
        mine = points[points["name"] == name]
        line = mine[mine[column] > 0]
        colour, dashes = line_style(index)
        panel.plot(line["tokens"], line[column], color=colour, linestyle=dashes, marker=".", linewidth=1.4)
        failed = mine.loc[mine["outcome"] != "ok", "outcome"]
        if len(failed):
            end = line.iloc[-1:]
            panel.scatter(end["tokens"], end[column], s=60, marker=ENDS[failed.iloc[0]], color=colour)
