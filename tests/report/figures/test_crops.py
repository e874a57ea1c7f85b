"""Crops of the pictures that a run keeps: found, cut, compared with HR, drawn."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from grla.errors import InputError
from grla.report.figures.crops import (
    CROP_SIZE,
    CropRow,
    Tile,
    crop_data,
    crop_row,
    crop_rows,
    crops_figure,
    error_map,
    sharpest_crop,
)
from tests.report.figures.drawn import check_saved


def write(folder: Path, name: str, pixels: NDArray[np.uint8]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(folder / name)


def photo(value: int = 128) -> NDArray[np.uint8]:
    """Gray 200 x 120, with a checkerboard at (150, 20)."""
    pixels = np.full((200, 120, 3), value, np.uint8)
    pixels[150:158, 20:28] = (np.indices((8, 8)).sum(axis=0) % 2 * 255)[..., None]
    return pixels


def test_a_row_has_the_whole_image_then_the_same_crop_of_every_picture(tmp_path: Path) -> None:
    write(tmp_path / "hr", "Set5-baby.png", photo())
    write(tmp_path / "bicubic", "Set5-baby.png", photo(138))
    write(tmp_path / "x2", "Set5-baby.png", photo()[:100])
    sources = {name: tmp_path / name for name in ("bicubic", "x2", "none")}
    row = crop_row(tmp_path / "hr" / "Set5-baby.png", sources, {"bicubic": 28.5, "x2": 1.0, "none": None})
    assert row.image == "Set5-baby"
    whole, hr, bicubic = row.tiles  # what is missing, or of another size, is left out
    assert [tile.name for tile in row.tiles] == ["whole image", "HR", "bicubic"]
    assert whole.box is not None
    top, left, size = whole.box
    assert size == CROP_SIZE
    assert 62 <= top <= 104
    assert hr.pixels.tolist() == photo()[top : top + size, left : left + size].tolist()
    assert (hr.psnr_y, hr.error, bicubic.psnr_y) == (None, None, 28.5)
    assert bicubic.error is not None
    assert set(np.unique(bicubic.error)) == {0, 10}


def test_a_small_image_is_cut_to_its_short_side(tmp_path: Path) -> None:
    write(tmp_path / "hr", "a-b.png", np.zeros((40, 30), np.uint8))
    row = crop_row(tmp_path / "hr" / "a-b.png", {}, {})
    assert row.tiles[0].box == (0, 0, 30)
    assert row.tiles[1].pixels.shape == (30, 30)


def test_rows_are_those_of_the_first_seed_with_the_scores_of_the_image(made_up: Any, tmp_path: Path) -> None:
    images = made_up.images.assign(cell_hash=made_up.images["cell_hash"].str.replace("/", "-"))
    cells = made_up.cells.assign(cell_hash=made_up.cells["cell_hash"].str.replace("/", "-"))
    results = made_up._replace(images=images, cells=cells).results
    folder = tmp_path / "attention" / "quick"
    for name in ("hr", "bicubic"):
        write(folder / "images" / name, "Set5-bird.png", photo())
    for cell_hash in ("base-0", "base-1", "kernel=relu-0", "kernel=softmax-0", "depth=1-0"):
        write(tmp_path / "cells" / cell_hash, "Set5-bird.png", photo())
    (row,) = crop_rows(results, folder)
    assert [tile.name for tile in row.tiles[2:]] == ["bicubic", "gaussian_rbf (base)", "relu", "softmax"]
    scores = images.set_index(["cell_hash", "image"])["psnr_y"]
    names = ["bicubic", "base-0", "kernel=relu-0", "kernel=softmax-0"]
    assert [tile.psnr_y for tile in row.tiles[2:]] == [scores[name, "bird"] for name in names]
    data = crop_data([row])
    assert data["name"].tolist() == [tile.name for tile in row.tiles[2:]]
    assert data["mean_error"].tolist() == [0.0] * 4
    assert crop_rows(results, tmp_path / "elsewhere") == []


def test_crop_data_has_the_mean_error_of_the_crop() -> None:
    tile = Tile("relu", np.zeros((2, 2), np.uint8), 28.0, np.array([[1.0, 2.0], [3.0, 6.0]]))
    data = crop_data([CropRow("baby", (dataclasses.replace(tile, name="HR", error=None), tile))])
    assert data.to_numpy().tolist() == [["baby", "relu", 28.0, 3.0]]


def test_sharpest_crop_finds_the_checkerboard() -> None:
    hr = np.full((40, 60, 3), 128, np.uint8)
    hr[20:28, 33:41] = (np.indices((8, 8)).sum(axis=0) % 2 * 255)[..., None]
    top, left = sharpest_crop(hr, 12)
    assert 16 <= top <= 20
    assert 29 <= left <= 33
    assert sharpest_crop(hr[..., 0], 12) == (top, left)


@given(st.integers(0, 2**32 - 1), st.integers(1, 7))
def test_sharpest_crop_equals_trying_every_crop(seed: int, size: int) -> None:
    hr = np.random.default_rng(seed).integers(0, 256, (9, 11), dtype=np.uint8)
    pixels = hr.astype(float)
    energy = np.diff(pixels, axis=0, prepend=pixels[:1]) ** 2 + np.diff(pixels, axis=1, prepend=pixels[:, :1]) ** 2
    sums = {
        (top, left): energy[top : top + size, left : left + size].sum()
        for top in range(10 - size)
        for left in range(12 - size)
    }
    assert sums[sharpest_crop(hr, size)] == pytest.approx(max(sums.values()))


@pytest.mark.parametrize("size", [0, 10, -1])
def test_sharpest_crop_that_does_not_fit(size: int) -> None:
    with pytest.raises(InputError, match="between 1 and 9"):
        sharpest_crop(np.zeros((9, 11), np.uint8), size)


def test_flat_image_takes_the_first_crop() -> None:
    assert sharpest_crop(np.zeros((9, 11), np.uint8), 4) == (0, 0)


def test_crops_of_colour_gray_and_unequal_rows(tmp_path: Path) -> None:
    colour, gray = np.zeros((16, 16, 3), np.uint8), np.full((16, 16), 255, np.uint8)
    rows = [
        CropRow("baby", (Tile("HR", colour), Tile("bicubic", colour, 28.5), Tile("gaussian_rbf", colour, 28.7))),
        CropRow("camera", (Tile("HR", gray), Tile("bicubic", gray, 25.0))),
    ]
    figure = crops_figure(rows)
    assert [axes.get_xlabel() for axes in figure.axes] == ["", "28.50 dB", "28.70 dB", "", "25.00 dB", ""]
    assert [axes.get_title() for axes in figure.axes] == ["HR", "bicubic", "gaussian_rbf", "HR", "bicubic", ""]
    assert np.asarray(figure.axes[3].images[0].get_array()).tolist() == gray.tolist()
    check_saved(figure, tmp_path)


def test_many_crops_go_on_in_further_lines() -> None:
    tiles = tuple(Tile(str(index), np.zeros((8, 8), np.uint8), index) for index in range(17))
    axes = crops_figure([CropRow("baby", tiles), CropRow("bird", tiles[:3])]).axes
    assert len(axes) == 4 * 6
    assert [panel.get_title() for panel in axes[:18]] == [*map(str, range(17)), ""]
    assert [panel.get_ylabel() for panel in axes[::6]] == ["baby", "", "", "bird"]


@pytest.mark.parametrize("rows", [[], [CropRow("baby", ())]])
def test_no_crops_is_an_input_error(rows: list[CropRow]) -> None:
    with pytest.raises(InputError, match="at least one"):
        crops_figure(rows)


def test_error_maps_by_hand(tmp_path: Path) -> None:
    hr = np.array([[[10, 20, 30], [0, 0, 255]]], np.uint8)
    sr = np.array([[[20, 20, 0], [255, 0, 0]]], np.uint8)
    assert error_map(hr, sr).tolist() == [[pytest.approx(40 / 3), 170.0]]
    assert error_map(hr[..., 0], sr[..., 0]).tolist() == [[10.0, 255.0]]
    tiles = (Tile("whole image", hr, box=(0, 0, 1)), Tile("HR", hr), Tile("bicubic", sr, 20.0, error_map(hr, sr)))
    figure = crops_figure([CropRow("baby", tiles)])
    assert len(figure.axes) == 2 * 3 + 1  # pictures, errors, the scale
    assert [len(panel.images) for panel in figure.axes[:6]] == [1, 1, 1, 0, 0, 1]
    assert len(figure.axes[0].patches) == 2  # the box, light around dark
    assert np.asarray(figure.axes[5].images[0].get_array()).tolist() == error_map(hr, sr).tolist()
    check_saved(figure, tmp_path)
