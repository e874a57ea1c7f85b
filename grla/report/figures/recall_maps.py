"""The picture of where networks look in the recall probe: the LR image, then a map of weights per layer; a row each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from grla.errors import InputError
from grla.report.figures.canvas import PALETTE, panels


@dataclass(frozen=True)
class MapRow:
    """A network's name and its layers: (title, weights (p, p))."""

    name: str
    layers: tuple[tuple[str, NDArray[np.float64]], ...]


def recall_maps_figure(
    lr: NDArray[np.uint8], query: tuple[int, int], answers: NDArray[np.bool_], rows: Sequence[MapRow]
) -> Figure:
    """`lr` uint8 (p, p, 3) with the `query` pixel and the pixels that hold the `answers`, then each row's maps.

    Weights are drawn from minus to plus the largest of each map: orange is positive, purple negative. No row is an
    InputError.
    """
    if not rows:
        raise InputError("a figure of recall maps needs at least one network")
    num_columns = 1 + max(len(row.layers) for row in rows)
    figure, axes = panels([1.0] * len(rows), num_columns, (2.1 * num_columns + 0.6, 2.3 * len(rows) + 0.4))
    for panel in axes:
        panel.set(xticks=[], yticks=[])
        panel.grid(visible=False)
        panel.set_frame_on(False)
    for index, row in enumerate(rows):
        places = axes[index * num_columns : (index + 1) * num_columns]
        places[0].imshow(lr, interpolation="nearest")
        places[0].set_ylabel(row.name, fontsize=10)
        for panel, (title, weights) in zip(places[1:], row.layers, strict=False):
            largest = float(np.abs(weights).max()) or 1.0
            panel.imshow(weights, cmap="PuOr_r", vmin=-largest, vmax=largest, interpolation="nearest")
            panel.set_title(title, fontsize=9)
        for panel in places:
            _mark(panel, query, answers)
    figure.supxlabel("blue: the query, a blanked pixel; black: intact copies of its pair", fontsize=9)
    return figure


def _mark(panel: Axes, query: tuple[int, int], answers: NDArray[np.bool_]) -> None:
    for row, column in np.argwhere(answers):
        panel.add_patch(Rectangle((column - 0.5, row - 0.5), 1, 1, fill=False, edgecolor="black", linewidth=0.8))
    corner = (query[1] - 0.5, query[0] - 0.5)
    panel.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor=PALETTE[0], linewidth=1.8))
