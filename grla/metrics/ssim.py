"""Structural similarity on luma (Wang, Bovik, Sheikh, Simoncelli, IEEE TIP 2004, equation 13)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate1d

from grla.errors import InputError
from grla.metrics.luma import cropped_lumas

# Section III.C of the paper: the window, and the constants K1 and K2 for a range of 255.
WINDOW_SIDE, SIGMA = 11, 1.5
C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2


def ssim_y(sr: NDArray[np.uint8], hr: NDArray[np.uint8], border: int) -> float:
    """Mean SSIM on Y, at most 1, over the places where the whole 11x11 Gaussian window fits, in float64.

    `sr` and `hr` are uint8 of one shape, (H, W, 3) RGB or (H, W) gray; `border` pixels are cropped on each side (papers
    take the upscale factor). Raises InputError for inputs that break this or leave less than a window.
    """
    x, y = cropped_lumas(sr, hr, border)
    if min(x.shape) < WINDOW_SIDE:
        size = f"{x.shape[0]}x{x.shape[1]}"
        raise InputError(f"SSIM needs {WINDOW_SIDE}x{WINDOW_SIDE} pixels inside the border of {border}, got {size}")
    mean_x, mean_y = _blurred(x), _blurred(y)
    variances = _blurred(x * x) - mean_x**2 + _blurred(y * y) - mean_y**2
    covariance = _blurred(x * y) - mean_x * mean_y
    luminance = (2 * mean_x * mean_y + C1) / (mean_x**2 + mean_y**2 + C1)
    return float(np.mean(luminance * (2 * covariance + C2) / (variances + C2)))


def _blurred(image: NDArray[np.float64]) -> NDArray[np.float64]:
    """Gaussian-weighted means (H - 10, W - 10) of the 11x11 windows that fit into `image` (H, W)."""
    reach = WINDOW_SIDE // 2
    window = np.exp(-(np.arange(-reach, reach + 1) ** 2) / (2 * SIGMA**2))
    window /= window.sum()
    down = correlate1d(image, window, axis=0)[reach:-reach]
    blurred: NDArray[np.float64] = correlate1d(down, window, axis=1)[:, reach:-reach]
    return blurred
