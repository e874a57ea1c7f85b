"""Latency and memory: not how fast, but that what is reported is what was asked for."""

from __future__ import annotations

import time

import pytest
import torch
from torch import nn

from grla.cost import measure_latency, peak_memory_mib, process_peak_mib

CPU = torch.device("cpu")


class Sleeper(nn.Module):
    """Takes the milliseconds it is told, one after the other; the first runs are slow, as in life."""

    def __init__(self, milliseconds: list[float]) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1))
        self.milliseconds = iter(milliseconds)
        self.calls: list[tuple[bool, tuple[int, ...]]] = []

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        self.calls.append((self.training, tuple(lr.shape)))
        time.sleep(next(self.milliseconds) / 1000)
        return lr


def test_latency_is_the_median_after_warm_up_in_eval_mode() -> None:
    model = Sleeper([400, 400, 20, 20, 300, 20, 20]).train()
    latency = measure_latency(model, (1, 3, 4, 5), runs=5)
    assert model.calls == [(False, (1, 3, 4, 5))] * 7
    assert 20 <= latency.median_ms < 300
    assert latency.p10_ms <= latency.median_ms <= latency.p90_ms
    assert latency.p90_ms > 100  # the slow one is seen
    assert model.training


def test_peak_memory_sees_what_is_freed_again() -> None:
    def work() -> None:
        torch.ones(40 * 2**20 // 4).sum()  # 40 MiB, gone at the end

    measured = peak_memory_mib(work, CPU)
    if measured is None:
        pytest.skip("this system cannot measure the peak of a part of a process")
    assert 38 < measured < 60
    assert peak_memory_mib(lambda: None, CPU) < 5
    assert process_peak_mib(CPU) > 40
