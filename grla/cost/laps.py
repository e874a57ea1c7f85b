"""A stopwatch for work that has phases."""

from __future__ import annotations

import torch

from grla.cost.latency import clock


class Laps:
    """Adds up seconds by phase, each called when it ends; together they are all the time since it was made.

    A GPU is synchronised at each call, so that a phase's time is that of its work and not of its launches.
    """

    def __init__(self, device: torch.device) -> None:
        self.seconds: dict[str, float] = {}
        self._device = device
        self._last = clock(device)

    def __call__(self, phase: str) -> None:
        """Give `phase` the time since the last call."""
        now = clock(self._device)
        self.seconds[phase] = self.seconds.get(phase, 0.0) + now - self._last
        self._last = now

    @property
    def total(self) -> float:
        """Seconds of all phases."""
        return sum(self.seconds.values())
