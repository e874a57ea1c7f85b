"""Peak memory against allocations of known size, and models that fail in every way."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from grla.benchmark.memory import BatchSize, measure_memory, peak_columns, summarised, training_step_peak
from grla.cost import Answer, Peak
from grla.errors import InputError

CPU = torch.device("cpu")
KNOWN = """
import os, signal
import torch
from torch import nn

class Net(nn.Module):
    def __init__(self, num_weights=1):
        super().__init__()
        self.weights = nn.Parameter(torch.ones(num_weights))

    def forward(self, lr):
        return self.weights.mean() * lr.repeat_interleave(2, 2).repeat_interleave(2, 3)

class Holding(Net):
    def forward(self, lr):
        torch.ones(64 * 2**20)  # 256 MiB
        return super().forward(lr)

class Dying(Net):
    def forward(self, lr):
        if self.training:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().forward(lr)

def wide():
    return Net(32 * 2**20)  # 128 MiB
"""


@pytest.fixture(autouse=True)
def known(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "known_memory.py").write_text(KNOWN)
    monkeypatch.syspath_prepend(tmp_path)


def test_known_allocations_are_found_and_the_sweep_outlives_a_kill() -> None:
    names = ["known_memory:Holding", "known_memory:Dying", "sofmax"]
    record = measure_memory(names, 2, (16, 16), BatchSize(1, 8), 1, CPU)
    holding, dying, unknown = record["models"]
    assert [row["model"] for row in record["models"]] == names
    assert holding["outcome"] == "ok"
    assert 256 <= holding["forward_mib"] + 1 < 280
    assert 256 <= holding["training_step_mib"] + 1 < 300
    assert holding["forward_reserved_mib"] is None
    assert dying["forward_mib"] < 50
    assert dying["training_step_mib"] is None
    assert (dying["outcome"], dying["reason"][:38]) == ("out_of_memory", "training_step: its process was killed,")
    assert unknown["outcome"] == "error"
    assert "forward: model must be a kernel" in unknown["reason"]
    assert (record["batch_size"], record["patch_size"], record["lr_size"]) == (1, 8, [16, 16])


def test_a_training_step_holds_gradients_and_both_moments_of_adam() -> None:
    """Of 128 MiB of weights: a gradient and two moments, 384 MiB, and perhaps one more of each while Adam works."""
    columns = peak_columns("step", 1, training_step_peak, "known_memory:wide", 2, BatchSize(1, 8), CPU)
    assert columns["outcome"] == "ok"
    assert 384 <= columns["step_mib"] + 1 < 540


def test_repeats_are_summarised_by_median_lowest_and_highest() -> None:
    peaks = [Peak(30.0, 64.0), Peak(10.0, 32.0), Peak(20.0, 48.0)]
    assert summarised("forward", [Answer("ok", peak) for peak in peaks]) == {
        "forward_mib": 20,
        "forward_low_mib": 10,
        "forward_high_mib": 30,
        "forward_reserved_mib": 48,
        "outcome": "ok",
        "reason": "",
    }


def test_the_first_failure_ends_the_repeats() -> None:
    answers = iter([Answer("ok", Peak(1.0)), Answer("error", None, "why"), Answer("ok", Peak(2.0))])
    columns = summarised("forward", answers)
    assert (columns["outcome"], columns["reason"], columns["forward_mib"]) == ("error", "forward: why", None)
    assert [answer.value for answer in answers] == [Peak(2.0)]  # it was not asked for


def test_sizes_that_make_no_sense_are_refused() -> None:
    with pytest.raises(InputError, match="batch_size must be a whole number of at least 1, got 0"):
        BatchSize(0, 64)
    with pytest.raises(InputError, match="repeats must be a whole number of at least 1, got 0"):
        peak_columns("forward", 0, lambda: Peak(0.0))
