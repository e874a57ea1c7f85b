"""What a study would cost, without running it."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

import torch

from grla.cost import Counts, count
from grla.model import build_model, build_on_meta
from grla.spec import RunSpec
from grla.study import Cell


@dataclass(frozen=True)
class Estimate:
    """A cell's counts and its expected training time in seconds on this machine."""

    cell: Cell
    counts: Counts
    seconds: float


def estimate(cells: tuple[Cell, ...], device: torch.device) -> list[Estimate]:
    """Count every cell and time one training step of each distinct model, on noise, to estimate its training time.

    Raises InputError for a cell that cannot be built or counted. Costs measured later (latency, test images) are not
    in the estimate.
    """
    known: dict[RunSpec, tuple[Counts, float]] = {}
    estimates = []
    for cell in cells:
        unseeded = replace(cell.spec, seed=0)
        if unseeded not in known:
            known[unseeded] = (_count(cell.spec), _training_seconds(unseeded, device))
        estimates.append(Estimate(cell, *known[unseeded]))
    return estimates


def _count(spec: RunSpec) -> Counts:
    height, width = (side // spec.model.upscale for side in spec.cost.count_output)
    return count(build_on_meta(spec.model), (1, 3, height, width))


def _training_seconds(spec: RunSpec, device: torch.device) -> float:
    """Steps times the second of two steps; a full batch is timed as one image times the batch size on a CPU."""
    budget = spec.train.budget
    if budget.unit == "min":
        return 60 * budget.amount
    batch = spec.data.batch_size if device.type == "cuda" else 1
    model = build_model(spec.model).to(device).train()
    lr = torch.rand(batch, 3, spec.data.patch_size, spec.data.patch_size, device=device)
    for _ in range(2):
        start = time.perf_counter()
        model(lr).mean().backward()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
    return budget.amount * (time.perf_counter() - start) * spec.data.batch_size / batch
