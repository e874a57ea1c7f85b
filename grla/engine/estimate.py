"""What a study would cost, known before it runs."""

from __future__ import annotations

import functools
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

import torch

from grla.cost import Counts
from grla.engine.measuring import work_of
from grla.engine.processes import USUAL, Arrangement, Machine, arrange, threads_of
from grla.engine.sizing import counts_of
from grla.engine.trunk import shares_to_train
from grla.errors import reason_of
from grla.model import build_model
from grla.spec import RunSpec, all_stages
from grla.study import Cell

Known = TypeVar("Known")

BATCH_AT_ONCE = 0.25
"""Seconds: where a patch takes less, a whole batch is timed, which takes less than its number of patches."""


@dataclass(frozen=True)
class Estimate:
    """A cell's counts and its expected training time in seconds on this machine; or the reason why one is not known."""

    cell: Cell
    counts: Counts | None
    seconds: float | None
    reason: str = ""


@dataclass(frozen=True)
class Forecast:
    """What each cell takes by itself, and how this machine would run them."""

    estimates: list[Estimate]
    arrangement: Arrangement

    @property
    def seconds(self) -> float:
        """Training of all cells, as many at a time as the arrangement says."""
        return sum(one.seconds or 0 for one in self.estimates) / self.arrangement.workers


def forecast(
    cells: Sequence[Cell], device: torch.device, workers: int | None = None, threads: int | None = None
) -> Forecast:
    """Count every cell and time training steps of each distinct model, on noise, with the threads it would have.

    Steps that cells share are counted once (`grla.engine.trunk`). A network that cannot be built, counted or trained
    has the reason instead. Costs measured later (latency, test images) are not in the forecast, nor is what cells take
    from each other that run side by side. Raises InputError for more threads than cores.
    """
    distinct = dict.fromkeys(replace(cell.spec, seed=0) for cell in cells)
    counts = {spec: _or_reason(functools.partial(counts_of, spec)) for spec in distinct}
    macs = [(spec, {"macs": found.macs if found else None}) for spec, (found, _) in counts.items()]
    work = replace(work_of(macs, USUAL), num_cells=len(cells))
    arrangement = arrange(work, Machine.here(device), workers or None, threads)
    with threads_of(arrangement.processes * arrangement.threads):
        seconds = {spec: _or_reason(functools.partial(_training_seconds, spec, device)) for spec in distinct}
    estimates = []
    for cell, share in zip(cells, shares_to_train([cell.spec for cell in cells]), strict=True):
        unseeded = replace(cell.spec, seed=0)
        (counted, uncounted), (whole, untrained) = counts[unseeded], seconds[unseeded]
        estimates.append(Estimate(cell, counted, None if whole is None else share * whole, untrained or uncounted))
    return Forecast(estimates, arrangement)


def _or_reason(work: Callable[[], Known]) -> tuple[Known | None, str]:
    """What `work` on a network gives, or why it gives nothing: code from outside may raise anything."""
    try:
        return work(), ""
    except Exception as error:
        return None, reason_of(error)


def _training_seconds(spec: RunSpec, device: torch.device) -> float:
    """The second of two steps, times the pixels to train on over its own; of large networks on a CPU of one patch."""
    budget = spec.train.budget
    if budget.unit == "min":
        return 60 * budget.amount
    model, side = build_model(spec.model).to(device).train(), spec.data.patch_size

    def step(batch: int) -> float:
        lr = torch.rand(batch, 3, side, side, device=device)
        start = time.perf_counter()
        model(lr).mean().backward()
        if device.type == "cuda":
            torch.cuda.synchronize(device)
        return time.perf_counter() - start

    batch = spec.data.batch_size
    if device.type != "cuda":
        step(1)
        batch = batch if step(1) < BATCH_AT_ONCE else 1
    step(batch)
    return step(batch) * _pixels(spec) / (batch * side**2)


def _pixels(spec: RunSpec) -> float:
    """LR pixels that are trained on within a budget in steps."""
    stages, steps = all_stages(spec.data), spec.train.budget.amount
    ends = [*(first for first, _, _ in stages[1:]), steps]
    return sum(
        max(0, min(end, steps) - first) * batch_size * patch_size**2
        for (first, patch_size, batch_size), end in zip(stages, ends, strict=True)
    )
