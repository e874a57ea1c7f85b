"""Throughput by arrangements: what is compared, what a row says, and that a model's fault is a line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from grla.benchmark import throughput
from grla.benchmark.memory import BatchSize
from grla.benchmark.throughput import Throughput, arrangements, measure_throughput, step_seconds
from grla.engine import Arrangement
from grla.errors import InputError
from grla.report import throughput_table
from grla.spec import Budget, DataSpec, ModelSpec, OutsideSpec, RunSpec, TrainSpec

SMALL = ModelSpec(upscale=2, dim=8, depth=1, window_size=4, num_heads=2)
SPEC = RunSpec(SMALL, DataSpec(patch_size=8, batch_size=2), TrainSpec(Budget(100, "steps")))
SLEEPER = """
import time
import torch

class Sleeper(torch.nn.Conv2d):
    def forward(self, x):
        time.sleep(0.2)
        return super().forward(x)

def build(upscale):
    return torch.nn.Sequential(Sleeper(3, 3 * upscale**2, 3, padding=1), torch.nn.PixelShuffle(upscale))

def faulty(upscale):
    return torch.nn.Conv2d(4, 3, 3, padding=1)
"""


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sleeping_model.py").write_text(SLEEPER)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))


def test_on_a_gpu_cells_side_by_side_are_compared_as_far_as_they_fit(monkeypatch: pytest.MonkeyPatch) -> None:
    """Twice as many are 1.5 times as fast until four do not fit; of eight nothing is asked in the second round."""
    asked: list[int] = []

    def pretended(spec: RunSpec, way: Arrangement, steps: int, device: torch.device) -> float:
        assert device.type == "cuda"
        asked.append(way.workers)
        if way.workers >= 4:
            raise InputError("the model cannot be trained: CUDA out of memory")
        return 0.1 * way.workers / 1.5 ** (way.workers - 1)

    monkeypatch.setattr(throughput, "step_seconds", pretended)
    monkeypatch.setattr(throughput, "benchmark_record", lambda device, **found: found)  # which asks for the GPU's name
    asked_for = Throughput(("quick",), 4, BatchSize(), rounds=2, device=torch.device("cuda", 0))
    record = json.loads(json.dumps(measure_throughput(asked_for)))
    assert [(row["workers"], row["times"]) for row in record["models"]] == [(1, 1.0), (2, pytest.approx(1.5))]
    assert {one["workers"]: one["reason"][-13:] for one in record["left_out"]} == {
        4: "out of memory",
        8: "out of memory",
    }
    assert sorted(asked) == [1, 1, 2, 2, 4, 8]


def test_one_thread_is_compared_with_the_ways_to_use_all_cores() -> None:
    assert arrangements(1, 4) == [Arrangement()]
    assert arrangements(4, 4) == [Arrangement(), Arrangement(threads=4), Arrangement(4), Arrangement(processes=4)]
    assert arrangements(3, 4)[-1] == Arrangement(processes=2)  # as many as can share the batch equally


@pytest.mark.usefixtures("models")
@pytest.mark.parametrize("way", [Arrangement(), Arrangement(2), Arrangement(processes=2)])
def test_a_step_takes_what_it_takes_in_every_arrangement(way: Arrangement) -> None:
    spec = RunSpec(OutsideSpec("sleeping_model:build", upscale=2), SPEC.data, SPEC.train)
    assert 0.2 <= step_seconds(spec, way, 2) < 2.0


@pytest.mark.usefixtures("models")
def test_a_model_that_cannot_be_trained_is_a_line() -> None:
    spec = RunSpec(OutsideSpec("sleeping_model:faulty", upscale=2), SPEC.data, SPEC.train)
    with pytest.raises(InputError, match=r"the model cannot be trained: .*4 channels"):
        step_seconds(spec, Arrangement(2), 1)


def test_a_record_has_a_row_for_each_arrangement_and_is_shown() -> None:
    record = measure_throughput(Throughput(("quick",), 4, BatchSize(), rounds=2, steps=1))
    (row,) = json.loads(json.dumps(record))["models"]  # with one thread there is one arrangement
    assert (row["workers"], row["processes"], row["threads"], row["batch_size"], row["patch_size"]) == (1, 1, 1, 4, 24)
    assert row["patches_per_second_low"] <= row["patches_per_second"] <= row["patches_per_second_high"]
    assert row["times"] == 1.0
    assert "| quick   | 4 x 24x24 |" in throughput_table(record)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"models": ("nope",)}, "model must be quick, a kernel"),
        ({"rounds": 0}, "rounds must be a whole number of at least 1, got 0"),
        ({"steps": 0}, "steps must be a whole number of at least 1, got 0"),
    ],
)
def test_bad_arguments_are_named(arguments: dict[str, object], message: str) -> None:
    with pytest.raises(InputError, match=message):
        measure_throughput(Throughput(**({"models": ("quick",), "upscale": 4, "batch": BatchSize()} | arguments)))
