"""Timing a forward pass on this machine."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import chain

import numpy as np
import torch
from torch import Tensor, nn

WARMUP_RUNS = 2


@dataclass(frozen=True)
class Latency:
    """Milliseconds of one forward pass over the timed runs: median, 10th and 90th percentile."""

    median_ms: float
    p10_ms: float
    p90_ms: float


def measure_latency(model: nn.Module, input_shape: tuple[int, ...], runs: int) -> Latency:
    """Time `runs` forward passes in eval mode, after warm-up, on the device that holds the model.

    The input (batch, channels, height, width) is noise in [0, 1]. A GPU is synchronised before every reading of the
    clock. Time one model at a time with nothing else running: other load on the machine is part of what is measured.
    """
    device = device_of(model)
    lr = suited(torch.rand(input_shape, generator=torch.Generator().manual_seed(0)), model)
    was_training = model.training
    model.eval()
    milliseconds = []
    with torch.inference_mode():
        for _ in range(WARMUP_RUNS + runs):
            start = clock(device)
            model(lr)
            milliseconds.append(1000 * (clock(device) - start))
    model.train(was_training)
    p10, median, p90 = np.percentile(milliseconds[WARMUP_RUNS:], [10, 50, 90])
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
    return time.perf_counter()
