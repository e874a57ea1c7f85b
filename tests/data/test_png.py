"""PNG files written row by row, read again by Pillow."""

from __future__ import annotations

import io

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from skimage import data

from grla.data import PngWriter
from grla.data.png import filtered
from grla.errors import InputError


def written(pixels: np.ndarray, at_once: int, profile: bytes | None = None) -> io.BytesIO:
    """The file of (height, width, channels), `at_once` rows given at a time."""
    file = io.BytesIO()
    height, width, channels = pixels.shape
    png = PngWriter(file, width, height, channels, profile)
    for first in range(0, height, at_once):
        png.write(pixels[first : first + at_once])
    assert png.rows_left == 0
    file.seek(0)
    return file


@given(st.integers(1, 150), st.integers(1, 9), st.integers(1, 4), st.integers(1, 150), st.booleans())
def test_pillow_reads_the_rows_that_were_written(
    height: int, width: int, channels: int, at_once: int, smooth: bool
) -> None:
    random = np.random.default_rng(0).integers(0, 256, (height, width, channels), dtype=np.uint8)
    pixels = np.cumsum(random % 3, axis=0, dtype=np.uint8) if smooth else random
    read = Image.open(written(pixels, at_once, b"a profile"))
    assert read.mode == ("L", "LA", "RGB", "RGBA")[channels - 1]
    assert read.info["icc_profile"] == b"a profile"
    assert np.array_equal(np.asarray(read).reshape(pixels.shape), pixels)


def test_a_photograph_takes_no_more_than_pillows_file() -> None:
    pixels = data.astronaut()
    pillows = io.BytesIO()
    Image.fromarray(pixels).save(pillows, format="PNG")
    assert len(written(pixels, 100).getvalue()) < 1.02 * len(pillows.getvalue())


def test_each_row_has_the_filter_that_suits_it() -> None:
    """By hand, one channel: plain, to the right alike, downwards alike, halfway between, around a corner."""
    above = np.array([0, 100, 7, 0], np.uint8)
    rows = np.array([[0, 0, 1, 0], [90, 90, 90, 90], [91, 90, 91, 90]], np.uint8)
    assert filtered(rows, above, 1).tolist() == [[0, 0, 0, 1, 0], [1, 90, 0, 0, 0], [2, 1, 0, 1, 0]]
    halfway = filtered(np.array([[10, 60, 38, 119]], np.uint8), np.array([20, 110, 16, 200], np.uint8), 1)
    assert halfway.tolist() == [[3, 0, 0, 0, 0]]
    # Down, down, a step that nobody foresees, and to the right.
    corner = filtered(np.array([[9, 60, 80, 80]], np.uint8), np.array([9, 60, 60, 60], np.uint8), 1)
    assert corner.tolist() == [[4, 0, 0, 20, 0]]


def test_other_rows_than_those_of_the_picture_are_refused() -> None:
    png = PngWriter(io.BytesIO(), 4, 2, 3)
    with pytest.raises(InputError, match=r"rows must be of \(width, channels\) \(4, 3\), got \(5, 3\)"):
        png.write(np.zeros((1, 5, 3), np.uint8))
    with pytest.raises(InputError, match="rows must be at most the 2 that are left, got 3"):
        png.write(np.zeros((3, 4, 3), np.uint8))
    with pytest.raises(InputError, match="channels must be 1, 2, 3 or 4, got 5"):
        PngWriter(io.BytesIO(), 4, 2, 5)
