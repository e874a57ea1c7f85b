"""Maps over an LR image: which of its pixels a patch depends on, and where networks look in the recall probe.

Each figure has the LR image first and then a map per network, or per layer of one.
"""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from numpy.typing import NDArray

from grla.errors import InputError
from grla.report.figures.canvas import PALETTE, bare_panels, outline

MOST_COLUMNS = 4
LEAST = 1e-6


@dataclass(frozen=True)
class AttributionTile:
    """One network: `strengths` nonnegative (height, width) in LR pixels, and their diffusion index in [0, 100]."""

    name: str
    strengths: NDArray[np.float64]
    diffusion_index: float


@dataclass(frozen=True)
class MapRow:
    """A network's name and its layers: (title, weights (p, p))."""

    name: str
    layers: tuple[tuple[str, NDArray[np.float64]], ...]


def attribution_figure(
    lr: NDArray[np.uint8], box: tuple[float, float, float], tiles: Sequence[AttributionTile]
) -> Figure:
    """`lr` uint8 (height, width, 3) with the target `box` (top, left, size; in LR pixels), then a map per network.

    Each map is divided by its largest value and drawn on a logarithmic scale of six decades, as attributions fall off
    fast; smaller values are drawn black. Raises InputError without a tile.
    """
    if not tiles:
        raise InputError("an attribution figure needs at least one map")
    num_columns = min(len(tiles) + 1, MOST_COLUMNS)
    num_rows = -(-(len(tiles) + 1) // num_columns)
    tall, width = lr.shape[0] / lr.shape[1], 2.6
    size = (width * num_columns + 1.4, (width * tall + 0.7) * num_rows)
    figure, axes = bare_panels([1.0] * num_rows, num_columns, size)
    axes[0].imshow(lr, interpolation="nearest")
    axes[0].set_title("LR and target", fontsize=10)
    for panel, tile in zip(axes[1:], tiles, strict=False):
        largest = float(tile.strengths.max()) or 1.0
        shares = np.maximum(tile.strengths / largest, LEAST)
        image = panel.imshow(shares, cmap="inferno", norm=LogNorm(LEAST, 1), interpolation="nearest")
        name = "\n".join(textwrap.shorten(line, 34, placeholder="...") for line in tile.name.splitlines())
        panel.set_title(f"{name}\nDI {tile.diffusion_index:.2f}", fontsize=9)
    for panel in axes[: len(tiles) + 1]:
        outline(panel, box, "white", 2.2)
        outline(panel, box, PALETTE[0], 1.2)
    figure.colorbar(image, ax=axes, label="attribution / its largest", shrink=0.8)
    return figure


def recall_maps_figure(
    lr: NDArray[np.uint8], queries: NDArray[np.bool_], answers: NDArray[np.bool_], rows: Sequence[MapRow]
) -> Figure:
    """`lr` uint8 (p, p, 3) with the pixels that ask, `queries`, and those that hold the `answers`, then the rows' maps.

    Weights are drawn from minus to plus the largest of each map: orange is positive, purple negative. Raises InputError
    without a row.
    """
    if not rows:
        raise InputError("a figure of recall maps needs at least one network")
    num_columns = 1 + max(len(row.layers) for row in rows)
    size = (2.1 * num_columns + 0.6, 2.3 * len(rows) + 0.4)
    figure, axes = bare_panels([1.0] * len(rows), num_columns, size)
    for index, row in enumerate(rows):
        places = axes[index * num_columns : (index + 1) * num_columns]
        places[0].imshow(lr, interpolation="nearest")
        places[0].set_ylabel(row.name, fontsize=10)
        for panel, (title, weights) in zip(places[1:], row.layers, strict=False):
            largest = float(np.abs(weights).max()) or 1.0
            panel.imshow(weights, cmap="PuOr_r", vmin=-largest, vmax=largest, interpolation="nearest")
            panel.set_title(title, fontsize=9)
        for panel in places[: 1 + len(row.layers)]:
            _mark(panel, queries, answers)
    words = "blue: blanked pixels of one key, over which maps are means; black: the intact copies; shares: all images"
    figure.supxlabel(words, fontsize=9)
    return figure


def _mark(panel: Axes, queries: NDArray[np.bool_], answers: NDArray[np.bool_]) -> None:
    for top, left in np.argwhere(answers):
        outline(panel, (top, left, 1), "black", 0.8)
    for top, left in np.argwhere(queries):
        outline(panel, (top, left, 1), PALETTE[0], 1.8)
