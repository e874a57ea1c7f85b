"""The roofs: plausible on any machine, and applied as worked out by hand."""

from __future__ import annotations

import pytest
import torch

from grla.cost.machine import Roofs, measure_copy_gb_per_s, measure_sgemm_gflop_per_s

CPU = torch.device("cpu")


def test_rates_are_plausible() -> None:
    """Between a small computer under load and the fastest machine there is."""
    assert 0.1 < measure_copy_gb_per_s(CPU, mebibytes=8) < 1e4
    assert 0.1 < measure_sgemm_gflop_per_s(CPU, size=256) < 1e5


def test_the_slower_roof_decides() -> None:
    roofs = Roofs(copy_gb_per_s=10.0, sgemm_gflop_per_s=100.0)
    assert roofs.least_ms(flop=2e9, useful_bytes=1e6) == pytest.approx(20)
    assert roofs.least_ms(flop=2e6, useful_bytes=1e9) == pytest.approx(100)
