"""The picture that shows it: the same crop of HR, bicubic and every variant side by side, and their errors."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

from grla.errors import InputError
from grla.report.figures.canvas import PALETTE, panels

Pixels = NDArray[np.uint8]
MAX_COLUMNS = 6


@dataclass(frozen=True)
class Tile:
    """One crop: `pixels` uint8 of shape (height, width, 3) or (height, width); PSNR-Y in dB of the whole image.

    `error` (height, width) is an `error_map`, drawn beneath; `box` (top, left, size) in pixels is drawn into the tile.
    """

    name: str
    pixels: Pixels
    psnr_y: float | None = None
    error: NDArray[np.float64] | None = None
    box: tuple[int, int, int] | None = None


@dataclass(frozen=True)
class CropRow:
    """The tiles of one image: the whole of it, then crops of one place: HR, then bicubic, then the variants."""

    image: str
    tiles: tuple[Tile, ...]


def error_map(hr: Pixels, sr: Pixels) -> NDArray[np.float64]:
    """|SR - HR| (height, width) in gray levels, mean over the channels if there are any; both uint8 of one shape."""
    difference = np.abs(sr.astype(np.float64) - hr.astype(np.float64))
    return difference.mean(axis=2) if difference.ndim == 3 else difference


def sharpest_crop(hr: Pixels, size: int) -> tuple[int, int]:
    """(top, left) of the size x size crop with the largest gradient energy, the first of equals.

    `hr` is uint8 (height, width, 3) or (height, width), at least `size` pixels each way, else InputError.
    """
    height, width = hr.shape[:2]
    if not 1 <= size <= min(height, width):
        raise InputError(f"crop size must lie between 1 and {min(height, width)} (the image's short side), got {size}")
    luma = hr.astype(np.float64) if hr.ndim == 2 else hr.astype(np.float64).mean(axis=2)
    energy = np.zeros((height, width))
    energy[:, 1:] += np.diff(luma, axis=1) ** 2
    energy[1:, :] += np.diff(luma, axis=0) ** 2
    # Summed-area table: sums of all crops in one pass.
    table = np.pad(energy.cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    sums = table[size:, size:] - table[:-size, size:] - table[size:, :-size] + table[:-size, :-size]
    top, left = np.unravel_index(int(sums.argmax()), sums.shape)
    return int(top), int(left)


def crops_figure(rows: Sequence[CropRow]) -> Figure:
    """A row of tiles per image, names above, PSNR-Y beneath, then their error maps if there are any.

    Rows may have different numbers of tiles; more than MAX_COLUMNS are spread over several lines. The error maps of a
    figure share one scale. No row, or a row without tiles, is an InputError.
    """
    if not rows or not all(row.tiles for row in rows):
        raise InputError("crops need at least one image with at least one tile")
    longest = max(len(row.tiles) for row in rows)
    num_columns = math.ceil(longest / math.ceil(longest / MAX_COLUMNS))
    lines = [
        (row.image if start == 0 else "", row.tiles[start : start + num_columns])
        for row in rows
        for start in range(0, len(row.tiles), num_columns)
    ]
    errors = [tile.error for row in rows for tile in row.tiles if tile.error is not None]
    depth = 2 if errors else 1
    heights = [1.0, 0.85][:depth] * len(lines)
    figure, axes = panels(heights, num_columns, (0.4 + 2.0 * num_columns, 2.45 * sum(heights)))
    for panel in axes:
        panel.set(xticks=[], yticks=[])
        panel.set_frame_on(False)
    for index, (image, tiles) in enumerate(lines):
        places = axes[index * depth * num_columns :]
        places[0].set_ylabel(image)
        for panel, tile in zip(places, tiles, strict=False):
            _draw_tile(panel, tile)
    if errors:
        largest = max(1.0, float(np.quantile(np.concatenate([error.ravel() for error in errors]), 0.995)))
        for index, (_, tiles) in enumerate(lines):
            _draw_errors(axes[(2 * index + 1) * num_columns :], tiles, largest)
        scale = ScalarMappable(Normalize(0, largest), "magma")
        label = "absolute error, mean over RGB (gray levels of 255)"
        figure.colorbar(scale, ax=axes, label=label, shrink=0.6 / len(lines) + 0.2, pad=0.01)
    figure.supxlabel("PSNR-Y (dB) of the image, as in the tables", fontsize=9)
    return figure


def _draw_tile(panel: Axes, tile: Tile) -> None:
    panel.imshow(tile.pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    panel.set_title(textwrap.fill(tile.name, 22), fontsize=10)
    panel.set_xlabel("" if tile.psnr_y is None else f"{tile.psnr_y:.2f} dB")
    if tile.box is not None:
        top, left, size = tile.box
        for colour, width in (("white", 2.6), (PALETTE[3], 1.4)):
            place = (left - 0.5, top - 0.5)
            panel.add_patch(Rectangle(place, size, size, fill=False, edgecolor=colour, linewidth=width))


def _draw_errors(places: Sequence[Axes], tiles: Sequence[Tile], largest: float) -> None:
    for panel, tile in zip(places, tiles, strict=False):
        if tile.error is not None:
            panel.imshow(tile.error, cmap="magma", vmin=0, vmax=largest, interpolation="nearest")
