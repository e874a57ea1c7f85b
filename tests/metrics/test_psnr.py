from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from skimage.metrics import peak_signal_noise_ratio

from grla.metrics import luma, psnr_y

Image = NDArray[np.uint8]
SHAPES = st.sampled_from([(14, 13), (14, 13, 3)])
PAIRS = SHAPES.flatmap(lambda shape: st.tuples(arrays(np.uint8, shape), arrays(np.uint8, shape)))


@given(PAIRS, st.integers(0, 4))
def test_equals_scikit_image(pair: tuple[Image, Image], border: int) -> None:
    sr, hr = (luma(image)[border : 14 - border, border : 13 - border] for image in pair)
    assume(not np.array_equal(sr, hr))
    assert psnr_y(*pair, border) == pytest.approx(peak_signal_noise_ratio(hr, sr, data_range=255), abs=1e-6)


@given(PAIRS)
def test_is_symmetric(pair: tuple[Image, Image]) -> None:
    sr, hr = pair
    assert psnr_y(sr, hr, 2) == psnr_y(hr, sr, 2)


def test_of_equal_images_is_infinite() -> None:
    image = np.zeros((12, 12, 3), np.uint8)
    assert psnr_y(image, image, 2) == math.inf


def test_of_a_known_error() -> None:
    hr = np.full((12, 12), 100, np.uint8)
    assert psnr_y(hr + 1, hr, 0) == pytest.approx(48.1308, abs=1e-4)


def test_the_border_does_not_count() -> None:
    hr = np.zeros((12, 12), np.uint8)
    sr = hr.copy()
    sr[:2], sr[-2:], sr[:, :2], sr[:, -2:] = 255, 255, 255, 255
    assert psnr_y(sr, hr, 2) == math.inf
    assert psnr_y(sr, hr, 1) < 20


def test_luma_is_not_rounded() -> None:
    hr = np.zeros((12, 12, 3), np.uint8)
    sr = hr.copy()
    sr[:, :, 2] = 1  # moves luma by less than a tenth
    assert psnr_y(sr, hr, 0) == pytest.approx(20 * math.log10(255 * 255 / 24.966))
