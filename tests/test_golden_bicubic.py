"""Bicubic rows of the benchmark tables: resize, metrics and image sources at once, against published numbers."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pytest

from grla import data, metrics


class Row(NamedTuple):
    """A table's entry as this protocol gives it, and as the papers print it (PSNR-Y in dB, SSIM-Y)."""

    psnr: float
    ssim: float
    published_psnr: float
    published_ssim: float


# EDSR, RCAN, SwinIR, GRLA and others print the same bicubic rows.
ROWS = {
    ("Set5", 2): Row(33.6734, 0.9303, 33.66, 0.9299),
    ("Set5", 3): Row(30.4033, 0.8689, 30.39, 0.8682),
    ("Set5", 4): Row(28.4290, 0.8111, 28.42, 0.8104),
    ("Set14", 2): Row(30.2302, 0.8691, 30.24, 0.8688),
    ("Set14", 3): Row(27.5367, 0.7745, 27.55, 0.7742),
    ("Set14", 4): Row(25.9940, 0.7029, 26.00, 0.7027),
    ("BSD100", 2): Row(29.5599, 0.8434, 29.56, 0.8431),
    ("BSD100", 3): Row(27.2090, 0.7391, 27.21, 0.7385),
    ("BSD100", 4): Row(25.9613, 0.6681, 25.96, 0.6675),
}


@pytest.mark.parametrize(("test_set", "upscale"), ROWS)
def test_bicubic_row(benchmark_data: Path, test_set: str, upscale: int) -> None:
    pairs = data.read_test_sets([str(benchmark_data / "benchmark" / test_set)], upscale).pairs
    enlarged = [data.imresize(pair.lr, upscale) for pair in pairs]
    psnr = np.mean([metrics.psnr_y(sr, pair.hr, upscale) for sr, pair in zip(enlarged, pairs, strict=True)])
    ssim = np.mean([metrics.ssim_y(sr, pair.hr, upscale) for sr, pair in zip(enlarged, pairs, strict=True)])
    row = ROWS[test_set, upscale]
    assert psnr == pytest.approx(row.psnr, abs=0.001)
    assert ssim == pytest.approx(row.ssim, abs=0.0001)
    assert psnr == pytest.approx(row.published_psnr, abs=0.03)
    assert ssim == pytest.approx(row.published_ssim, abs=0.001)
