"""Steps that are queued ahead of a GPU do what steps one at a time do; here on a CPU, which has nothing to queue."""

from __future__ import annotations

import copy
import math
import threading
from collections.abc import Callable

import pytest
import torch
from torch import Tensor

from grla.spec import Budget
from grla.training import loop
from grla.training.loop import Diverged, Trainer
from grla.training.queued import MadeAhead, QueuedTrainer
from grla.training.step_graph import WARM_UPS, StepGraph
from tests.training.test_loop import CPU, batch, trainer

STEADY = {"learning_rate": 2.0**-10, "schedule": "stable", "budget": Budget(20, "steps"), "validations": 5}
"""A learning rate that is a number of float32, as a graph's is."""


def queued(batch: loop.Batch = batch, graph: bool = False, **changes: object) -> QueuedTrainer:
    """The twin of `trainer`."""
    twin = trainer(batch, **changes)
    return QueuedTrainer(twin.model, twin.spec, batch, CPU, lambda model: model, graph=graph)


def equal_weights(one: Trainer, other: Trainer) -> bool:
    mine, theirs = one.evaluation_model.state_dict(), other.evaluation_model.state_dict()
    return all(torch.equal(mine[name], theirs[name]) for name in mine)


@pytest.fixture
def captures(monkeypatch: pytest.MonkeyPatch) -> list[StepGraph]:
    """Graphs as they are captured: nothing is computed then, and a replay does the same work in the same places."""
    made: list[StepGraph] = []

    def capture(self: StepGraph, work: Callable[[], Tensor]) -> tuple[Callable[[], None], Tensor]:
        made.append(self)
        loss = torch.zeros(())

        def replay() -> None:
            loss.copy_(work())

        return replay, loss

    monkeypatch.setattr(StepGraph, "capture", capture)
    monkeypatch.setattr(StepGraph, "warmed_up", lambda self, lr, hr: self._work(lr, hr))
    return made


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"clip_norm": 0.01},
        {"ema_decay": 0.9, "ema_ramp": True},
        {"weight_decay": 0.1, "norm_frozen": 0.2},
        {"loss": "mse", "warmup": 3},
    ],
)
@pytest.mark.parametrize("graph", [False, True])
def test_queued_steps_are_those_of_a_trainer(
    changes: dict[str, object], graph: bool, captures: list[StepGraph]
) -> None:
    if graph:
        changes = STEADY | changes | {"warmup": 0, "budget": Budget(10, "steps")}
    plain, twin = trainer(**changes), queued(graph=graph, **changes)
    number = 9 if graph else 12
    losses = [plain.train_step().loss for _ in range(number)]
    told = [twin.train_step().loss for _ in range(number)]
    assert told == [losses[0], *losses[:-1]]  # one step late
    assert twin.losses == losses[:-1]
    twin.settle()
    assert twin.losses == losses
    assert twin.gradient_norm() == plain.gradient_norm()
    assert equal_weights(twin, plain)
    assert len(captures) == int(graph)


def test_another_shape_is_another_graph(captures: list[StepGraph]) -> None:
    def growing(step: int) -> tuple[Tensor, Tensor]:
        lr, hr = batch(step)
        return (lr, hr) if step < 6 else (lr.repeat(1, 1, 2, 1), hr.repeat(1, 1, 2, 1))

    plain, twin = trainer(growing, **STEADY), queued(growing, graph=True, **STEADY)
    for _ in range(12):
        plain.train_step(), twin.train_step()
    assert equal_weights(twin, plain)
    assert [graph.key[0] for graph in captures] == [(2, 3, 6, 6), (2, 3, 12, 6)]


def test_a_step_that_cannot_be_captured_is_said_and_taken_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    def failing(self: StepGraph, work: object) -> None:
        raise RuntimeError("operation not permitted when stream is capturing\nand more")

    monkeypatch.setattr(StepGraph, "capture", failing)
    monkeypatch.setattr(StepGraph, "warmed_up", lambda self, lr, hr: self._work(lr, hr))
    plain, twin = trainer(**STEADY), queued(graph=True, **STEADY)
    for _ in range(WARM_UPS):
        twin.train_step()
    with pytest.warns(UserWarning, match=r"as a CUDA graph \(operation not permitted .*capturing\); it goes on"):
        twin.train_step()
    for _ in range(3):
        twin.train_step()
    for _ in range(WARM_UPS + 4):
        plain.train_step()
    assert equal_weights(twin, plain)


@pytest.mark.parametrize("graph", [False, True])
def test_nan_is_of_the_step_that_had_it_and_leaves_the_weights_alone(graph: bool, captures: list[StepGraph]) -> None:
    def spoilt(step: int) -> tuple[Tensor, Tensor]:
        lr, hr = batch(step)
        return lr, hr * (math.nan if step == 5 else 1)

    twin = queued(spoilt, graph=graph)
    for _ in range(5):
        twin.train_step()
    before = copy.deepcopy(dict(twin.model.named_parameters()))
    twin.train_step()
    assert all(torch.equal(before[name], value) for name, value in twin.model.named_parameters())
    with pytest.raises(Diverged, match="loss became nan at step 5; last finite loss 0") as caught:
        twin.train_step()
    assert (caught.value.step, len(twin.losses)) == (5, 5)


def test_nan_of_the_last_step_is_not_missed() -> None:
    def spoilt(step: int) -> tuple[Tensor, Tensor]:
        lr, hr = batch(step)
        return lr, hr * (math.nan if step == 11 else 1)

    twin = queued(spoilt)
    for _ in range(12):
        twin.train_step()
    with pytest.raises(Diverged, match="at step 11"):
        twin.state_dict()


@pytest.mark.parametrize("graph", [False, True])
def test_stopping_and_going_on_changes_nothing(graph: bool, captures: list[StepGraph]) -> None:
    plain, first, second = trainer(**STEADY), queued(graph=graph, **STEADY), queued(graph=graph, **STEADY)
    for _ in range(12):
        plain.train_step()
    for _ in range(6):
        first.train_step()
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    for _ in range(6):
        second.train_step()
    second.settle()
    assert equal_weights(second, plain)
    assert second.losses == plain.losses
    one_at_a_time = trainer(**STEADY)  # what a GPU saved, a CPU goes on with
    one_at_a_time.load_state_dict(copy.deepcopy(first.state_dict()))
    for _ in range(6):
        one_at_a_time.train_step()
    assert equal_weights(one_at_a_time, plain)


def test_batches_are_made_ahead_by_another_thread() -> None:
    made: list[tuple[int, bool]] = []

    def noted(step: int) -> tuple[Tensor, Tensor]:
        made.append((step, threading.current_thread() is threading.main_thread()))
        if step == 7:
            raise ValueError("batch 7")
        return batch(step)

    ahead = MadeAhead(noted)
    for step in (0, 1, 2, 5, 6):
        assert all(torch.equal(mine, true) for mine, true in zip(ahead(step), batch(step), strict=True))
    with pytest.raises(ValueError, match="batch 7"):
        ahead(7)
    assert sorted(made) == [(0, True), (1, False), (2, False), (3, False), (5, True), (6, False), (7, False)]


def test_the_queue_needs_no_processor_between_steps(monkeypatch: pytest.MonkeyPatch) -> None:
    """Between queueing a step and the next nothing is read but the loss before: no number is asked of a tensor."""
    twin = queued(ema_decay=0.9, ema_ramp=True, clip_norm=1.0)
    twin.train_step()
    asked: list[Tensor] = []
    real = Tensor.item
    monkeypatch.setattr(Tensor, "item", lambda self: asked.append(self) or real(self))
    twin.train_step()
    assert len(asked) == 1
