"""How large gradients are from part to part of the network: where they could vanish or explode."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from grla.report.figures.canvas import line_style, panels
from grla.report.results import Results
from grla.study import GRADIENT_NORM


def gradient_data(results: Results) -> pd.DataFrame:
    """One row per group, level and part of the model: group, label, part, norm.

    `norm` is the gradient's norm in that part, geometric mean over validations and seeds; parts keep their order in the
    model.
    """
    rows = []
    for group in results.layout.groups():
        for label, variant in group.rows:
            mine = results.curves[results.curves["variant"] == variant]
            for part in _parts(results):
                norms = pd.to_numeric(mine[GRADIENT_NORM + part]).to_numpy(np.float64)
                norms = norms[norms > 0]  # NaN where the model has no such part
                if norms.size:
                    rows.append((group.title, group.name(label, variant), part, float(np.exp(np.log(norms).mean()))))
    return pd.DataFrame(rows, columns=["group", "label", "part", "norm"])


def gradients_figure(results: Results) -> Figure:
    """Gradient norm by part of the model, a line per level and a panel per group."""
    data = gradient_data(results)
    groups = list(data.groupby("group", sort=False))
    longest = max((rows["label"].nunique() for _, rows in groups), default=1)
    figure, axes = panels([1.0] * max(1, len(groups)), 1, (8.5, (3.4 + 0.12 * longest) * max(1, len(groups))))
    for panel, (title, rows) in zip(axes, groups, strict=False):
        _draw(panel, rows, [part for part in _parts(results) if part in set(rows["part"])])
        panel.set(title=title, ylabel="gradient norm", yscale="log")
    return figure


def _parts(results: Results) -> list[str]:
    """The parts of the model in its order, which is that of the columns, whatever parts a level lacks."""
    names = map(str, results.curves.columns)
    return [name.removeprefix(GRADIENT_NORM) for name in names if name.startswith(GRADIENT_NORM)]


def _draw(panel: Axes, rows: pd.DataFrame, parts: list[str]) -> None:
    for index, (label, line) in enumerate(rows.groupby("label", sort=False)):
        colour, dashes = line_style(index)
        places = [parts.index(part) for part in line["part"]]
        panel.plot(places, line["norm"], "o", linestyle=dashes, color=colour, markersize=4, label=str(label))
    panel.set_xticks(range(len(parts)), parts, rotation=30, ha="right")
    panel.legend(fontsize=9, loc="upper left", bbox_to_anchor=(1.01, 1), frameon=False)
