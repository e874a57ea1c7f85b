"""Peak signal-to-noise ratio on luma."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from grla.metrics.luma import cropped_lumas


def psnr_y(sr: NDArray[np.uint8], hr: NDArray[np.uint8], border: int) -> float:
    """PSNR in dB against a peak of 255, on Y; infinite for equal images.

    `sr` and `hr` are uint8 of one shape, (H, W, 3) RGB or (H, W) gray; `border` pixels are cropped on each side (papers
    take the upscale factor). Raises InputError for inputs that break this.
    """
    sr_y, hr_y = cropped_lumas(sr, hr, border)
    error = float(np.mean((sr_y - hr_y) ** 2))
    return math.inf if error == 0 else 10 * math.log10(255**2 / error)
