from __future__ import annotations

import math
import signal
import time
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from grla.errors import InputError, Interrupted
from grla.spec import Budget, TrainSpec
from grla.training import loop
from grla.training.checkpoint import load_checkpoint, previous_checkpoint, resume_checkpoint
from grla.training.loop import STEP_PHASES, Diverged, StepStats, Trainer, fit, scheduled_rate
from tests.training.processes import start

CPU = torch.device("cpu")


class Quiet:
    """A watcher that notes what it is told and stops when told to."""

    def __init__(self, stop_after: int | None = None) -> None:
        self.steps: list[StepStats] = []
        self.validated_at: list[int] = []
        self.stop_after = stop_after

    def stepped(self, trainer: Trainer, stats: StepStats) -> None:
        self.steps.append(stats)

    def validate(self, trainer: Trainer) -> dict[str, float]:
        self.validated_at.append(trainer.step)
        return {"val_psnr_y": 20.0}

    def checkpointed(self) -> None:
        pass

    def should_stop(self) -> bool:
        return self.stop_after is not None and len(self.steps) >= self.stop_after


def batch(step: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(step)
    lr = torch.rand(2, 3, 6, 6, generator=generator)
    return lr, lr.repeat_interleave(2, 2).repeat_interleave(2, 3)


def trainer(batch=batch, **changes: object) -> Trainer:
    torch.manual_seed(0)
    layers = (nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 12, 3, padding=1))
    model = nn.Sequential(*layers, nn.PixelShuffle(2))
    spec = {"budget": Budget(12, "steps"), "learning_rate": 1e-2, "validations": 4, **changes}
    return Trainer(model, TrainSpec(**spec), batch, CPU)


def test_what_a_network_draws_is_of_its_seed_and_step_and_survives_resuming() -> None:
    def drawing(seed: int) -> Trainer:
        torch.manual_seed(0)
        model = nn.Sequential(nn.Dropout2d(0.5), nn.Conv2d(3, 12, 3, padding=1), nn.PixelShuffle(2))
        return Trainer(model, TrainSpec(Budget(12, "steps")), batch, CPU, seed=seed)

    straight = drawing(seed=1)
    losses = [straight.train_step().loss for _ in range(6)]
    stopped = drawing(seed=1)
    again = [stopped.train_step().loss for _ in range(3)]
    torch.rand(7)  # whatever else draws in the meantime
    resumed = drawing(seed=2)
    resumed.seed = 1
    resumed.load_state_dict(stopped.state_dict())
    assert [*again, *(resumed.train_step().loss for _ in range(3))] == losses
    other = drawing(seed=2)
    assert [other.train_step().loss for _ in range(6)] != losses


@pytest.mark.parametrize(("loss", "power"), [("l1", 1), ("mse", 2)])
def test_the_loss_is_the_one_asked_for(loss: str, power: int) -> None:
    run = trainer(loss=loss)
    lr, hr = batch(0)
    expected = (run.model(lr) - hr).abs().pow(power).mean().item()
    assert run.train_step().loss == pytest.approx(expected, rel=1e-5)


def test_training_lowers_the_loss_and_validates_evenly(tmp_path: Path) -> None:
    watcher, run = Quiet(), trainer(budget=Budget(60, "steps"))
    fit(run, watcher, tmp_path / "c.pt", {})
    assert watcher.steps[-1].loss < 0.5 * watcher.steps[0].loss
    assert watcher.validated_at == [15, 30, 45, 60]
    assert [entry["step"] for entry in run.history] == [15, 30, 45, 60]
    losses = [stats.loss for stats in watcher.steps[:15]]
    assert run.history[0]["loss"] == pytest.approx(sum(losses) / 15)


@pytest.mark.parametrize(
    "recipe",
    [
        {},
        {"ema_decay": 0.9},
        {"ema_decay": 0.9, "ema_ramp": True, "norm_frozen": 0.75},
        {"weight_decay": 0.1, "betas": (0.9, 0.99), "warmup": 8, "loss": "l1_fft", "norm_frozen": 0.25},
    ],
)
def test_an_interrupted_run_ends_bit_identical(tmp_path: Path, recipe: dict[str, object]) -> None:
    straight = trainer(**recipe)
    fit(straight, Quiet(), tmp_path / "straight.pt", {})
    first = trainer(**recipe)
    with pytest.raises(Interrupted):
        fit(first, Quiet(stop_after=5), tmp_path / "c.pt", {})
    second = trainer(**recipe)
    second.load_state_dict(load_checkpoint(tmp_path / "c.pt"))
    assert second.step == 5
    fit(second, Quiet(), tmp_path / "c.pt", {})
    for name, value in straight.evaluation_model.state_dict().items():
        assert torch.equal(value, second.evaluation_model.state_dict()[name]), name
    without_time = [{k: v for k, v in entry.items() if k != "seconds"} for entry in straight.history]
    assert without_time == [{k: v for k, v in entry.items() if k != "seconds"} for entry in second.history]


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_is_divergence_with_step_and_last_loss(tmp_path: Path, value: float) -> None:
    def poisoned(step: int) -> tuple[Tensor, Tensor]:
        lr, hr = batch(step)
        return (lr, hr * value if step == 7 else hr)

    watcher, run = Quiet(), trainer(batch=poisoned)
    with pytest.raises(Diverged, match="at step 7; last finite loss 0") as caught:
        fit(run, watcher, tmp_path / "c.pt", {})
    assert caught.value.step == 7
    assert caught.value.last_finite_loss == watcher.steps[-1].loss
    assert all(parameter.isfinite().all() for parameter in run.model.parameters())


def test_a_model_of_the_wrong_size_is_named() -> None:
    run = Trainer(nn.Conv2d(3, 3, 1), TrainSpec(), batch, CPU)
    with pytest.raises(InputError, match=r"must map \(2, 3, 6, 6\) to \(2, 3, 12, 12\), got \(2, 3, 6, 6\)"):
        run.train_step()


def test_clipping_bounds_the_step_but_reports_the_whole_norm() -> None:
    free, clipped = trainer(), trainer(clip_norm=1e-3)
    before = [parameter.clone() for parameter in clipped.model.parameters()]
    for run in (free, clipped):
        run.train_step()
    norms = free.gradient_norm(), clipped.gradient_norm()
    assert norms[0] == norms[1] > 1e-3
    bounded = nn.utils.get_total_norm([p.grad for p in clipped.model.parameters()])
    assert bounded.item() == pytest.approx(1e-3, rel=1e-3)
    assert any(not torch.equal(old, new) for old, new in zip(before, clipped.model.parameters(), strict=True))


def test_the_average_follows_the_weights_slowly() -> None:
    run = trainer(ema_decay=0.5)
    start = {name: value.clone() for name, value in run.model.state_dict().items()}
    run.train_step()  # the first update copies
    first = {name: value.clone() for name, value in run.model.state_dict().items()}
    run.train_step()
    averaged, latest = run.evaluation_model.state_dict(), run.model.state_dict()
    for name in ("0.weight", "1.running_mean"):
        assert not torch.equal(start[name], first[name])
        torch.testing.assert_close(averaged[name], (first[name] + latest[name]) / 2)


def test_with_a_ramp_the_average_begins_as_fast_as_the_latest_weights() -> None:
    slow, fast = trainer(ema_decay=0.999, ema_ramp=True), trainer(ema_decay=0.1, ema_ramp=True)
    steps = []
    for _ in range(3):
        slow.train_step()
        fast.train_step()
        steps.append(slow.model.state_dict()["0.weight"].clone())
    first, second, third = steps  # decays of 2/11 and 3/12 follow a copy of the first
    expected = (2 / 11 * first + 9 / 11 * second) * 3 / 12 + third * 9 / 12
    torch.testing.assert_close(slow.evaluation_model.state_dict()["0.weight"], expected)
    expected = (0.1 * first + 0.9 * second) * 0.1 + third * 0.9
    torch.testing.assert_close(fast.evaluation_model.state_dict()["0.weight"], expected)


def test_weights_decay_by_their_own_size_apart_from_adams_step() -> None:
    """One step at rate 0.01: a tenth of 0.01 of each weight, whatever its gradient."""
    plain, decaying = trainer(), trainer(weight_decay=0.1)
    before = [parameter.detach().clone() for parameter in plain.model.parameters()]
    for run in (plain, decaying):
        run.train_step()
    for first, usual, decayed in zip(before, plain.model.parameters(), decaying.model.parameters(), strict=True):
        torch.testing.assert_close(decayed, usual - 1e-3 * first, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("betas", [(0.9, 0.999), (0.9, 0.99), (0.5, 0.9)])
def test_the_second_step_is_adams(betas: tuple[float, float]) -> None:
    """Kingma and Ba 2015, algorithm 1, with the powers of the betas divided out."""
    run = trainer(betas=betas)
    weight = next(run.model.parameters())
    gradients = []
    for _ in range(2):
        before = weight.detach().clone()
        run.train_step()
        assert weight.grad is not None
        gradients.append(weight.grad.clone())
    (first, second), (one, two) = gradients, betas
    mean = (one * first + second) / (1 + one)
    square = (two * first.square() + second.square()) / (1 + two)
    torch.testing.assert_close(weight.detach(), before - 1e-2 * mean / (square.sqrt() + 1e-8))


class Evaluating(Quiet):
    """Validates as cells do, which leaves the network in evaluation mode."""

    def validate(self, trainer: Trainer) -> dict[str, float]:
        trainer.model.eval()
        return super().validate(trainer)


def test_in_the_last_share_of_the_steps_norms_keep_their_statistics_and_learn_on(tmp_path: Path) -> None:
    class Noting(Evaluating):
        def stepped(self, trainer: Trainer, stats: StepStats) -> None:
            super().stepped(trainer, stats)
            states.append({name: value.clone() for name, value in trainer.model[1].state_dict().items()})

    states: list[dict[str, Tensor]] = []
    run = trainer(norm_frozen=0.25)
    fit(run, Noting(), tmp_path / "c.pt", {})
    tracked = [int(state["num_batches_tracked"]) for state in states]
    assert tracked == [1, 2, 3, 4, 5, 6, 7, 8, 9, 9, 9, 9]  # validations after 3, 6, 9 and 12
    assert torch.equal(states[8]["running_mean"], states[11]["running_mean"])
    assert not torch.equal(states[8]["weight"], states[11]["weight"])


def test_frozen_norms_normalise_by_their_statistics() -> None:
    run = trainer(norm_frozen=0.99)
    lr, hr = batch(1)
    run.train_step()
    run.model.eval()
    with torch.no_grad():
        expected = nn.functional.l1_loss(run.model(lr), hr).item()
    assert run.train_step().loss == pytest.approx(expected, rel=1e-6)


def test_a_time_budget_ends_by_the_clock(tmp_path: Path) -> None:
    run = trainer(budget=Budget(0.4 / 60, "min"), validations=2)
    fit(run, Quiet(), tmp_path / "c.pt", {})
    assert run.seconds >= 0.4
    assert len(run.history) == 2


@given(st.floats(0, 1))
def test_schedules(progress: float) -> None:
    halving = scheduled_rate(TrainSpec(learning_rate=1.0, schedule="halving"), progress, 0)
    assert halving == {0: 1, 1: 0.5, 2: 0.25, 3: 0.125, 4: 0.0625, 5: 0.03125}[int(5 * progress)]
    cosine = scheduled_rate(TrainSpec(learning_rate=1.0, schedule="cosine"), progress, 0)
    assert cosine == pytest.approx(math.cos(math.pi * progress / 2) ** 2)
    stable = scheduled_rate(TrainSpec(learning_rate=1.0, schedule="stable"), progress, 0)
    assert stable == (1.0 if progress <= 0.8 else pytest.approx((1 - progress) / 0.2))


def test_a_stable_rate_is_the_same_at_equal_steps_of_any_budget() -> None:
    """To the bit, or runs that share a trunk would not."""
    spec = TrainSpec(learning_rate=0.003, schedule="stable", warmup=7, validations=5)
    for step in range(0, 800, 7):
        assert len({scheduled_rate(spec, step / budget, step) for budget in (1000, 2000, 30_000)}) == 1


def test_warm_up_rises_to_the_schedule() -> None:
    spec = TrainSpec(learning_rate=1.0, warmup=4)
    rates = [scheduled_rate(spec, 0.0, step) for step in range(6)]
    assert rates == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0, 1.0])


def test_every_phase_is_told_as_it_ends(tmp_path: Path) -> None:
    phases: list[str] = []
    run = trainer(budget=Budget(2, "steps"), validations=1)
    run.lap = phases.append
    fit(run, Quiet(), tmp_path / "c.pt", {})
    step = ["data", "forward", "backward", "optimiser", "logging"]
    assert set(step) == set(STEP_PHASES)
    assert phases == [*step, *step, "logging", "checkpoint"]


class Slow(Quiet):
    """Tells of every step, and waits a little after it."""

    def __init__(self, told: Connection) -> None:
        super().__init__()
        self.told = told

    def stepped(self, trainer: Trainer, stats: StepStats) -> None:
        self.told.send(trainer.step)
        time.sleep(0.02)


def train_or_resume(path: Path, told: Connection) -> None:
    """Train 40 steps, with a checkpoint after every step, so that a kill often hits one being written."""
    loop.SECONDS_BETWEEN_CHECKPOINTS = 0.0
    run = trainer(budget=Budget(40, "steps"))
    saved = resume_checkpoint(path, previous_checkpoint(path))
    if saved is not None:
        run.load_state_dict(saved)
    fit(run, Slow(told), path, {})


def test_runs_killed_at_any_moment_end_bit_identical(tmp_path: Path) -> None:
    """SIGKILL again and again; the last run must end with the bits of a run that was never disturbed."""
    path = tmp_path / "killed.pt"
    for attempt in range(4):
        process, told = start(train_or_resume, path)
        first = told.recv()  # training has begun
        assert attempt == 0 or first > 1, "the run did not resume"
        if attempt < 3:
            time.sleep(0.1 + 0.07 * attempt)
            process.kill()
        process.join()
        assert process.exitcode == (-signal.SIGKILL if attempt < 3 else 0)
    straight = trainer(budget=Budget(40, "steps"))
    fit(straight, Quiet(), tmp_path / "straight.pt", {})
    killed = load_checkpoint(path)
    assert killed["step"] == 40
    for name, value in straight.state_dict()["model"].items():
        assert torch.equal(value, killed["model"][name]), name
