"""A worker on a machine that also does other things, against the same worker alone, in turns within one run."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator
from contextlib import contextmanager

from grla.benchmark.throughput import step_seconds
from grla.engine import Arrangement
from grla.spec import Budget, DataSpec, ModelSpec, RunSpec, TrainSpec

SMALL = ModelSpec(dim=16, depth=1, window_size=8, num_heads=2)
SPEC = RunSpec(SMALL, DataSpec(patch_size=24, batch_size=4), TrainSpec(Budget(1000, "steps")))
STEPS = 15


def spin() -> None:
    while True:
        pass


@contextmanager
def other_work() -> Iterator[None]:
    """As many processes as there are cores, each of which would have one for itself."""
    context = multiprocessing.get_context("fork")
    others = [context.Process(target=spin, daemon=True) for _ in range(os.cpu_count() or 1)]
    for other in others:
        other.start()
    try:
        yield
    finally:
        for other in others:
            other.kill()
            other.join()


def test_a_busy_machine_costs_a_worker_its_share_and_no_more() -> None:
    """With a thread that spins for another that does not run it would be ten times as long and more."""
    alone = step_seconds(SPEC, Arrangement(), STEPS)
    with other_work():
        assert step_seconds(SPEC, Arrangement(), STEPS) < 3 * alone
