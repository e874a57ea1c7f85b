"""A stopwatch for work that has phases."""

from __future__ import annotations

from collections.abc import Callable

import torch

from grla.cost.latency import clock


class Laps:
    """Adds up seconds by phase; call it with a phase's name when that phase ends. Phases share out all the time.

    A GPU is synchronised at each call, so that a phase's time includes the work that it launched.
    """

    def __init__(self, device: torch.device, clock: Callable[[torch.device], float] = clock) -> None:
        self.seconds: dict[str, float] = {}
        self._device = device
        self._clock = clock
        self._last = clock(device)

    def __call__(self, phase: str) -> None:
        """Add the time since the last call, or since the start, to `phase`."""
        now = self._clock(self._device)
        self.seconds[phase] = self.seconds.get(phase, 0.0) + now - self._last
        self._last = now

    @property
    def total(self) -> float:
        """Seconds of all phases."""
        return sum(self.seconds.values())
