"""Training whose steps are queued on a GPU ahead of it: nothing waits for a step to end but the end of the next one.

Never run on a GPU so far.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from grla.spec import TrainSpec
from grla.training.loop import Batch, Diverged, Trainer
from grla.training.step_graph import Key, StepGraph


class QueuedTrainer(Trainer):
    """A trainer that makes batches ahead, and reads the loss of a step after the next one is queued.

    A step whose loss is NaN or infinite leaves the weights as they were, which is decided on the GPU; `Diverged` names
    that step and comes one step later. With `graph` the step is captured as a CUDA graph and replayed from then on,
    which spares its launches: forward and backward pass, clipping and Adam, all but the moving average, whose decay may
    change. Where it cannot be captured, that is warned of and it goes on as before. float16's scale is looked at in
    every step, so with it steps wait as those of `Trainer` do.
    """

    def __init__(
        self,
        model: nn.Module,
        spec: TrainSpec,
        batch: Batch,
        device: torch.device,
        wrap: Callable[[nn.Module], nn.Module],
        seed: int = 0,
        graph: bool = False,
    ) -> None:
        super().__init__(model, spec, MadeAhead(batch), device, wrap, seed)
        self._late: LateLoss | None = None
        self._graph: StepGraph | None = None
        self._graphed = graph and not self.scaler.is_enabled()
        self._rate = torch.full((), spec.learning_rate, device=device)
        if self._graphed:
            self._prepare_optimizer()

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """As of `Trainer`; a graph is captured anew, as it knows tensors by their place in memory."""
        self._late = self._graph = None
        super().load_state_dict(state)
        if self._graphed:
            self._prepare_optimizer()

    def state_dict(self) -> dict[str, Any]:
        """As of `Trainer`, with the losses of all steps; raises `Diverged` for the last one's."""
        self.settle()
        return super().state_dict()

    def settle(self) -> None:
        """Wait for the loss of the last step."""
        late, self._late = self._late, None
        if late is not None:
            value = late.value()
            if not math.isfinite(value):
                raise Diverged(f"loss became {value}", late.step, self.last_loss)
            self.note_loss(value)

    def use_rate(self, learning_rate: float) -> None:
        """Adam's learning rate from here on, of a graph in place."""
        if self._graphed:
            self._rate.fill_(learning_rate)
        else:
            super().use_rate(learning_rate)

    def updated(self, lr: Tensor, hr: Tensor) -> float:
        """Queue the step, and return the latest loss that is known."""
        if self.scaler.is_enabled():
            return super().updated(lr, hr)
        loss = self._replayed(lr, hr) if self._graphed else self.queue(lr, hr)
        late = LateLoss(self.step, loss)
        self.lap("forward")
        self.lap("backward")
        self.average()
        self.settle()
        self._late = late
        self.lap("optimiser")
        return late.value() if math.isnan(self.last_loss) else self.last_loss

    def queue(self, lr: Tensor, hr: Tensor) -> Tensor:
        """Do one step, and return its loss as it lies on the GPU: nothing in it waits for a number."""
        loss = self.forward(lr, hr)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self.clip_gradients()
        # What a gradient scaler says of gradients that are no numbers: fused Adam then changes nothing.
        self.optimizer.found_inf = (~loss.detach().isfinite()).float()  # type: ignore[attr-defined]
        self.optimizer.step()
        return loss.detach()

    def _replayed(self, lr: Tensor, hr: Tensor) -> Tensor:
        key: Key = (lr.shape, hr.shape, tuple(module.training for module in self.model.modules()))
        if self._graph is None or self._graph.key != key:
            self._graph = StepGraph(self.queue, key)
        try:
            return self._graph(lr, hr)
        except RuntimeError as error:
            if self._graph.captured:
                raise
            reason = str(error).splitlines()[0]
            warnings.warn(f"a step cannot be captured as a CUDA graph ({reason}); it goes on without", stacklevel=2)
            self._graphed = False
            for group in self.optimizer.param_groups:
                group["capturable"] = False
            return self.queue(lr, hr)

    def _prepare_optimizer(self) -> None:
        """A graph knows the learning rate by its place in memory, and takes no step that asks the processor."""
        for group in self.optimizer.param_groups:
            group["lr"], group["capturable"] = self._rate, self.device.type == "cuda"


@dataclass
class LateLoss:
    """A step's loss on its way to the processor, which goes on meanwhile."""

    step: int
    loss: Tensor

    def __post_init__(self) -> None:
        if self.loss.is_cuda:
            self.loss = torch.empty((), pin_memory=True).copy_(self.loss, non_blocking=True)
            self.arrived = torch.cuda.Event()
            self.arrived.record()
        else:
            self.loss = self.loss.clone()

    def value(self) -> float:
        """The loss as a number, once it has arrived."""
        if self.loss.is_pinned():
            self.arrived.synchronize()
        return self.loss.item()


class MadeAhead:
    """`batch`, of which the one of the next step is made by a thread while this one is trained on."""

    def __init__(self, batch: Batch) -> None:
        self.batch = batch
        self._threads = ThreadPoolExecutor(1, "batches")
        self._next: tuple[int, Future[tuple[Tensor, Tensor]]] | None = None

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        """The batch of `step`; raises what making it raised."""
        made = self._next[1] if self._next is not None and self._next[0] == step else None
        current = self.batch(step) if made is None else made.result()
        self._next = (step + 1, self._threads.submit(self.batch, step + 1))
        return current
