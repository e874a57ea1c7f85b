"""The limits of this machine: how fast it copies memory, and how fast it multiplies matrices."""

from __future__ import annotations

import statistics
from collections.abc import Callable
from dataclasses import dataclass

import torch

from grla.cost import gpu_timing
from grla.cost.latency import clock
from grla.cost.memory import MIB

RUNS = 7
CPU_SIZE, GPU_SIZE = 2048, 8192


@dataclass(frozen=True)
class Roofs:
    """Measured limits: GB (10^9 bytes) a second read and written by a copy, GFLOP/s of a float32 matrix product."""

    copy_gb_per_s: float
    sgemm_gflop_per_s: float

    def least_ms(self, flop: float, useful_bytes: float) -> float:
        """Milliseconds in which `flop` operations and `useful_bytes` of traffic are done at once, each at its limit."""
        return 1e3 * max(flop / (1e9 * self.sgemm_gflop_per_s), useful_bytes / (1e9 * self.copy_gb_per_s))


def measure_roofs(device: torch.device) -> Roofs:
    """Both limits, with the threads that PyTorch uses now."""
    return Roofs(measure_copy_gb_per_s(device), measure_sgemm_gflop_per_s(device))


def measure_copy_gb_per_s(device: torch.device, mebibytes: int = 512) -> float:
    """GB a second of a copy of `mebibytes`, each byte counted twice, as it is read and written.

    `mebibytes` should exceed the caches, or their speed is measured. Median of seven runs after warm-up.
    """
    source = torch.ones(mebibytes * MIB // 4, device=device)
    target = torch.zeros_like(source)
    return 2 * mebibytes * MIB / _median_seconds(lambda: target.copy_(source), device) / 1e9


def measure_sgemm_gflop_per_s(device: torch.device, size: int | None = None) -> float:
    """GFLOP/s, two for a multiply-add, of a product of two float32 matrices of `size` x `size`; median of seven.

    By default 2048, and 8192 on a GPU, a large one of which is not filled by less.
    """
    size = size or (GPU_SIZE if device.type == "cuda" else CPU_SIZE)
    left, right = torch.rand(2, size, size, device=device)
    out = torch.empty_like(left)
    return 2 * size**3 / _median_seconds(lambda: torch.mm(left, right, out=out), device) / 1e9


def _median_seconds(work: Callable[[], object], device: torch.device) -> float:
    if device.type == "cuda":
        calls = gpu_timing.calls_in_a_sample(gpu_timing.warm_up(work, device))
        return statistics.median(gpu_timing.sample_ms(work, device, calls) for _ in range(RUNS)) / 1000
    times = []
    for _ in range(1 + RUNS):
        start = clock(device)
        work()
        times.append(clock(device) - start)
    return statistics.median(times[1:])
