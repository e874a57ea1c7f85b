from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from grla.errors import InputError
from grla.metrics import luma, psnr_y, ssim_y

RGB = np.random.default_rng(0).integers(0, 256, (20, 24, 3), dtype=np.uint8)


def test_corners_of_the_colour_cube() -> None:
    colours = np.array([[[0, 0, 0], [255, 255, 255], [255, 0, 0], [0, 255, 0], [0, 0, 255]]], np.uint8)
    assert luma(colours)[0] == pytest.approx([16, 235, 81.481, 144.553, 40.966])


def test_gray_passes_through() -> None:
    y = luma(RGB[:, :, 0])
    assert y.dtype == np.float64
    assert np.array_equal(y, RGB[:, :, 0])


@pytest.mark.parametrize("image", [RGB / 255, RGB[:, :, :2], RGB[None], RGB[0, :, 0]])
def test_luma_refuses_other_arrays(image: NDArray[np.uint8]) -> None:
    with pytest.raises(InputError, match="image must be uint8"):
        luma(image)


@pytest.mark.parametrize("metric", [psnr_y, ssim_y])
@pytest.mark.parametrize(
    ("sr", "hr", "border", "message"),
    [
        (RGB.astype(np.float32), RGB, 0, "sr must be uint8"),
        (RGB, RGB[:, :, :2], 0, "hr must be uint8"),
        (RGB[:-1], RGB, 0, "same shape"),
        (RGB[:, :, 0], RGB, 0, "same shape"),
        (RGB, RGB, -1, "border must be at least 0"),
        (RGB, RGB, 10, "below half"),
    ],
)
def test_metrics_refuse_other_inputs(metric, sr, hr, border, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(InputError, match=message):
        metric(sr, hr, border)
