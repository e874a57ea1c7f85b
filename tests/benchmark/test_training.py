"""Training in turns, networks whose phases are known because they sleep; and where a cell's time goes."""

from __future__ import annotations

import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from grla.benchmark.memory import BatchSize
from grla.benchmark.training import HARNESS_PHASES, TimedTrainer, TrainingTimes, harness_share, time_training
from grla.cost import Laps
from grla.engine.material import Material, load_material
from grla.errors import InputError
from grla.spec import Budget
from grla.study import SMOKE

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)
SLEEPERS = """
import time
import torch
from torch import nn

class SleepyBackward(torch.autograd.Function):
    @staticmethod
    def forward(context, x, seconds):
        context.seconds = seconds
        return x.clone()

    @staticmethod
    def backward(context, gradient):
        time.sleep(context.seconds)
        return gradient, None

class Sleeper(nn.Module):
    def __init__(self, forward_seconds, backward_seconds):
        super().__init__()
        self.seconds = forward_seconds, backward_seconds
        self.scale = nn.Parameter(torch.ones(1))

    def forward(self, lr):
        time.sleep(self.seconds[0])
        sr = self.scale * lr.repeat_interleave(2, 2).repeat_interleave(2, 3)
        return SleepyBackward.apply(sr, self.seconds[1])

def forward():
    return Sleeper(0.2, 0.01)

def backward():
    return Sleeper(0.01, 0.2)

def wrong_size():
    return nn.Conv2d(3, 3, 1)
"""


def small_cell(crops: Path, steps: int) -> dict[str, object]:
    small = {"model.upscale": 2, "train.budget": Budget(steps, "steps"), "cost.count_output": (32, 32)}
    return {**SMOKE, **small, "data.train": str(crops / "train"), "data.test": (str(crops / "test"),)}


@pytest.fixture
def train(crops: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """`time_training` with a process per model, and a cell of two steps on small crops."""
    (tmp_path / "sleepers.py").write_text(SLEEPERS)
    monkeypatch.syspath_prepend(tmp_path)

    def train(*names: str, base: str, patch_size: int = 8) -> dict[str, Any]:
        asked = TrainingTimes(names, base, 2, 2, BatchSize(2, patch_size), 1, small_cell(crops, 2))
        return time_training(asked, tmp_path / "out", CPU)

    return train


def test_time_is_found_where_it_was_spent_and_a_broken_network_keeps_its_row(train: Any, tmp_path: Path) -> None:
    names = ("sleepers:forward", "sleepers:wrong_size", "sleepers:backward")
    record = train(*names, base="sleepers:forward")
    forward, wrong, backward = record["models"]
    assert [row["model"] for row in record["models"]] == list(names)
    assert forward["forward_share"] > forward["backward_share"] > 0
    assert backward["backward_share"] > backward["forward_share"] > 0
    shares = [f"{phase}_share" for phase in ("data", "forward", "backward", "optimiser", "logging")]
    assert sum(forward[share] for share in shares) == pytest.approx(1)
    assert forward["seconds_per_1000"] == forward["median_ms"] >= 210
    assert forward["images_per_second"] == pytest.approx(2 / (forward["median_ms"] / 1000))
    assert (forward["ratio"], forward["low"], forward["high"]) == (1, 1, 1)
    assert forward["training_step_mib"] < 100
    assert (wrong["outcome"], "ratio" in wrong) == ("error", False)
    assert "training_step: the model must map (2, 3, 8, 8) to (2, 3, 16, 16)" in wrong["reason"]
    assert (record["harness"]["outcome"], record["harness"]["budget"]) == ("ok", "2steps")
    assert set(record["noise_floor"]) == {"ratio", "low", "high"}
    assert record["conditions"]["before"]["threads"] == torch.get_num_threads()
    assert str(tmp_path) not in json.dumps(record, allow_nan=False)


@pytest.mark.parametrize(
    ("base", "patch_size", "message"),
    [
        ("relu", 8, "base must be one of the models, sleepers:wrong_size, got 'relu'"),
        ("sleepers:wrong_size", 8, "^model sleepers:wrong_size, the base, cannot be trained here: "),
        ("sleepers:wrong_size", 500, "500"),
    ],
)
def test_what_cannot_be_compared_is_refused(train: Any, base: str, patch_size: int, message: str) -> None:
    with pytest.raises(InputError, match=message):
        train("sleepers:wrong_size", base=base, patch_size=patch_size)


def test_a_gpu_is_kept_busy_with_each_network_before_the_turns(train: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the name of the device is another one."""
    warmed = []
    monkeypatch.setattr("grla.benchmark.training.warm_up", lambda work, device: warmed.append((work(), device)))
    monkeypatch.setattr(TimedTrainer, "device", property(lambda self: GPU, lambda self, device: None), raising=False)
    monkeypatch.setattr("grla.benchmark.training.Laps", lambda device: Laps(CPU))
    train("sleepers:forward", "sleepers:backward", base="sleepers:forward")
    assert [device for _, device in warmed] == [GPU, GPU]
    assert all(milliseconds > 200 for milliseconds, _ in warmed)


def test_a_single_round_is_refused() -> None:
    with pytest.raises(InputError, match="rounds must be a whole number of at least 2, got 1"):
        TrainingTimes(("relu",), "relu", 2, 1, BatchSize(2, 8))


def test_all_time_of_a_cell_is_shared_out_and_a_slow_sampler_is_found(crops: Path, tmp_path: Path) -> None:
    def slow_material(*arguments: Any) -> Material:
        material = load_material(*arguments)

        def batch(seed: int, step: int) -> tuple[torch.Tensor, torch.Tensor]:
            time.sleep(0.2)
            return material.batch(seed, step)

        return dataclasses.replace(material, batch=batch)

    start = time.perf_counter()
    found = harness_share(small_cell(crops, 5), tmp_path, CPU, slow_material)
    elapsed = time.perf_counter() - start
    seconds = found["seconds"]
    assert found["outcome"] == "ok"
    assert set(seconds) == {*HARNESS_PHASES, *"forward backward optimiser validation scoring".split()}
    assert 1 <= seconds["data"] < sum(seconds.values()) <= elapsed
    assert found["harness_share"] == pytest.approx(
        sum(seconds[phase] for phase in ("data", "logging", "checkpoint", "storage")) / sum(seconds.values())
    )
    assert found["budget"] == "5steps"
    assert not list(tmp_path.iterdir())  # the scratch folder is gone
