"""What a study is said to cost before it runs."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from grla.engine import Arrangement, Machine, forecast
from grla.engine.estimate import BATCH_AT_ONCE, _pixels, _training_seconds
from grla.spec import Budget, DataSpec, RunSpec, TrainSpec, with_changes
from grla.study import Factor, Study

CPU = torch.device("cpu")


def test_every_cell_is_known(tiny: Study) -> None:
    expected = forecast(tiny.cells("smoke", {}, seeds=2), CPU)
    assert [one.cell.variant for one in expected.estimates] == ["base", "kernel=relu", "depth=2"] * 2
    assert all(one.seconds and one.counts and one.counts.macs > 0 for one in expected.estimates)


def test_cells_run_as_many_at_a_time_as_the_study_would(tiny: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grla.engine.estimate._training_seconds", lambda spec, device: float(torch.get_num_threads()))
    monkeypatch.setattr(Machine, "here", lambda device: Machine(4))
    expected = forecast(tiny.cells("smoke", {}, seeds=2), CPU)
    assert expected.arrangement == Arrangement(4, 1, 1)
    assert expected.seconds == 6 * 1 / 4  # timed with one thread
    assert forecast(tiny.cells("smoke", {}, seeds=2), CPU, workers=1, threads=2).arrangement == Arrangement(1, 1, 2)


def test_steps_that_budgets_share_are_counted_once(tiny: Study, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("grla.engine.estimate._training_seconds", lambda spec, device: spec.train.budget.amount)
    budgets = {str(steps): {"train.budget": Budget(steps, "steps")} for steps in (200, 400, 800)}
    study = replace(tiny, factors=(Factor("steps", budgets),))
    stable = {"train.schedule": "stable", "train.validations": 5, "train.budget": Budget(200, "steps")}
    # 200 go 100 and, from 80, 200; 400 from 160, 800 from 320.
    expected = forecast(study.cells("smoke", stable, seeds=1), CPU)
    assert [one.seconds for one in expected.estimates] == pytest.approx([100 + 120, 240, 480])
    apart = forecast(study.cells("smoke", {**stable, "train.schedule": "cosine"}, seeds=1), CPU)
    assert [one.seconds for one in apart.estimates] == [200, 400, 800]


def test_a_small_network_is_timed_by_the_batch_and_a_large_one_by_the_patch(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []

    class Network(torch.nn.Module):
        def __init__(self, seconds: float) -> None:
            super().__init__()
            self.scale, self.seconds = torch.nn.Parameter(torch.ones(())), seconds

        def forward(self, lr: torch.Tensor) -> torch.Tensor:
            seen.append(len(lr))
            clock[0] += self.seconds * (1 + len(lr))  # every call costs as much as a patch
            return self.scale * lr

    clock = [0.0]
    monkeypatch.setattr("grla.engine.estimate.time.perf_counter", lambda: clock[0])
    spec = RunSpec(train=TrainSpec(Budget(100, "steps")), data=DataSpec(patch_size=8, batch_size=4))
    for seconds, batch in ((BATCH_AT_ONCE / 10, 4), (BATCH_AT_ONCE, 1)):
        seen.clear()
        network = Network(seconds)
        monkeypatch.setattr("grla.engine.estimate.build_model", lambda model, network=network: network)
        assert _training_seconds(spec, CPU) == pytest.approx(100 * 4 / batch * seconds * (1 + batch))
        assert seen[-1] == batch


def test_pixels_are_those_of_each_stage_within_the_budget() -> None:
    spec = RunSpec(train=TrainSpec(Budget(100, "steps")), data=DataSpec(patch_size=16, batch_size=2))
    assert _pixels(spec) == 100 * 2 * 256
    staged = with_changes(spec, {"data.stages": ((30, 32, 3), (200, 64, 9))})
    assert _pixels(staged) == 30 * 2 * 256 + 70 * 3 * 1024
