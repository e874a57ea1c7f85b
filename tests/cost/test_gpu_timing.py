"""How a GPU is timed, by a clock of its own that these tests set: a call of the work takes so many milliseconds."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from types import SimpleNamespace

import pytest
import torch
from torch import nn

from grla.cost import gpu_timing, measure_latency
from grla.cost.latency import _on_gpu, clock
from grla.cost.machine import CPU_SIZE, GPU_SIZE, _median_seconds
from grla.cost.scaling import time_pass

GPU = torch.device("cuda", 0)


class Card:
    """A GPU whose work takes 0.5 ms a call, and 0.1 ms a call as a graph; it counts the calls."""

    def __init__(self) -> None:
        self.now = 0.0
        self.calls = 0

    def work(self) -> None:
        self.calls += 1
        self.now += 0.5

    def replay(self) -> None:
        self.now += 0.1


@pytest.fixture
def card(monkeypatch: pytest.MonkeyPatch) -> Iterator[Card]:
    card = Card()

    class Event:
        def __init__(self, enable_timing: bool) -> None:
            assert enable_timing

        def record(self) -> None:
            self.at = card.now

        def synchronize(self) -> None:
            """At once."""

        def elapsed_time(self, end: Event) -> float:
            return end.at - self.at

    monkeypatch.setattr(torch.cuda, "Event", Event)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device=None: None)
    monkeypatch.setattr(torch.cuda, "device", lambda device: nullcontext())
    monkeypatch.setattr(gpu_timing, "WARM_SECONDS", 0.02)
    return card


def test_a_gpu_is_kept_busy_before_it_is_timed(card: Card) -> None:
    start = time.perf_counter()
    gpu_timing.warm_up(card.work, GPU)
    assert time.perf_counter() - start >= 0.02
    assert card.calls > 2


def test_latency_is_of_fifty_runs_at_least_beside_that_of_a_graph(card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gpu_timing, "replay_of", lambda work, device: card.replay)
    monkeypatch.setattr(gpu_timing, "warm_up", lambda work, device: 0.5)
    latency = _on_gpu(card.work, GPU, runs=3)
    assert card.calls == 50
    assert latency.median_ms == pytest.approx(0.5)
    assert latency.replay_ms == pytest.approx(0.1)
    monkeypatch.setattr(gpu_timing, "replay_of", lambda work, device: None)
    assert _on_gpu(card.work, GPU, runs=60).replay_ms is None
    assert card.calls == 110


def test_a_failed_capture_leaves_the_stream_as_it_was(card: Card, monkeypatch: pytest.MonkeyPatch) -> None:
    """As PyTorch's, a capture becomes the current stream, and where it cannot end it stays that."""
    current = [SimpleNamespace(wait_stream=lambda other: None)]
    usual = current[0]

    @contextmanager
    def stream(chosen: SimpleNamespace) -> Iterator[None]:
        before, current[0] = current[0], chosen
        try:
            yield
        finally:
            current[0] = before

    @contextmanager
    def graph(held: object) -> Iterator[None]:
        current[0] = SimpleNamespace()
        yield
        raise RuntimeError("CUDA error: operation failed due to a previous error during capture")

    for name, stand_in in {
        "Stream": lambda device: SimpleNamespace(wait_stream=lambda other: None),
        "current_stream": lambda device: current[0],
        "stream": stream,
        "CUDAGraph": SimpleNamespace,
        "graph": graph,
    }.items():
        monkeypatch.setattr(torch.cuda, name, stand_in)
    assert gpu_timing.replay_of(card.work, GPU) is None
    assert current[0] is usual


def test_short_work_is_timed_many_calls_at_a_time(card: Card) -> None:
    timing = time_pass(card.work, GPU, seconds=60)
    assert timing.median_ms == pytest.approx(0.5)
    assert timing.runs == 9
    assert _median_seconds(card.work, GPU) == pytest.approx(0.5e-3)
    assert (gpu_timing.calls_in_a_sample(0.5), gpu_timing.calls_in_a_sample(2000)) == (10, 1)


def test_a_large_card_gets_large_products_and_a_processor_those_that_it_had() -> None:
    assert (CPU_SIZE, GPU_SIZE) == (2048, 8192)


def test_the_clock_waits_for_the_work_of_each_kind_of_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    waited = []
    monkeypatch.setattr(torch.cuda, "synchronize", waited.append)
    monkeypatch.setattr(torch.mps, "synchronize", lambda: waited.append("mps"))
    for name in ("cpu", "cuda:0", "mps"):
        clock(torch.device(name))
    assert waited == [GPU, "mps"]


def test_on_a_processor_there_is_no_graph() -> None:
    assert measure_latency(nn.Conv2d(3, 3, 1), (1, 3, 4, 4), runs=2).replay_ms is None
