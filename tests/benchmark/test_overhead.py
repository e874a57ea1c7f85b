"""Where a cell's time goes: nothing is left out, and what is slow is found."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path
from typing import Any

import pytest
import torch

from grla.benchmark import overhead
from grla.benchmark.overhead import HARNESS_PHASES, harness_share
from grla.engine.material import Material, load_material
from grla.spec import Budget
from grla.study import SMOKE

CPU = torch.device("cpu")


def test_all_time_of_a_cell_is_shared_out_and_a_slow_sampler_is_found(
    crops: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def slow_material(*arguments: Any) -> Material:
        material = load_material(*arguments)

        def batch(seed: int, step: int) -> tuple[torch.Tensor, torch.Tensor]:
            time.sleep(0.2)
            return material.batch(seed, step)

        return dataclasses.replace(material, batch=batch)

    monkeypatch.setattr(overhead, "load_material", slow_material)
    small = {"model.upscale": 2, "train.budget": Budget(5, "steps"), "cost.count_output": (32, 32)}
    photographs = {"data.train": str(crops / "train"), "data.test": (str(crops / "test"),)}
    start = time.perf_counter()
    found = harness_share({**SMOKE, **small, **photographs}, tmp_path, CPU)
    elapsed = time.perf_counter() - start
    seconds = found["seconds"]
    assert found["outcome"] == "ok"
    assert set(seconds) == {*HARNESS_PHASES, *"pricing forward backward optimiser validation scoring".split()}
    assert 1 <= seconds["data"] < sum(seconds.values()) <= elapsed
    assert found["harness_share"] == pytest.approx(
        sum(seconds[phase] for phase in ("data", "logging", "checkpoint", "storage")) / sum(seconds.values())
    )
    assert found["budget"] == "5steps"
    assert not list(tmp_path.iterdir())  # the scratch folder is gone
