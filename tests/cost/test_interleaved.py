"""Timing in turns: order, noise floor, ratios; on networks whose times are known because they sleep."""

from __future__ import annotations

import time

import pytest
import torch
from torch import nn

from grla.cost import take_turns, time_in_turns
from grla.errors import InputError


class Sleeper(nn.Module):
    def __init__(self, name: str, seconds: float, calls: list[str]) -> None:
        super().__init__()
        self.name, self.seconds, self.calls = name, seconds, calls

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        self.calls.append(self.name)
        time.sleep(self.seconds)
        return x


def test_every_round_runs_each_network_once_and_the_base_twice_in_changing_order() -> None:
    calls: list[str] = []
    models = {name: Sleeper(name, 0.001, calls) for name in "abc"}
    turns = time_in_turns(models, "a", (1, 3, 4, 4), rounds=12)
    assert [turn.name for turn in turns] == ["a", "b", "c", "a again"]
    rounds = [tuple(calls[-48:][start : start + 4]) for start in range(0, 48, 4)]
    assert all(sorted(names) == ["a", "a", "b", "c"] for names in rounds)
    assert len(set(rounds)) > 3


def test_ratios_are_to_the_base_of_the_same_round() -> None:
    """A sleep is at least as long as asked for, so the order of the medians is certain."""
    models = {"slow": Sleeper("slow", 0.02, []), "fast": Sleeper("fast", 0.002, [])}
    slow, fast, again = time_in_turns(models, "slow", (1, 3, 4, 4), rounds=5)
    assert (slow.ratio, slow.low, slow.high) == (1, 1, 1)
    assert fast.ratio < 1
    assert fast.low <= fast.ratio <= fast.high
    assert slow.p10_ms <= slow.median_ms <= slow.p90_ms <= slow.p99_ms
    assert again.name == "slow again"
    assert again.median_ms >= 20


def test_numbers_are_those_of_the_rounds_and_not_of_the_warm_up() -> None:
    """Runs that return known times: 9 and 3 ms in the warm-up (until two in a row are alike), 5 and 20 ms after."""
    warming = iter([9.0, 3.0, 3.0])
    turns = take_turns({"base": lambda: next(warming, 5.0), "slow": lambda: 20.0}, "base", rounds=3)
    assert [(turn.name, turn.median_ms, turn.ratio, turn.low, turn.high) for turn in turns] == [
        ("base", 5, 1, 1, 1),
        ("slow", 20, 4, 4, 4),
        ("base again", 5, 1, 1, 1),
    ]


@pytest.mark.parametrize(
    ("base", "shape", "rounds", "message"),
    [
        ("b", (1, 3, 4, 4), 5, "base must be one of a, got 'b'"),
        ("a", (1, 3, 4, 4), 1, "rounds must be .* at least 2"),
        ("a", (1, 3, 2, 2), 5, r"model a cannot upscale an input of \(1, 3, 2, 2\)"),
    ],
)
def test_what_cannot_be_timed_is_refused(base: str, shape: tuple[int, ...], rounds: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        time_in_turns({"a": nn.Conv2d(3, 3, 4)}, base, shape, rounds)
