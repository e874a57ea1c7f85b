"""The training loop: steps, schedule, divergence, resuming. Knows no architecture, no metric and no data source."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from grla.answers import require_answer
from grla.errors import Interrupted, ModelError
from grla.spec import TrainSpec
from grla.training.checkpoint import previous_checkpoint, save_checkpoint
from grla.training.losses import LOSSES
from grla.training.precision import computed_in, loss_scaler, products_in, require_precision

SECONDS_BETWEEN_CHECKPOINTS = 30.0
LEAST_SCALE = 1.0
"""Of the losses of float16; below it gradients are not too large, they are no numbers."""
STEP_PHASES = ("data", "forward", "backward", "optimiser", "logging")
"""What the time of a step goes to; clipping gradients is the optimiser's. Of steps queued on a GPU all is "forward"."""


Batch = Callable[[int], tuple[Tensor, Tensor]]
"""From a step to lr (batch, 3, h, w) and hr (batch, 3, upscale * h, upscale * w) in [0, 1], on any device."""


class Diverged(Exception):
    """The loss or the gradients became NaN or infinite: a result of the cell, not a fault of the program."""

    def __init__(self, what: str, step: int, last_finite_loss: float) -> None:
        super().__init__(f"{what} at step {step}; last finite loss {last_finite_loss:.6g}")
        self.step = step
        self.last_finite_loss = last_finite_loss


@dataclass(frozen=True)
class StepStats:
    """One training step: `loss` (the spec's, on [0, 1]), learning rate, wall time."""

    step: int
    loss: float
    learning_rate: float
    seconds: float


class Watcher(Protocol):
    """What the loop tells the outside."""

    def stepped(self, trainer: Trainer, stats: StepStats) -> None:
        """Called after every step."""

    def validate(self, trainer: Trainer) -> dict[str, float]:
        """Called `validations` times over the budget; the values join the history."""

    def checkpointed(self) -> None:
        """Called whenever the checkpoint has been written."""

    def should_stop(self) -> bool:
        """Called before every step; True ends training with a checkpoint and `Interrupted`."""


def _itself(model: nn.Module) -> nn.Module:
    return model


class Trainer:
    """A model in training: Adam, batch t a pure function of t.

    With equal seeds, thread counts and CPU, equal steps give equal bits, however often training was resumed between
    them: what a network draws itself (dropout, say) depends on `seed` and the step, too.
    Whoever wants to know where the time goes sets `lap`, which is called with the name of each phase as it ends. `wrap`
    makes of the model what is called in training, with the same weights: a compiled network, say.
    """

    def __init__(
        self,
        model: nn.Module,
        spec: TrainSpec,
        batch: Batch,
        device: torch.device,
        wrap: Callable[[nn.Module], nn.Module] = _itself,
        seed: int = 0,
    ) -> None:
        _require_trainable(model)
        require_precision(spec.computed_in, device)
        self.model = model.to(device)
        self.network = wrap(self.model)
        self.spec = spec
        self.batch = batch
        self.seed = seed
        self.device = device
        self.optimizer = _optimizer(self.model, spec)
        self.scaler = loss_scaler(spec.computed_in, device)
        self.ema = _average(self.model, spec.ema_decay, spec.ema_ramp) if spec.ema_decay is not None else None
        self.step = 0
        self.seconds = 0.0
        self.last_loss = math.nan
        self.losses: list[float] = []  # since the last validation
        self.history: list[dict[str, float]] = []
        self._clipped_norm: Tensor | None = None
        self.lap: Callable[[str], None] = _no_lap

    @property
    def progress(self) -> float:
        """The share of the budget that is used up, 0 to 1."""
        budget = self.spec.budget
        used = self.step if budget.unit == "steps" else self.seconds / 60
        return min(used / budget.amount, 1.0)

    @property
    def evaluation_model(self) -> nn.Module:
        """The model to score: the moving average where there is one."""
        return self.model if self.ema is None else self.ema.module

    def train_step(self) -> StepStats:
        """One step of Adam.

        Raises `Diverged`, with the weights as they were, when the loss is not finite or float16's gradients stay so
        however small the scale, and ModelError when the model answers with something else than a tensor of hr's shape.
        """
        start = time.perf_counter()
        learning_rate = scheduled_rate(self.spec, self.progress, self.step)
        self.use_rate(learning_rate)
        if not self.model.training:
            self.network.train()
        if self.spec.norm_frozen and self.progress >= 1 - self.spec.norm_frozen:
            _freeze_norms(self.model)
        lr, hr = (images.to(self.device) for images in self.batch(self.step))
        self.lap("data")
        _seed_draws(self.device, self.seed, self.step)
        with products_in(self.spec.computed_in):
            value = self.updated(lr, hr)
        self.step += 1
        seconds = time.perf_counter() - start
        self.seconds += seconds
        return StepStats(self.step, value, learning_rate, seconds)

    def updated(self, lr: Tensor, hr: Tensor) -> float:
        """Change the weights by what one batch teaches, and return its loss; see `train_step`."""
        loss = self.forward(lr, hr)
        value = self.loss_value(loss)
        if not math.isfinite(value):
            raise Diverged(f"loss became {value}", self.step, self.last_loss)
        self.lap("forward")
        self.optimizer.zero_grad(set_to_none=True)
        self.scaler.scale(loss).backward()
        self.lap("backward")
        self.scaler.unscale_(self.optimizer)
        self.clip_gradients()
        self.scaler.step(self.optimizer)
        self.scaler.update()
        if self.scaler.is_enabled() and self.scaler.get_scale() < LEAST_SCALE:
            raise Diverged("gradients stay NaN or infinite", self.step, value)
        self.average()
        self.note_loss(value)
        self.lap("optimiser")
        return value

    def forward(self, lr: Tensor, hr: Tensor) -> Tensor:
        """The loss of one batch."""
        with computed_in(self.spec.computed_in, self.device):
            # Of another shape a loss would broadcast, and an outside model learn something else.
            sr = require_answer(self.network(lr), lr, tuple(hr.shape))
        return LOSSES[self.spec.loss](sr.float(), hr)

    def loss_value(self, loss: Tensor) -> float:
        """The loss as a number."""
        return loss.item()

    def note_loss(self, value: float) -> None:
        """Keep the loss of a step that is done."""
        self.last_loss = value
        self.losses.append(value)

    def settle(self) -> None:
        """Have the losses of all steps noted, as they are here."""

    def use_rate(self, learning_rate: float) -> None:
        """Adam's learning rate from here on."""
        for group in self.optimizer.param_groups:
            group["lr"] = learning_rate

    def average(self) -> None:
        """Bring the weights into their moving average, where there is one."""
        if self.ema is not None:
            self.ema.update_parameters(self.model)

    def clip_gradients(self) -> None:
        """Scale the gradients down to the spec's `clip_norm`, if it has one, and keep their norm before."""
        if self.spec.clip_norm is not None:
            self._clipped_norm = nn.utils.clip_grad_norm_(self.model.parameters(), self.spec.clip_norm)

    def gradient_norm(self) -> float:
        """The norm of all latest gradients, before they were clipped; it is taken here, not in every step."""
        if self._clipped_norm is not None:
            return self._clipped_norm.item()
        return nn.utils.get_total_norm([p.grad for p in self.model.parameters() if p.grad is not None]).item()

    def gradient_norms(self) -> dict[str, float]:
        """Norms of the latest gradients by part of the model: the first two names of a parameter, as "blocks.3".

        Empty if any is NaN or infinite, as in a step that float16's scale makes the optimiser skip.
        """
        parts: dict[str, list[Tensor]] = {}
        for name, parameter in self.model.named_parameters():
            if parameter.grad is not None:
                parts.setdefault(".".join(name.split(".")[:2]), []).append(parameter.grad)
        norms = {part: nn.utils.get_total_norm(gradients).item() for part, gradients in parts.items()}
        return norms if all(map(math.isfinite, norms.values())) else {}

    def state_dict(self) -> dict[str, Any]:
        """Everything needed to go on: weights, optimiser, average, counters and history."""
        return {
            "model": self.model.state_dict(),
            "ema": None if self.ema is None else self.ema.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "scaler": self.scaler.state_dict(),
            "step": self.step,
            "seconds": self.seconds,
            "last_loss": self.last_loss,
            "losses": self.losses,
            "history": self.history,
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """The inverse of `state_dict`."""
        self.model.load_state_dict(state["model"])
        if self.ema is not None:
            self.ema.load_state_dict(state["ema"])
        self.optimizer.load_state_dict(state["optimizer"])
        for group in self.optimizer.param_groups:
            group["capturable"] = False  # which it was in a step that was captured as a CUDA graph
        self.scaler.load_state_dict(state.get("scaler", {}))  # checkpoints of earlier versions have none
        self.step, self.seconds, self.last_loss = state["step"], state["seconds"], state["last_loss"]
        self.losses, self.history = list(state["losses"]), list(state["history"])


def fit(trainer: Trainer, watcher: Watcher, checkpoint: Path, identity: dict[str, Any]) -> None:
    """Train until the budget is used up, validating and writing `checkpoint` (with `identity` in it) on the way.

    The last but one checkpoint stays beside it. Raises `Diverged` and, when the watcher asks to stop, `Interrupted`.
    """

    def save() -> float:
        state = {**identity, **trainer.state_dict()}
        save_checkpoint(checkpoint, state, previous_checkpoint(checkpoint))
        watcher.checkpointed()
        trainer.lap("checkpoint")
        return time.monotonic()

    saved_at = time.monotonic()
    while trainer.progress < 1:
        if watcher.should_stop():
            save()
            raise Interrupted(f"stopped at step {trainer.step}")
        before = trainer.progress
        watcher.stepped(trainer, trainer.train_step())
        trainer.lap("logging")
        if _passes_mark(before, trainer.progress, trainer.spec.validations):
            trainer.settle()
            loss = sum(trainer.losses) / len(trainer.losses)
            entry = {"step": trainer.step, "seconds": trainer.seconds, "loss": loss}
            trainer.history.append(entry | watcher.validate(trainer))
            trainer.losses.clear()
            trainer.lap("logging")
            saved_at = save()
        elif time.monotonic() - saved_at > SECONDS_BETWEEN_CHECKPOINTS:
            saved_at = save()


def scheduled_rate(spec: TrainSpec, progress: float, step: int) -> float:
    """The learning rate at `progress` (0 to 1) of the budget, after `step` steps."""
    return spec.learning_rate * _share(spec, progress) * min(1.0, (step + 1) / (spec.warmup + 1))


def _share(spec: TrainSpec, progress: float) -> float:
    """The part of the learning rate that the schedule leaves at `progress`."""
    if spec.schedule == "cosine":
        return 0.5 * (1 + math.cos(math.pi * progress))
    if spec.schedule == "stable":
        return 1.0 if progress <= 0.8 else 5 * (1 - progress)
    return 0.5 ** int(5 * progress)  # GRLA A.1: halved every 200 of 1000 epochs


def _seed_draws(device: torch.device, seed: int, step: int) -> None:
    """Let what the network draws in this step depend on nothing else; `torch.manual_seed` asks all kinds of devices."""
    mixed = int.from_bytes(hashlib.blake2b(f"{seed} {step}".encode(), digest_size=8).digest())
    if device.type == "cpu":
        torch.default_generator.manual_seed(mixed)
    else:
        torch.manual_seed(mixed)


def _passes_mark(before: float, after: float, marks: int) -> bool:
    """Whether one of `marks` evenly spaced marks (the last at 1) lies in (before, after]."""
    return math.floor(after * marks) > math.floor(before * marks)


def _require_trainable(model: nn.Module) -> None:
    types = {str(parameter.dtype) for parameter in model.parameters() if parameter.requires_grad}
    if types != {"torch.float32"}:
        found = ", ".join(sorted(types)) or "none"
        raise ModelError(f"the model must have parameters of torch.float32 to train, got {found}")


def _no_lap(phase: str) -> None:
    """Nobody takes the time."""


def _optimizer(model: nn.Module, spec: TrainSpec) -> torch.optim.Optimizer:
    """Adam, and AdamW (Loshchilov and Hutter 2019) where weights decay."""
    kind = torch.optim.AdamW if spec.weight_decay else torch.optim.Adam
    return kind(model.parameters(), spec.learning_rate, spec.betas, weight_decay=spec.weight_decay, fused=True)


def _average(model: nn.Module, decay: float, ramp: bool) -> AveragedModel:
    """The moving average of the weights, for which `AveragedModel` counts the updates."""

    def ramped(averages: Any, latest: Any, updates: Tensor | int) -> None:
        number = int(average.n_averaged)  # as `updates`, which would have to come back from a GPU
        get_ema_multi_avg_fn(min(decay, (1 + number) / (10 + number)))(averages, latest, updates)

    average = AveragedModel(model, multi_avg_fn=ramped if ramp else get_ema_multi_avg_fn(decay), use_buffers=True)
    return average


def _freeze_norms(model: nn.Module) -> None:
    """BatchNorm as in evaluation, but that its scale and shift are trained; until `model.train()`."""
    for module in model.modules():
        if isinstance(module, _BatchNorm):
            module.eval()
