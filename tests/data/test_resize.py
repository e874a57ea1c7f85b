from __future__ import annotations

import math
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray

from grla.data import imresize, mod_crop, read_image
from grla.data.resize import _mirror, _resize, _resize_first_axis
from grla.errors import InputError

Image = NDArray[np.uint8]
SIDES = st.integers(1, 24)
GRAYS = st.tuples(SIDES, SIDES).flatmap(lambda shape: arrays(np.uint8, shape))
COLOURS = st.tuples(SIDES, SIDES, st.just(3)).flatmap(lambda shape: arrays(np.uint8, shape))
SCALES = st.sampled_from([2, 3, 4, 1 / 2, 1 / 3, 1 / 4, Fraction(1, 3), 0.7, 1.5])


def slow_first_axis(image: Image, scale: float) -> Image:
    """The rows of a gray image resized by the formulas of MATLAB's imresize, in Python numbers, a pixel at a time."""

    def keys(x: float) -> float:
        x = abs(x)
        if x <= 1:
            return 1.5 * x**3 - 2.5 * x**2 + 1
        return -0.5 * x**3 + 2.5 * x**2 - 4 * x + 2 if x <= 2 else 0.0

    def line(values: list[int]) -> list[int]:
        shrink, result = min(scale, 1.0), []
        for place in range(1, math.ceil(len(values) * scale) + 1):
            centre = place / scale + 0.5 * (1 - 1 / scale)
            first = math.floor(centre - 2 / shrink)
            taps = range(first, first + math.ceil(4 / shrink) + 2)
            weights = [shrink * keys(shrink * (centre - tap)) for tap in taps]
            mirrored = values + values[::-1]
            total = sum(w * mirrored[(tap - 1) % len(mirrored)] for w, tap in zip(weights, taps, strict=True))
            result.append(min(max(math.floor(total / sum(weights) + 0.5), 0), 255))
        return result

    return np.array([line(column) for column in image.T.tolist()], np.uint8).T


@given(arrays(np.uint8, (7, 5)), st.sampled_from([2, 4, 1 / 2, 1 / 4]))
def test_equals_the_formulas_pixel_by_pixel(image: Image, scale: float) -> None:
    rows_done = slow_first_axis(image, scale)
    assert np.array_equal(imresize(image, scale), slow_first_axis(rows_done.T, scale).T)


@given(arrays(np.uint8, (7, 5)), st.sampled_from([3, 1 / 3, 0.7, 1.5]))
def test_each_axis_equals_the_formulas_up_to_ties_between_two_integers(image: Image, scale: float) -> None:
    """A tie of the first axis that falls the other way moves what the second one is given: each is looked at alone."""
    rows_done = _resize_first_axis(image, scale, _mirror)
    assert np.abs(rows_done.astype(int) - slow_first_axis(image, scale)).max() <= 1
    difference = imresize(image, scale).astype(int) - slow_first_axis(rows_done.T, scale).T
    assert np.abs(difference).max() <= 1


@given(GRAYS, SCALES)
def test_size_is_rounded_up(image: Image, scale: float | Fraction) -> None:
    assert imresize(image, scale).shape == tuple(math.ceil(side * scale) for side in image.shape)


@pytest.mark.parametrize("factor", [2, 3, 4])
def test_a_multiple_of_the_factor_shrinks_to_the_exact_quotient(factor: int) -> None:
    assert all(math.ceil(side * factor * (1 / factor)) == side for side in range(1, 10_000))


@given(SIDES, SIDES, st.integers(0, 255), SCALES)
def test_constant_stays_constant(height: int, width: int, value: int, scale: float | Fraction) -> None:
    resized = imresize(np.full((height, width), value, np.uint8), scale)
    assert (resized == value).all()


@given(COLOURS, SCALES)
def test_channels_are_independent(image: Image, scale: float | Fraction) -> None:
    separate = [imresize(image[:, :, channel], scale) for channel in range(3)]
    assert np.array_equal(imresize(image, scale), np.stack(separate, axis=-1))


@given(GRAYS, st.sampled_from([2, 4]))
def test_enlarging_commutes_with_flips(image: Image, scale: int) -> None:
    # Weights are binary fractions here, so sums are exact and their order does not matter.
    for axis in (0, 1):
        assert np.array_equal(imresize(np.flip(image, axis), scale), np.flip(imresize(image, scale), axis))


def test_rows_come_before_columns() -> None:
    image = np.random.default_rng(0).integers(0, 256, (40, 40), dtype=np.uint8)
    one_axis = np.tile(image[:1], (40, 1))
    assert np.array_equal(imresize(one_axis, 1 / 4), imresize(one_axis.T, 1 / 4).T)
    assert not np.array_equal(imresize(image, 1 / 4), imresize(np.ascontiguousarray(image.T), 1 / 4).T)


@given(GRAYS)
def test_scale_one_changes_nothing(image: Image) -> None:
    assert np.array_equal(imresize(image, 1), image)


def test_input_is_left_alone_and_output_is_contiguous() -> None:
    image = np.random.default_rng(0).integers(0, 256, (8, 12, 3), dtype=np.uint8)
    before = image.copy()
    assert imresize(image[::2, ::2], 2).flags.c_contiguous
    assert np.array_equal(image, before)


@pytest.mark.parametrize(
    "image", [np.zeros((4, 4)), np.zeros(4, np.uint8), np.zeros((0, 4), np.uint8), np.zeros((1, 4, 4, 3), np.uint8)]
)
def test_refuses_other_arrays(image: Image) -> None:
    with pytest.raises(InputError, match="uint8"):
        imresize(image, 2)


@pytest.mark.parametrize("scale", [0, -1, math.nan, math.inf])
def test_refuses_other_scales(scale: float) -> None:
    with pytest.raises(InputError, match="scale must be finite and above 0"):
        imresize(np.zeros((4, 4), np.uint8), scale)


@given(COLOURS, st.integers(1, 5))
def test_mod_crop_keeps_the_top_left(image: Image, factor: int) -> None:
    cropped = mod_crop(image, factor)
    height, width = cropped.shape[:2]
    assert height % factor == width % factor == 0
    assert image.shape[0] - height < factor
    assert image.shape[1] - width < factor
    assert np.array_equal(cropped, image[:height, :width])


@pytest.mark.parametrize("upscale", [2, 3, 4])
def test_equals_matlab_on_set5(benchmark_data: Path, upscale: int) -> None:
    set5 = benchmark_data / "benchmark" / "Set5"
    for path in sorted((set5 / "HR").iterdir()):
        matlab = read_image(set5 / "LR_bicubic" / f"X{upscale}" / f"{path.stem}x{upscale}.png")
        hr = mod_crop(read_image(path), upscale)
        for scale in (1 / upscale, Fraction(1, upscale)):
            assert np.array_equal(imresize(hr, scale), matlab), path.name


@pytest.mark.parametrize("upscale", [2, 3, 4])
def test_equals_older_matlab_on_set14_with_replicated_borders(benchmark_data: Path, upscale: int) -> None:
    set14 = benchmark_data / "benchmark" / "Set14"
    paths = sorted((set14 / "HR").iterdir())
    assert len(paths) == 14
    for path in paths:
        matlab = read_image(set14 / "LR_bicubic_replicate" / f"X{upscale}" / f"{path.stem}x{upscale}.png")
        hr = mod_crop(read_image(path), upscale)
        assert np.array_equal(_resize(hr, 1 / upscale, lambda taps, size: taps.clip(0, size - 1)), matlab), path.name
