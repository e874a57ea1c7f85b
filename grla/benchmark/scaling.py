"""A sweep over numbers of tokens: time and memory of kernels and networks, laws fitted to them, one record of all."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from typing import Any

import torch

from grla.attention import build_kernel, kernel_names
from grla.benchmark.networks import benchmark_record
from grla.benchmark.points import PASSES, KernelSubject, NetworkSubject, Point, Subject, beside_roofs, measure_line
from grla.cost import find_crossover, fit_exponent, measure_roofs
from grla.errors import require, require_at_least

EVERY_KERNEL = tuple(kernel_names())
QUANTITIES = {"time": "median_ms", "memory": "memory_mib"}
REFERENCE = "softmax"
LEAST_SIZES = 3


@dataclass(frozen=True)
class Sweep:
    """What to measure; `run_benchmark.py scaling --help` explains the fields. Raises InputError for unusable values."""

    kernels: tuple[str, ...]
    models: tuple[str, ...]
    tokens: tuple[int, ...]
    head_dim: int
    upscale: int
    seconds_limit: float
    fit_from: int

    def __post_init__(self) -> None:
        for size in self.tokens:
            require_at_least("tokens", size, 1)
        require_at_least("head_dim", self.head_dim, 1)
        require_at_least("upscale", self.upscale, 1)
        rule = "must be above 0 and at most 86400, a day"
        require(0 < self.seconds_limit <= 86_400, "seconds_limit", rule, self.seconds_limit)
        sizes = sorted({size for size in self.tokens if size >= self.fit_from})
        rule = f"must hold at least {LEAST_SIZES} different sizes from `fit_from` ({self.fit_from}) on to fit a law to"
        require(len(sizes) >= LEAST_SIZES, "tokens", rule, self.tokens)
        require(bool(self.kernels or self.models), "kernels", "must name something to measure, or `models` must", ())

    def subjects(self) -> list[Subject]:
        """Kernels, then networks, each name once. Raises InputError for one that is unknown or cannot be built."""
        kernels = [KernelSubject(name, self.head_dim) for name in dict.fromkeys(self.kernels)]
        networks = [NetworkSubject(name, self.upscale) for name in dict.fromkeys(self.models)]
        subjects: list[Subject] = [*kernels, *networks]
        for subject in subjects:
            subject.build()
        return subjects


def run_sweep(sweep: Sweep, device: torch.device, progress: Callable[[Point], None]) -> dict[str, Any]:
    """The record of a sweep: the settings, roofs, points, exponents, crossovers with softmax.

    Each point runs in processes of its own, so one that is stopped or does not fit does not end the sweep. `progress`
    is called with every point. Raises InputError for an unknown kernel or network.
    """
    subjects = sweep.subjects()
    roofs = measure_roofs(device)
    points = []
    for subject, passes in itertools.product(subjects, PASSES):
        for point in measure_line(subject, passes, sweep.tokens, sweep.seconds_limit, device):
            points.append(beside_roofs(point, subject, roofs))
            progress(points[-1])
    return benchmark_record(
        device,
        **asdict(sweep),
        roofs=asdict(roofs),
        linear_kernels=[name for name in sweep.kernels if build_kernel(name, sweep.head_dim).linear],
        points=[asdict(point) for point in points],
        exponents=exponents(points, sweep.fit_from),
        crossovers=crossovers(points),
    )


def exponents(points: Iterable[Point], fit_from: int) -> list[dict[str, Any]]:
    """A row per subject, passes and quantity (time, memory): exponent, its interval low, high, number of points."""
    return [
        {"kind": kind, "name": name, "passes": passes, "quantity": quantity, **asdict(fit_exponent(line, fit_from))}
        for quantity in QUANTITIES
        for (kind, name, passes), line in _lines(points, quantity).items()
    ]


def crossovers(points: Iterable[Point]) -> list[dict[str, Any]]:
    """A row per subject and passes: from how many tokens on it is faster than softmax of the same kind, if measured."""
    lines = _lines(points, "time")
    return [
        {"kind": kind, "name": name, "passes": passes, **asdict(find_crossover(lines[kind, REFERENCE, passes], line))}
        for (kind, name, passes), line in lines.items()
        if name != REFERENCE and (kind, REFERENCE, passes) in lines
    ]


def _lines(points: Iterable[Point], quantity: str) -> dict[tuple[str, str, str], dict[int, float]]:
    """The measured values by number of tokens for each (kind, name, passes), empty if nothing was measured."""
    lines: dict[tuple[str, str, str], dict[int, float]] = {}
    for point in points:
        line = lines.setdefault((point.kind, point.name, point.passes), {})
        value = getattr(point, QUANTITIES[quantity])
        if value is not None:
            line[point.tokens] = value
    return lines
