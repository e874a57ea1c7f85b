"""The luma that super-resolution papers score, and the checks every metric makes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from grla.errors import InputError

# ITU-R BT.601, studio swing, for R, G, B in 0..255: MATLAB's rgb2ycbcr without its rounding.
RGB_WEIGHTS = np.array([65.481, 128.553, 24.966]) / 255
OFFSET = 16.0
LUMA_RANGE = 219.0
"""What Y of white is above that of black."""


def luma(image: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Y (H, W) in 16..235 of a uint8 RGB image (H, W, 3), not rounded; a gray image (H, W) keeps its 0..255 values.

    Raises InputError for another dtype or shape.
    """
    _check(image, "image")
    return image.astype(np.float64) if image.ndim == 2 else image @ RGB_WEIGHTS + OFFSET


def cropped_lumas(
    sr: NDArray[np.uint8], hr: NDArray[np.uint8], border: int
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Luma of both images (H - 2 * border, W - 2 * border), `border` pixels cropped on each side.

    Raises InputError for other dtypes, for shapes that differ (gray against RGB included), and for a border that is
    negative or leaves nothing.
    """
    _check(sr, "sr")
    _check(hr, "hr")
    if sr.shape != hr.shape:
        raise InputError(f"sr and hr must have the same shape, got {sr.shape} and {hr.shape}")
    height, width = hr.shape[:2]
    if not 0 <= 2 * border < min(height, width):
        raise InputError(f"border must be at least 0 and below half of the image's {height}x{width}, got {border}")
    inside = (slice(border, height - border), slice(border, width - border))
    return luma(sr[inside]), luma(hr[inside])


def _check(image: NDArray[np.uint8], name: str) -> None:
    is_gray_or_rgb = image.ndim == 2 or (image.ndim == 3 and image.shape[2] == 3)
    if image.dtype != np.uint8 or not is_gray_or_rgb:
        raise InputError(f"{name} must be uint8 of shape (H, W) or (H, W, 3), got {image.dtype} of shape {image.shape}")
