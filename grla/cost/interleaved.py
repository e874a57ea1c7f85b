"""Timing several networks against each other in one process, in turns, so that all run under the same conditions."""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from grla.cost import gpu_timing
from grla.cost.latency import clock, device_of, suited
from grla.errors import InputError, require, require_at_least

AGAIN = " again"  # suffix of the name under which the base is timed a second time
STABLE = 0.05  # warm-up ends when two runs in a row differ by less than this share
MOST_WARMUPS = 10
NUM_RESAMPLES = 10_000


@dataclass(frozen=True)
class Turn:
    """One network's times against the base's.

    Milliseconds of one run (a forward pass, a training step): median and percentiles over rounds. `ratio` is the median
    over rounds of its time over the base's in the same round, `low` and `high` the 95 % bootstrap interval of that
    median.
    """

    name: str
    median_ms: float
    p10_ms: float
    p90_ms: float
    p99_ms: float
    ratio: float
    low: float
    high: float


def time_in_turns(
    models: Mapping[str, nn.Module], base: str, input_shape: tuple[int, ...], rounds: int, seed: int = 0
) -> list[Turn]:
    """Time one forward pass of every network per round, by the rules of `take_turns`.

    The input (batch, channels, height, width) is noise in [0, 1] on the device of each network. A GPU is first
    kept busy for half a second with each, and events take the time. Raises InputError for an unknown base or a network
    that the input does not suit.
    """
    lr = torch.rand(input_shape, generator=torch.Generator().manual_seed(seed))
    runs = {name: functools.partial(_milliseconds, name, model.eval(), lr) for name, model in models.items()}
    with torch.inference_mode():
        for model in models.values():
            device = device_of(model)
            if device.type == "cuda":
                gpu_timing.warm_up(functools.partial(model, suited(lr, model)), device)
        return take_turns(runs, base, rounds, seed)


def take_turns(runs: Mapping[str, Callable[[], float]], base: str, rounds: int, seed: int = 0) -> list[Turn]:
    """Call each of `runs`, which return their milliseconds, once per round in random order, and the base twice.

    Before the rounds each is called until its time is stable. The base's second turn, named "... again", is the noise
    floor: how far from 1 a ratio can be where nothing differs. Raises InputError for an unknown base or too few rounds.
    """
    require(base in runs, "base", f"must be one of {', '.join(runs)}", base)
    require_at_least("rounds", rounds, 2)
    timed = {**runs, f"{base}{AGAIN}": runs[base]}
    random = np.random.default_rng(seed)
    for run in runs.values():
        _warm_up(run)
    times = {name: np.empty(rounds) for name in timed}
    for turn in range(rounds):
        for name in random.permutation(list(timed)):
            times[name][turn] = timed[name]()
    return [_turn(name, mine, times[base], random) for name, mine in times.items()]


def _warm_up(run: Callable[[], float]) -> None:
    before = run()
    for _ in range(MOST_WARMUPS):
        now = run()
        if abs(now - before) < STABLE * before:
            return
        before = now


def _milliseconds(name: str, model: nn.Module, lr: torch.Tensor) -> float:
    device = device_of(model)
    there = suited(lr, model)
    try:
        return time_on(device, lambda: model(there))
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"model {name} cannot upscale an input of {tuple(lr.shape)}: {reason}") from error


def time_on(device: torch.device, work: Callable[[], object]) -> float:
    """Milliseconds of a call of `work`: by the clock on a CPU, by events on a GPU."""
    if device.type == "cuda":
        return gpu_timing.sample_ms(work, device)
    start = clock(device)
    work()
    return 1000 * (clock(device) - start)


def _turn(name: str, mine: NDArray[np.float64], base: NDArray[np.float64], random: np.random.Generator) -> Turn:
    ratios = mine / base
    resampled = np.median(ratios[random.integers(0, len(ratios), (NUM_RESAMPLES, len(ratios)))], axis=1)
    low, high = np.percentile(resampled, [2.5, 97.5])
    median, p10, p90, p99 = np.percentile(mine, [50, 10, 90, 99])
    return Turn(name, *(float(value) for value in (median, p10, p90, p99, np.median(ratios), low, high)))
