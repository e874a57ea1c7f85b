"""The files of one cell that a dashboard shows."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from PIL import Image

from grla.report.figures.cell_files import CELL_FILES

RECORD = {
    "images": [{"test_set": "Set5", "image": "baby", "psnr_y": 28.5}],
    "history": [{"step": 10, "val_psnr_y": 25.0, "loss": 0.2}, {"step": 20, "val_psnr_y": 26.0, "loss": 0.1}],
}


def test_each_file_is_made_of_what_the_cell_has(tmp_path: Path) -> None:
    for folder in ("hr", "bicubic", "cell"):
        (tmp_path / folder).mkdir()
        Image.fromarray(np.eye(40, dtype=np.uint8) * 255).save(tmp_path / folder / "Set5-baby.png")
    files = {name: make(RECORD, tmp_path / "cell", tmp_path) for name, make in CELL_FILES.items()}
    assert list(files) == ["crops.png", "curve.png", "images.csv"]
    assert files["images.csv"] == b"test_set,image,psnr_y\nSet5,baby,28.5\n"
    for name in ("crops.png", "curve.png"):
        with Image.open(io.BytesIO(files[name] or b"")) as picture:
            assert min(picture.size) > 250
            assert picture.convert("L").getextrema()[0] < 50


def test_a_cell_without_results_has_none(tmp_path: Path) -> None:
    empty = {"images": [], "history": []}
    assert [make(empty, tmp_path / "none", tmp_path) for make in CELL_FILES.values()] == [None] * 3


def test_pictures_of_another_size_than_hr_are_left_out(tmp_path: Path) -> None:
    for folder, size in (("hr", 40), ("bicubic", 40), ("cell", 30)):
        (tmp_path / folder).mkdir()
        Image.new("RGB", (size, size)).save(tmp_path / folder / "a-b.png")
    assert CELL_FILES["crops.png"](RECORD, tmp_path / "cell", tmp_path) is None
