"""What a reader wants to see of one cell, as files: its scores per image, its training curve, its pictures.

Each maker takes the cell's record (the JSON in the storage), the folder of its SR pictures, and the study's folder with
those of `hr` and `bicubic`; it gives the file's content, or None where the cell has nothing to show.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from grla.report.figures.canvas import PALETTE, PSNR, panels, rendered
from grla.report.figures.crops import CropRow, Tile, crops_figure, sharpest_crop
from grla.study import picture_name

CROP_SIZE = 96  # HR pixels a side


def images_csv(record: Mapping[str, Any], folder: Path, references: Path) -> bytes | None:
    """A row per test image with its scores."""
    return pd.DataFrame(record["images"]).to_csv(index=False).encode() if record["images"] else None


def curve_png(record: Mapping[str, Any], folder: Path, references: Path) -> bytes | None:
    """Validation PSNR-Y and training loss against the step."""
    if not record["history"]:
        return None
    history = pd.DataFrame(record["history"])
    figure, axes = panels([1.0], 2, (9, 3.4))
    labels = {"val_psnr_y": f"validation {PSNR}", "loss": "training loss"}
    for panel, colour, (column, label) in zip(axes, PALETTE, labels.items(), strict=False):
        panel.plot(history["step"], history[column], marker=".", color=colour)
        panel.set(xlabel="training step", ylabel=label)
    return rendered(figure, "png")


def crops_png(record: Mapping[str, Any], folder: Path, references: Path) -> bytes | None:
    """HR, bicubic and this cell's SR at the sharpest place of each picture that was kept."""
    scores = {picture_name(row["test_set"], row["image"]): row["psnr_y"] for row in record["images"]}
    rows = [_crop_row(path, references, scores.get(path.stem)) for path in sorted(folder.glob("*.png"))]
    found = [row for row in rows if row is not None]
    return rendered(crops_figure(found), "png") if found else None


CELL_FILES: dict[str, Callable[[Mapping[str, Any], Path, Path], bytes | None]] = {
    "crops.png": crops_png,
    "curve.png": curve_png,
    "images.csv": images_csv,
}
"""The makers by file name, in the order in which they are shown."""


def _crop_row(path: Path, references: Path, psnr_y: float | None) -> CropRow | None:
    """None where there is no HR of the same size: that of the study's base, where upscale factors differ."""
    hr_path, bicubic_path = references / "hr" / path.name, references / "bicubic" / path.name
    sr = _read(path)
    hr = _read(hr_path) if hr_path.is_file() else None
    if hr is None or hr.shape != sr.shape:
        return None
    size = min(CROP_SIZE, *hr.shape[:2])
    top, left = sharpest_crop(hr, size)
    images = {"HR": hr, "bicubic": _read(bicubic_path) if bicubic_path.is_file() else None, "SR": sr}
    tiles = [
        Tile(name, pixels[top : top + size, left : left + size], psnr_y if name == "SR" else None)
        for name, pixels in images.items()
        if pixels is not None
    ]
    return CropRow(path.stem, tuple(tiles))


def _read(path: Path) -> NDArray[np.uint8]:
    with Image.open(path) as image:
        return np.asarray(image)
