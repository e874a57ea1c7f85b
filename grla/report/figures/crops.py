"""The same crop of HR, baselines and every variant side by side, and their errors: the data, then the drawing."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray
from PIL import Image

from grla.errors import InputError
from grla.report.figures.canvas import PALETTE, bare_panels, outline
from grla.report.results import Results, cell_folder
from grla.report.tables import baseline_rows, trained_rows
from grla.study import BASE, picture_name

Pixels = NDArray[np.uint8]
CROP_SIZE = 96  # HR pixels a side
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
    """The tiles of one image: the whole of it, then crops of one place: HR, then baselines, then the variants."""

    image: str
    tiles: tuple[Tile, ...]


def crop_rows(results: Results, folder: Path) -> list[CropRow]:
    """HR, baselines and the levels of the first factor, at each kept image's sharpest place; the first seed's results.

    `folder` is the study's, which keeps HR and baselines in images/. Of panels it is the one that holds the study's
    base, whose HR and baselines are those that were kept.
    """
    group = next(group for group in results.layout.groups() if group.base == BASE)
    seed = results.cells["seed"].min()
    first = results.cells[(results.cells["seed"] == seed) & (results.cells["outcome"] == "ok")]
    hashes = dict(zip(first["variant"], first["cell_hash"], strict=True))
    baselines = baseline_rows(results.images, group)
    scores = pd.concat([trained_rows(results.images), baselines])
    kept = folder / "images"
    # By name in the figure: the folder of the pictures, and the cell or baseline whose scores they have.
    sources = {str(name): (kept / str(name), str(name)) for name in baselines["variant"].unique()}
    for label, variant in group.rows:
        if variant in hashes:
            sources[group.name(label, variant)] = (cell_folder(folder, hashes[variant]), hashes[variant])
    places = {name: place for name, (place, _) in sources.items()}
    rows = []
    for path in sorted((kept / "hr").glob("*.png")):
        psnr_y = {name: _psnr(scores[scores["cell_hash"] == cell], path) for name, (_, cell) in sources.items()}
        rows.append(crop_row(path, places, psnr_y))
    return rows


def crop_row(hr_path: Path, sources: Mapping[str, Path], psnr_y: Mapping[str, float | None]) -> CropRow:
    """The tiles of an HR picture and its namesakes in the folders of `sources`, with PSNR-Y (dB) and error maps.

    A picture of another size than HR is left out: that of another upscale factor, which was cropped otherwise.
    """
    hr = _read(hr_path)
    size = min(CROP_SIZE, *hr.shape[:2])
    top, left = sharpest_crop(hr, size)
    place = np.s_[top : top + size, left : left + size]
    tiles = [Tile("whole image", hr, box=(top, left, size)), Tile("HR", hr[place])]
    for name, folder in sources.items():
        sr = _read(folder / hr_path.name) if (folder / hr_path.name).is_file() else None
        if sr is not None and sr.shape == hr.shape:
            tiles.append(Tile(name, sr[place], psnr_y[name], error_map(hr[place], sr[place])))
    return CropRow(hr_path.stem, tuple(tiles))


def crop_data(rows: Sequence[CropRow]) -> pd.DataFrame:
    """A row per tile with an error map: image, name, psnr_y (dB, whole image), mean_error (gray levels, crop)."""
    found = [
        (row.image, tile.name, tile.psnr_y, float(tile.error.mean()))
        for row in rows
        for tile in row.tiles
        if tile.error is not None
    ]
    return pd.DataFrame(found, columns=["image", "name", "psnr_y", "mean_error"])


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
        raise InputError(f"size must lie between 1 and {min(height, width)} (the image's short side), got {size}")
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
    figure share one scale. Raises InputError without a row, or for a row without tiles.
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
    figure, axes = bare_panels(heights, num_columns, (0.4 + 2.0 * num_columns, 2.45 * sum(heights)))
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


def _read(path: Path) -> Pixels:
    """A PNG that a run wrote, as uint8."""
    with Image.open(path) as image:
        return np.asarray(image)


def _psnr(scores: pd.DataFrame, path: Path) -> float | None:
    """PSNR-Y of the picture at `path`, among the `scores` of one cell or baseline; None where it has none."""
    names = zip(scores["test_set"], scores["image"], scores["psnr_y"], strict=True)
    found = [float(psnr_y) for test_set, image, psnr_y in names if picture_name(test_set, image) == path.stem]
    return found[0] if found else None


def _draw_tile(panel: Axes, tile: Tile) -> None:
    panel.imshow(tile.pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    panel.set_title(textwrap.fill(tile.name, 22), fontsize=10)
    panel.set_xlabel("" if tile.psnr_y is None else f"{tile.psnr_y:.2f} dB")
    if tile.box is not None:
        outline(panel, tile.box, "white", 2.6)
        outline(panel, tile.box, PALETTE[3], 1.4)


def _draw_errors(places: Sequence[Axes], tiles: Sequence[Tile], largest: float) -> None:
    for panel, tile in zip(places, tiles, strict=False):
        if tile.error is not None:
            panel.imshow(tile.error, cmap="magma", vmin=0, vmax=largest, interpolation="nearest")
