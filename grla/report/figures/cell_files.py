"""What a dashboard shows of one cell, as files: its scores per image, its training curve, its pictures.

Each maker takes the cell's record (the JSON in the storage), the folder of its SR pictures, and the study's folder with
those of `hr` and `bicubic`; it gives the file's content, or None where the cell has nothing to show.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from grla.report.figures.canvas import rendered
from grla.report.figures.crops import crop_row, crops_figure
from grla.report.figures.curves import cell_figure
from grla.study import picture_name


def images_csv(record: Mapping[str, Any], folder: Path, references: Path) -> bytes | None:
    """A row per test image with its scores."""
    return pd.DataFrame(record["images"]).to_csv(index=False).encode() if record["images"] else None


def curve_png(record: Mapping[str, Any], folder: Path, references: Path) -> bytes | None:
    """Validation PSNR-Y and training loss against the step."""
    return rendered(cell_figure(pd.DataFrame(record["history"])), "png") if record["history"] else None


def crops_png(record: Mapping[str, Any], folder: Path, references: Path) -> bytes | None:
    """HR, bicubic and this cell's SR at the sharpest place of each picture that was kept.

    A picture without HR of the same size has no row: HR is that of the study's base, and upscale factors may differ.
    """
    scores = {picture_name(row["test_set"], row["image"]): row["psnr_y"] for row in record["images"]}
    rows = []
    for path in sorted(folder.glob("*.png")):
        hr_path = references / "hr" / path.name
        if hr_path.is_file():
            sources = {"bicubic": references / "bicubic", "SR": folder}
            rows.append(crop_row(hr_path, sources, {"bicubic": None, "SR": scores.get(path.stem)}))
    found = [row for row in rows if row.tiles[-1].name == "SR"]
    return rendered(crops_figure(found), "png") if found else None


CELL_FILES: dict[str, Callable[[Mapping[str, Any], Path, Path], bytes | None]] = {
    "crops.png": crops_png,
    "curve.png": curve_png,
    "images.csv": images_csv,
}
"""The makers by file name, in the order in which they are shown."""
