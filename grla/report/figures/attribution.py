"""The picture of local attribution maps: the LR image with the target patch, and a map per network."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from grla.errors import InputError
from grla.report.figures.canvas import PALETTE, panels

MOST_COLUMNS = 4
LEAST = 1e-6


@dataclass(frozen=True)
class AttributionTile:
    """One network: `strengths` nonnegative (height, width) in LR pixels, and their diffusion index in [0, 100]."""

    name: str
    strengths: NDArray[np.float64]
    diffusion_index: float


def attribution_figure(
    lr: NDArray[np.uint8], box: tuple[float, float, float], tiles: Sequence[AttributionTile]
) -> Figure:
    """`lr` uint8 (height, width, 3) with the target `box` (top, left, size; in LR pixels), then a map per network.

    Each map is divided by its largest value and drawn on a logarithmic scale of six decades, as attributions fall off
    fast; what is smaller is drawn black. No tile is an InputError.
    """
    if not tiles:
        raise InputError("an attribution figure needs at least one map")
    num_columns = min(len(tiles) + 1, MOST_COLUMNS)
    num_rows = -(-(len(tiles) + 1) // num_columns)
    tall = lr.shape[0] / lr.shape[1]
    width = 2.6
    figure, axes = panels([1.0] * num_rows, num_columns, (width * num_columns + 1.4, (width * tall + 0.7) * num_rows))
    for panel in axes:
        panel.set(xticks=[], yticks=[])
        panel.set_frame_on(False)
    axes[0].imshow(lr, interpolation="nearest")
    axes[0].set_title("LR and target", fontsize=10)
    _draw_box(axes[0], box)
    for panel, tile in zip(axes[1:], tiles, strict=False):
        largest = float(tile.strengths.max()) or 1.0
        shares = np.maximum(tile.strengths / largest, LEAST)
        image = panel.imshow(shares, cmap="inferno", norm=LogNorm(LEAST, 1), interpolation="nearest")
        name = "\n".join(textwrap.shorten(line, 34, placeholder="...") for line in tile.name.splitlines())
        panel.set_title(f"{name}\nDI {tile.diffusion_index:.2f}", fontsize=9)
        _draw_box(panel, box)
    figure.colorbar(image, ax=axes, label="attribution / its largest", shrink=0.8)
    return figure


def _draw_box(panel: Axes, box: tuple[float, float, float]) -> None:
    top, left, size = box
    # Pixel centres are whole numbers, so a pixel begins half before.
    panel.add_patch(Rectangle((left - 0.5, top - 0.5), size, size, fill=False, edgecolor="white", linewidth=2.2))
    panel.add_patch(Rectangle((left - 0.5, top - 0.5), size, size, fill=False, edgecolor=PALETTE[0], linewidth=1.2))
