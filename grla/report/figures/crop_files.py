"""Crops of the pictures that a run keeps: HR, baselines and variants of the first seed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from grla.report.figures.crops import CropRow, Tile, error_map, sharpest_crop
from grla.report.results import Results, cell_folder
from grla.report.tables import baseline_rows, trained_rows
from grla.study import BASE, picture_name

CROP_SIZE = 96  # HR pixels a side


def crop_rows(results: Results, folder: Path) -> list[CropRow]:
    """HR, baselines and the levels of the first factor, at each kept image's sharpest place; the first seed's results.

    `folder` is the study's, which keeps HR and bicubic in images/. Of panels it is the one that holds the study's base,
    whose HR and baselines are those that were kept.
    """
    group = next(group for group in results.layout.groups() if group.base == BASE)
    seed = results.cells["seed"].min()
    first = results.cells[(results.cells["seed"] == seed) & (results.cells["outcome"] == "ok")]
    hashes = dict(zip(first["variant"], first["cell_hash"], strict=True))
    baselines = baseline_rows(results.images, group)
    kept = folder / "images"
    sources = {"HR": kept / "hr"} | {name: kept / name for name in baselines["variant"].unique()}
    rows = [(group.name(label, variant), hashes[variant]) for label, variant in group.rows if variant in hashes]
    sources |= {name: cell_folder(folder, cell_hash) for name, cell_hash in rows}
    scores = pd.concat([trained_rows(results.images), baselines])
    return [_crop_row(path, sources, scores) for path in sorted(sources["HR"].glob("*.png"))]


def _crop_row(path: Path, sources: Mapping[str, Path], scores: pd.DataFrame) -> CropRow:
    """The tiles of the HR picture at `path` and its namesakes in the folders of `sources`."""
    hr = _read(path)
    size = min(CROP_SIZE, *hr.shape[:2])
    top, left = sharpest_crop(hr, size)
    tiles = [Tile("whole image", hr, box=(top, left, size))]
    for name, folder in sources.items():
        if (folder / path.name).is_file():
            pixels = _read(folder / path.name)[top : top + size, left : left + size]
            error = None if name == "HR" else error_map(hr[top : top + size, left : left + size], pixels)
            tiles.append(Tile(name, pixels, _psnr(scores, folder.name, path), error))
    return CropRow(path.stem, tuple(tiles))


def crop_data(rows: Sequence[CropRow]) -> pd.DataFrame:
    """A row per tile with an error map: image, name, psnr_y (dB, whole image), mean_error (gray levels, crop)."""
    found = [
        (row.image, tile.name, tile.psnr_y, float(tile.error.mean()))
        for row in rows
        for tile in row.tiles
        if tile.error is not None
    ]
    return pd.DataFrame(found, columns=["image", "name", "psnr_y", "mean_error"])


def _read(path: Path) -> NDArray[np.uint8]:
    """A PNG that a run wrote, as uint8."""
    with Image.open(path) as image:
        return np.asarray(image)


def _psnr(images: pd.DataFrame, cell_hash: str, path: Path) -> float | None:
    mine = images[images["cell_hash"] == cell_hash]
    names = zip(mine["test_set"], mine["image"], mine["psnr_y"], strict=True)
    found = [float(psnr_y) for test_set, image, psnr_y in names if picture_name(test_set, image) == path.stem]
    return found[0] if found else None
