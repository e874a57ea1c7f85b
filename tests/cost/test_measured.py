"""Latency and memory: not how fast, but that what is reported is what was asked for."""

from __future__ import annotations

import time

import pytest
import torch
from torch import nn

from grla.cost import Laps, is_out_of_memory, measure_latency, peak_memory, peak_memory_mib, process_peak_mib

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
    model = Sleeper([200, 200, 10, 10, 150, 10, 10]).train()
    latency = measure_latency(model, (1, 3, 4, 5), runs=5)
    assert model.calls == [(False, (1, 3, 4, 5))] * 7
    assert 10 <= latency.median_ms < 150
    assert latency.p10_ms <= latency.median_ms <= latency.p90_ms
    assert latency.p90_ms > 50  # the slow one is seen
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
    assert peak_memory(work, torch.device("mps")) is None  # resident memory would say nothing of it


@pytest.mark.gpu
def test_a_gpu_tells_what_tensors_held_and_what_its_allocator_took_for_them() -> None:
    peak = peak_memory(lambda: torch.ones(40 * 2**20 // 4, device="cuda"), torch.device("cuda"))
    assert peak is not None
    assert peak.mib == 40
    assert peak.reserved_mib is not None
    assert 40 <= peak.reserved_mib < 80


def test_real_lack_of_memory_is_recognised() -> None:
    """An allocation no machine can serve, asked of PyTorch itself."""
    with pytest.raises(RuntimeError) as caught:
        torch.empty(2**50)
    assert is_out_of_memory(caught.value)
    assert not is_out_of_memory(RuntimeError("shapes do not match"))


@pytest.mark.parametrize(
    ("error", "lack"),
    [
        (torch.AcceleratorError("CUDA error: out of memory\nCUDA kernel errors might be reported later"), True),
        (RuntimeError("CUDA driver error: out of memory"), True),
        (RuntimeError("HIP error: out of memory"), True),
        (RuntimeError("CUDA error: CUBLAS_STATUS_ALLOC_FAILED when calling `cublasCreate(handle)`"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_ALLOC_FAILED"), True),
        (RuntimeError("cuDNN error: CUDNN_STATUS_INTERNAL_ERROR_DEVICE_ALLOCATION_FAILED"), True),
        (RuntimeError("MPS backend out of memory (MPS allocated: 8 GB)"), True),
        (torch.AcceleratorError("CUDA error: an illegal memory access was encountered"), False),
        (RuntimeError("CUDA error: CUBLAS_STATUS_EXECUTION_FAILED when calling `cublasSgemm`"), False),
        (ValueError("CUDA error: out of memory"), False),
    ],
)
def test_lack_of_memory_is_recognised_whichever_library_of_a_gpu_finds_it(error: Exception, lack: bool) -> None:
    assert is_out_of_memory(error) == lack


def test_laps_share_out_all_the_time() -> None:
    readings = iter([100.0, 101.0, 104.0, 104.5])
    lap = Laps(CPU, clock=lambda device: next(readings))
    for phase in ("forward", "backward", "forward"):
        lap(phase)
    assert lap.seconds == {"forward": 1.5, "backward": 3.0}
    assert lap.total == 4.5
