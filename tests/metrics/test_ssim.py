from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from skimage.metrics import structural_similarity

from grla.errors import InputError
from grla.metrics import luma, ssim_y

Image = NDArray[np.uint8]
SHAPES = st.sampled_from([(21, 25), (21, 25, 3)])
PAIRS = SHAPES.flatmap(lambda shape: st.tuples(arrays(np.uint8, shape), arrays(np.uint8, shape)))


def oracle(sr: NDArray[np.float64], hr: NDArray[np.float64]) -> float:
    options = {"gaussian_weights": True, "sigma": 1.5, "use_sample_covariance": False, "data_range": 255}
    return float(structural_similarity(sr, hr, **options))


@settings(deadline=None)
@given(PAIRS, st.integers(0, 5))
def test_equals_scikit_image(pair: tuple[Image, Image], border: int) -> None:
    sr, hr = (luma(image)[border : 21 - border, border : 25 - border] for image in pair)
    assert ssim_y(*pair, border) == pytest.approx(oracle(sr, hr), abs=1e-6)


@pytest.mark.parametrize("shape", [(64, 48), (64, 48, 3)])
@pytest.mark.parametrize("spread", [1, 10, 100])
def test_equals_scikit_image_on_similar_images(shape: tuple[int, ...], spread: int) -> None:
    random = np.random.default_rng(spread)
    hr = random.integers(0, 256, shape, dtype=np.uint8)
    sr = (hr + random.integers(-spread, spread + 1, shape)).clip(0, 255).astype(np.uint8)
    assert ssim_y(sr, hr, 0) == pytest.approx(oracle(luma(sr), luma(hr)), abs=1e-12)


def test_of_equal_images_is_one() -> None:
    image = np.random.default_rng(0).integers(0, 256, (20, 20, 3), dtype=np.uint8)
    assert ssim_y(image, image, 2) == pytest.approx(1, abs=1e-12)


@given(PAIRS)
def test_is_symmetric_and_at_most_one(pair: tuple[Image, Image]) -> None:
    sr, hr = pair
    value = ssim_y(sr, hr, 0)
    assert -1 <= value <= 1 + 1e-12
    assert value == pytest.approx(ssim_y(hr, sr, 0), abs=1e-12)


@pytest.mark.parametrize(("side", "border", "fits"), [(11, 0, True), (10, 0, False), (15, 2, True), (14, 2, False)])
def test_needs_pixels_for_one_window(side: int, border: int, fits: bool) -> None:
    image = np.zeros((side, 30), np.uint8)
    if fits:
        assert ssim_y(image, image, border) == 1
    else:
        with pytest.raises(InputError, match="SSIM needs 11x11 pixels"):
            ssim_y(image, image, border)
