"""Timing a forward pass on this machine."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from itertools import chain

import numpy as np
import torch
from torch import Tensor, nn

from grla.cost import gpu_timing

WARMUP_RUNS = 2


@dataclass(frozen=True)
class Latency:
    """Milliseconds of one forward pass over the timed runs: median, 10th and 90th percentile.

    `replay_ms` is the median of the same pass replayed as a CUDA graph, without launches; None on a CPU and where it
    cannot be captured.
    """

    median_ms: float
    p10_ms: float
    p90_ms: float
    replay_ms: float | None = None


def measure_latency(model: nn.Module, input_shape: tuple[int, ...], runs: int) -> Latency:
    """Time `runs` forward passes in eval mode, after warm-up, on the device that holds the model.

    The input (batch, channels, height, width) is noise in [0, 1]. On a GPU, events time at least 50 runs after half a
    second of warm-up. Time one model at a time with nothing else running: other load on the machine is part of what is
    measured.
    """
    device = device_of(model)
    lr = suited(torch.rand(input_shape, generator=torch.Generator().manual_seed(0)), model)
    was_training = model.training
    model.eval()
    with torch.inference_mode():
        measure = _on_gpu if device.type == "cuda" else _on_cpu
        latency = measure(lambda: model(lr), device, runs)
    model.train(was_training)
    return latency


def _on_cpu(work: Callable[[], object], device: torch.device, runs: int) -> Latency:
    milliseconds = []
    for _ in range(WARMUP_RUNS + runs):
        start = clock(device)
        work()
        milliseconds.append(1000 * (clock(device) - start))
    return _latency(milliseconds[WARMUP_RUNS:])


def _on_gpu(work: Callable[[], object], device: torch.device, runs: int) -> Latency:
    runs = max(runs, gpu_timing.LEAST_RUNS)
    gpu_timing.warm_up(work, device)
    latency = _latency([gpu_timing.sample_ms(work, device) for _ in range(runs)])
    replay = gpu_timing.replay_of(work, device)
    if replay is None:
        return latency
    gpu_timing.warm_up(replay, device)
    return replace(latency, replay_ms=float(np.median([gpu_timing.sample_ms(replay, device) for _ in range(runs)])))


def _latency(milliseconds: list[float]) -> Latency:
    p10, median, p90 = np.percentile(milliseconds, [10, 50, 90])
    return Latency(float(median), float(p10), float(p90))


def device_of(model: nn.Module) -> torch.device:
    """Where a network's parameters and buffers are; the CPU for one that has none."""
    held = next(_held(model), None)
    return torch.device("cpu") if held is None else held.device


def suited(lr: Tensor, model: nn.Module) -> Tensor:
    """`lr` on the device and in the type of a network's weights; as it is for a network that has none."""
    like = next((one for one in _held(model) if one.is_floating_point()), lr)
    return lr.to(like.device, like.dtype)


def _held(model: nn.Module) -> Iterator[Tensor]:
    return chain(model.parameters(), model.buffers())


def clock(device: torch.device) -> float:
    """Seconds, read after a GPU has finished its work."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    elif device.type == "mps":
        torch.mps.synchronize()
    return time.perf_counter()
