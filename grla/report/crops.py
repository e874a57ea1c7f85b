"""The picture that shows it: the same crop of HR, bicubic and every variant side by side."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from grla.errors import InputError
from grla.report.canvas import panels

Pixels = NDArray[np.uint8]
MAX_COLUMNS = 8


@dataclass(frozen=True)
class Tile:
    """One crop: `pixels` uint8 of shape (height, width, 3) or (height, width); PSNR-Y in dB of the whole image."""

    name: str
    pixels: Pixels
    psnr_y: float | None = None


@dataclass(frozen=True)
class CropRow:
    """The crops of one image, all of the same place: HR first, then bicubic, then the variants."""

    image: str
    tiles: tuple[Tile, ...]


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
    """A row of tiles per image, names above, PSNR-Y beneath; rows may have different numbers of tiles.

    More than MAX_COLUMNS tiles are spread over several lines. No row, or a row without tiles, is an InputError.
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
    figure, axes = panels([1.0] * len(lines), num_columns, (0.4 + 2.0 * num_columns, 2.5 * len(lines)))
    for panel in axes:
        panel.set(xticks=[], yticks=[])
        panel.set_frame_on(False)
    for index, (image, tiles) in enumerate(lines):
        places = axes[index * num_columns :]
        places[0].set_ylabel(image)
        for panel, tile in zip(places, tiles, strict=False):
            panel.imshow(tile.pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
            panel.set_title(textwrap.fill(tile.name, 22), fontsize=10)
            panel.set_xlabel("" if tile.psnr_y is None else f"{tile.psnr_y:.2f} dB")
    figure.supxlabel("PSNR-Y (dB) of the image, as in the tables", fontsize=9)
    return figure
