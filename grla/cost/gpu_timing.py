"""Timing on a GPU: after its clocks have risen, by events between its kernels, and without the time of launches."""

from __future__ import annotations

import time
from collections.abc import Callable

import torch

WARM_SECONDS = 0.5
"""An idle GPU runs at a fraction of its clock, and takes this long to rise."""
LEAST_RUNS = 50
SAMPLE_MS = 5.0
"""Work shorter than this is timed several calls at a time."""
CAPTURE_RUNS = 3  # before a capture, on the stream of the capture, as PyTorch asks for


def warm_up(work: Callable[[], object], device: torch.device) -> float:
    """Call `work` for WARM_SECONDS, once at least; milliseconds of a call."""
    start, calls = time.perf_counter(), 0
    while not calls or time.perf_counter() - start < WARM_SECONDS:
        work()
        torch.cuda.synchronize(device)
        calls += 1
    return 1000 * (time.perf_counter() - start) / calls


def sample_ms(work: Callable[[], object], device: torch.device, calls: int = 1) -> float:
    """Milliseconds of a call of `work`, between events before and after `calls` of them."""
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    with torch.cuda.device(device):
        start.record()
        for _ in range(calls):
            work()
        end.record()
    end.synchronize()
    return float(start.elapsed_time(end)) / calls


def calls_in_a_sample(milliseconds: float) -> int:
    """How many calls, each of so many milliseconds, are timed at a time."""
    return max(1, round(SAMPLE_MS / max(milliseconds, 1e-3)))


def replay_of(work: Callable[[], object], device: torch.device) -> Callable[[], object] | None:
    """`work` as one CUDA graph, which is launched as a whole; None where it cannot be captured.

    Either way the current stream is the one that it was. Never run on a GPU so far: it is not known whether all that a
    failed capture allocated is freed, nor which of our networks can be captured.
    """
    side = torch.cuda.Stream(device)
    side.wait_stream(torch.cuda.current_stream(device))
    with torch.cuda.stream(side):
        for _ in range(CAPTURE_RUNS):
            work()
    torch.cuda.current_stream(device).wait_stream(side)
    graph = torch.cuda.CUDAGraph()
    try:
        # A capture that fails does not leave its own stream.
        with torch.cuda.stream(torch.cuda.current_stream(device)), torch.cuda.graph(graph):
            work()
    except RuntimeError:  # it reads a value back, say
        torch.cuda.synchronize(device)
        return None
    return graph.replay
