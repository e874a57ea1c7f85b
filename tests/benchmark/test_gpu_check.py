"""The check of a GPU, run small on the CPU: what it finds, and that a fault of one check is not the end of all."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from grla.benchmark import gpu_check, gpu_checks
from grla.benchmark.gpu_check import check_gpu, run_check, what_is_checked
from grla.benchmark.gpu_checks import (
    CHECKS,
    NEAR,
    Row,
    Subject,
    latency,
    launches,
    memory,
    parity,
    queues,
    resuming,
    training,
)
from grla.spec import ModelSpec
from grla.training import QueuedTrainer, Trainer

CPU = torch.device("cpu")


@pytest.fixture
def subject() -> Subject:
    model = ModelSpec(dim=8, depth=1, window_size=4, num_heads=2)
    return Subject(CPU, ("gaussian_rbf", "rbf_ridge"), model, 8, 2, (8, 8), tokens=50)


def test_kernels_are_compared_with_float64_in_both_types(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = parity(subject)
    assert [(row["kernel"], row["type"]) for row in rows] == [
        (name, str(dtype)) for name in subject.kernels for dtype in NEAR
    ]
    assert all(row["ok"] and 0 < row["worst"] < row["limit"] for row in rows)
    monkeypatch.setitem(NEAR, torch.float32, 1e-12)
    assert not parity(subject)[0]["ok"]


class Scaled(torch.autograd.Function):
    """What it is given; the gradient times a factor."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, factor: float) -> Tensor:
        ctx.factor = factor
        return x.clone()

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, None]:
        return grad * ctx.factor, None


class WithoutGradients(nn.Module):
    """Right answers; gradients are zero, or NaN, but in float64."""

    amplifies_rounding = 1.0

    def __init__(self, factor: float) -> None:
        super().__init__()
        self.factor = factor

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        out = q + k + v
        return out if q.dtype == torch.float64 else Scaled.apply(out, self.factor)


@pytest.mark.parametrize(("factor", "worst"), [(0.0, 1.0), (math.nan, None)])
def test_gradients_that_are_all_zero_or_no_numbers_are_a_fault(
    subject: Subject, monkeypatch: pytest.MonkeyPatch, factor: float, worst: float | None
) -> None:
    monkeypatch.setattr(gpu_checks, "build_kernel", lambda name, head_dim: WithoutGradients(factor))
    for row in parity(subject):
        assert (row["worst"], row["ok"]) == (worst, False)


def test_losses_that_are_not_the_cpu_s_are_a_fault(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    class Wrong(Trainer):
        def loss_value(self, loss: Tensor) -> float:
            return super().loss_value(loss) * (1.1 if self.spec.computed_in == "bf16" else 1)

    monkeypatch.setattr(gpu_checks, "Trainer", Wrong)
    for row in training(subject):
        assert row["ok"] == (row["precision"] != "bf16")


def test_a_gpu_on_which_no_launch_is_seen_is_a_fault(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    """Only the name of the device is another one."""
    here, rand = Subject.trainer, torch.rand

    def on_cpu(*size: int, device: torch.device = CPU, **more: Any) -> Tensor:
        return rand(*size, **more)

    monkeypatch.setattr(gpu_checks, "_launched", lambda work: 0)
    monkeypatch.setattr(Subject, "trainer", lambda self, kernel, device: here(self, kernel, CPU))
    monkeypatch.setattr(torch, "rand", on_cpu)
    for device, ok in ((CPU, True), (torch.device("cuda", 0), False)):
        (row,) = launches(replace(subject, device=device))
        assert row["ok"] == ok


def test_training_falls_resumes_and_is_weighed(subject: Subject) -> None:
    rows = training(subject)
    assert {row["kernel"] for row in rows} == set(subject.kernels)
    assert all(row["losses"][0] != row["losses"][1] and row["step_ms"] > 0 for row in rows)
    assert resuming(subject)[0]["largest_difference_of_weights"] == 0  # on a CPU, to the bit
    assert all(row["mib"] >= 0 for row in memory(subject))


def test_queued_steps_are_compared_with_steps_one_at_a_time(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = queues(subject)
    assert [(row["way"], row["from_first"], row["ok"]) for row in rows] == [
        ("one at a time", 0, True),
        ("queued", 0, True),
    ]
    assert all(row["step_ms"] > 0 and len(set(row["losses"])) == 6 for row in rows)

    class Wrong(QueuedTrainer):
        def use_rate(self, learning_rate: float) -> None:
            super().use_rate(100 * learning_rate)

    monkeypatch.setattr(gpu_checks, "QueuedTrainer", Wrong)
    assert [row["ok"] for row in queues(subject)] == [True, False]


def test_a_network_from_outside_is_timed_in_turns_with_ours(subject: Subject) -> None:
    outside = Subject(**{**vars(subject), "outside": "edsr_lite", "kernels": ("relu",)})
    assert [row["kernel"] for row in latency(outside)] == ["relu", "relu", "edsr_lite", "relu again"]


def test_a_fault_is_the_outcome_of_its_check_alone(subject: Subject, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(subject: Subject) -> list[Row]:
        warnings.warn("the slower path", stacklevel=1)
        raise RuntimeError("no kernel image is available\nand more")

    def wrong(subject: Subject) -> list[Row]:
        return [{"ok": True}, {"ok": False}]

    assert run_check(broken, subject) == {
        "outcome": "failed",
        "reason": "RuntimeError: no kernel image is available",
        "rows": [],
        "warnings": ["the slower path"],
    }
    monkeypatch.setattr(gpu_check, "CHECKS", {"broken": broken, "wrong": wrong, "fine": lambda subject: []})
    told: list[tuple[str, str]] = []
    record = check_gpu(subject, 60, lambda *outcome: told.append(outcome))
    assert told == [("broken", "failed"), ("wrong", "failed"), ("fine", "ok")]
    assert record["machine"]["cores"]
    assert record["checks"]["fine"]["rows"] == []


def test_no_check_is_begun_when_the_time_is_over(subject: Subject) -> None:
    record = check_gpu(subject, -1, lambda name, outcome: None)
    assert {check["outcome"] for check in record["checks"].values()} == {"not run"}


def test_every_check_says_what_it_looks_at() -> None:
    assert list(what_is_checked()) == list(CHECKS)
    assert all(text.endswith(".") for text in what_is_checked().values())
