"""The work of a training step as a CUDA graph: captured once, then replayed on other batches."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Hashable

import torch
from torch import Tensor

Key = tuple[Hashable, ...]
Work = Callable[[Tensor, Tensor], Tensor]
"""From lr and hr to the loss, without asking the GPU for anything on the way."""
WARM_UPS = 3
"""Steps before the capture, in which libraries choose their algorithms and memory is laid out."""


class StepGraph:
    """`work`, called on batches that are all as `key` says; see "CUDA graphs" in PyTorch's notes on CUDA.

    The first calls run it as it is, one captures it, and from then on it is replayed: each call does one step. The
    loss that a call returns is overwritten by the next one.
    """

    def __init__(self, work: Work, key: Key) -> None:
        self.key = key
        self.captured = False
        self._work = work
        self._warm_ups = 0

    def __call__(self, lr: Tensor, hr: Tensor) -> Tensor:
        """The loss of one step."""
        if not self.captured and self._warm_ups < WARM_UPS:
            self._warm_ups += 1
            return self.warmed_up(lr, hr)
        if not self.captured:
            self._lr, self._hr = lr.clone(), hr.clone()
            self._replay, self._loss = self.capture(lambda: self._work(self._lr, self._hr))
            self.captured = True
        self._lr.copy_(lr, non_blocking=True)
        self._hr.copy_(hr, non_blocking=True)
        self._replay()
        return self._loss

    def warmed_up(self, lr: Tensor, hr: Tensor) -> Tensor:
        """One call as it is, on a stream beside the usual one, as capturing needs it."""
        usual, beside = torch.cuda.current_stream(), torch.cuda.Stream()
        beside.wait_stream(usual)
        with torch.cuda.stream(beside), warnings.catch_warnings():
            warnings.filterwarnings("ignore", "This instance was constructed with capturable=True")
            loss = self._work(lr, hr)
        usual.wait_stream(beside)
        return loss

    def capture(self, work: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
        """What replays `work`, and the loss that it leaves; nothing is computed yet."""
        graph = torch.cuda.CUDAGraph()
        # Another thread makes batches meanwhile, which is none of this graph's business.
        with torch.cuda.graph(graph, capture_error_mode="thread_local"):
            loss = work()
        return graph.replay, loss
