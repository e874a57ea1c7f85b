"""What is looked at on a GPU before anything is measured there: each check returns rows, or raises what went wrong."""

from __future__ import annotations

import copy
import math
import os
import statistics
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any
from unittest.mock import patch

import torch
from torch import Tensor, nn
from torch.profiler import ProfilerActivity, profile

from grla.attention import build_kernel
from grla.benchmark.networks import find_network
from grla.cost import measure_latency, peak_memory, time_in_turns, time_on, warm_up
from grla.engine import attention_path
from grla.model import build_seeded
from grla.spec import KernelSpec, ModelSpec, Precision, TrainSpec
from grla.training import QueuedTrainer, Trainer, precisions_of

Row = dict[str, Any]
CPU = torch.device("cpu")
NEAR = {torch.float32: 1e-4, torch.bfloat16: 0.05}
"""How far outputs and gradients may be from float64's on the CPU, as a share of their largest number."""
LOSSES_NEAR = 0.05
"""The same of training losses, which a step changes by a fifth."""
TINY = 1e-30  # instead of zero
TIMED_RUNS, TIMED_STEPS, QUEUED_STEPS = 20, 5, 6
PAPERS = ModelSpec()


@dataclass(frozen=True)
class Subject:
    """What is checked, where, and how large: the network, its kernels in turn, and the sides of its inputs."""

    device: torch.device
    kernels: tuple[str, ...]
    model: ModelSpec = PAPERS
    patch_size: int = 64
    batch_size: int = 16
    lr_size: tuple[int, int] = (180, 320)
    tokens: int = 4096
    outside: str = ""

    def network(self, kernel: str) -> nn.Module:
        """The network with this kernel, weights from seed 0, on the CPU."""
        return build_seeded(replace(self.model, kernel=KernelSpec(kernel)), 0)

    def trainer(self, kernel: str, device: torch.device, precision: Precision = "fp32") -> Trainer:
        """A trainer on noise, the same on every device."""
        sides = (self.patch_size, self.model.upscale * self.patch_size)

        def batch(step: int) -> tuple[Tensor, Tensor]:
            generator = torch.Generator().manual_seed(step)
            lr, hr = (torch.rand(self.batch_size, 3, side, side, generator=generator).to(device) for side in sides)
            return lr, hr

        return Trainer(self.network(kernel), TrainSpec(precision=precision), batch, device)

    def queued(self, kernel: str, graph: bool) -> QueuedTrainer:
        """The same with steps that are queued ahead of the device, or replayed by it."""
        like = self.trainer(kernel, self.device)
        return QueuedTrainer(like.model, like.spec, like.batch, self.device, lambda model: model, graph=graph)


def parity(subject: Subject) -> list[Row]:
    """Each kernel's output and gradients against float64 on the CPU."""
    return [_distance(subject, name, dtype) for name in subject.kernels for dtype in NEAR]


def _distance(subject: Subject, name: str, dtype: torch.dtype) -> Row:
    head_dim = subject.model.dim // subject.model.num_global_heads
    kernel = build_kernel(name, head_dim)
    generator = torch.Generator().manual_seed(0)
    inputs = [torch.randn(1, 1, subject.tokens, head_dim, generator=generator) for _ in range(3)]
    rounded = [x.to(dtype).double() for x in inputs]
    truth = _with_gradients(copy.deepcopy(kernel).double(), rounded)
    found = _with_gradients(kernel.to(subject.device), [x.to(subject.device, dtype) for x in rounded])
    worst = float(torch.stack([_apart(mine, true) for mine, true in zip(found, truth, strict=True)]).max())
    limit = NEAR[dtype] * (kernel.amplifies_rounding if dtype == torch.float32 else 1)
    # NaN is no number in JSON.
    told = worst if math.isfinite(worst) else None
    return {"kernel": name, "type": str(dtype), "worst": told, "limit": limit, "ok": worst <= limit}


def _apart(mine: Tensor, true: Tensor) -> Tensor:
    """The largest difference as a share of the largest true number; 1 for zeros instead of it, NaN for NaN."""
    return (mine.double().cpu() - true).abs().max() / true.abs().max().clamp_min(TINY)


def _with_gradients(kernel: nn.Module, inputs: list[Tensor]) -> list[Tensor]:
    leaves = [x.detach().requires_grad_() for x in inputs]
    with torch.autocast(leaves[0].device.type, torch.bfloat16, enabled=leaves[0].dtype == torch.bfloat16):
        out = kernel(*leaves)
    if not out.requires_grad:
        return [out]
    # A sum's gradient, ones, cancels in weights that sum to one.
    by_out = torch.randn(out.shape, generator=torch.Generator().manual_seed(1)).to(out)
    return [out.detach(), *torch.autograd.grad(out, leaves, by_out, allow_unused=True, materialize_grads=True)]


def training(subject: Subject) -> list[Row]:
    """Steps of each kernel's network in each precision: losses, how far from the CPU's on a small batch, path, time."""
    rows = []
    for name in subject.kernels:
        for precision in precisions_of(subject.device):
            trainer = subject.trainer(name, subject.device, precision)
            losses = [trainer.train_step().loss for _ in range(2)]
            path = attention_path(trainer.model, subject.device)
            took = _median_ms(trainer.train_step, subject.device, TIMED_STEPS)
            about = {"kernel": name, "precision": precision, "path": path, "step_ms": took, "losses": losses}
            apart = _losses_apart(subject, name, precision)
            rows.append({**about, "from_cpu": apart, "ok": apart <= LOSSES_NEAR})
    return rows


def _losses_apart(subject: Subject, name: str, precision: Precision) -> float:
    """The largest difference of first losses from the CPU's in float32, as a share of these."""
    small = replace(subject, batch_size=min(subject.batch_size, 2), patch_size=min(subject.patch_size, 16))
    trainers = small.trainer(name, subject.device, precision), small.trainer(name, CPU)
    number = 1 if precision == "fp16" else 2  # its first steps may be left out, until its scale is found
    mine, true = ([trainer.train_step().loss for _ in range(number)] for trainer in trainers)
    return max(abs(one - other) / other for one, other in zip(mine, true, strict=True))


def queues(subject: Subject) -> list[Row]:
    """Steps one at a time, queued ahead, and as a CUDA graph: losses, how far from the first way's, time of a step."""
    name, first = subject.kernels[0], list[float]()
    rows: list[Row] = []
    ways = {"one at a time": subject.trainer(name, subject.device), "queued": subject.queued(name, graph=False)}
    if subject.device.type == "cuda":
        ways["graph"] = subject.queued(name, graph=True)
    for way, trainer in ways.items():
        _steps(trainer)
        trainer.settle()
        losses = list(trainer.losses)
        first = first or losses
        apart = max(abs(mine - true) / true for mine, true in zip(losses, first, strict=True))
        took = _median_ms(lambda one=trainer: _steps(one), subject.device, TIMED_STEPS) / QUEUED_STEPS  # type: ignore[misc]
        rows.append({"way": way, "step_ms": took, "losses": losses, "from_first": apart, "ok": apart <= LOSSES_NEAR})
    return rows


def _steps(trainer: Trainer) -> None:
    for _ in range(QUEUED_STEPS):
        trainer.train_step()


def resuming(subject: Subject) -> list[Row]:
    """Whether two steps, a stop and two steps are four steps; on a GPU sums may come in another order."""
    straight, first, second = (subject.trainer(subject.kernels[0], subject.device) for _ in range(3))
    for _ in range(4):
        straight.train_step()
    for trainer in (first, second):
        if trainer is second:
            trainer.load_state_dict(copy.deepcopy(first.state_dict()))
        for _ in range(2):
            trainer.train_step()
    pairs = zip(straight.model.parameters(), second.model.parameters(), strict=True)
    worst = max(float((one - other).abs().max()) for one, other in pairs)
    return [{"kernel": subject.kernels[0], "largest_difference_of_weights": worst, "ok": worst < 1e-3}]


def fused_against_eager(subject: Subject) -> list[Row]:
    """Forward passes of first-order attention by Triton and without it; the reason where Triton does not run."""
    head_dim = subject.model.dim
    kernel = build_kernel("gaussian_rbf", head_dim).to(subject.device)
    q, k, v = (torch.rand(1, 1, subject.tokens, head_dim, device=subject.device) for _ in range(3))
    row: Row = {"path": attention_path(kernel, subject.device) or "eager (no GPU)", "fused_ms": None, "ok": True}
    with torch.inference_mode():
        if row["path"].startswith("triton"):
            row["fused_ms"] = _median_ms(lambda: kernel(q, k, v), subject.device)
        with patch.dict(os.environ, GRLA_TRITON="0"):
            row["eager_ms"] = _median_ms(lambda: kernel(q, k, v), subject.device)
    return [row]


def layouts(subject: Subject) -> list[Row]:
    """A depthwise 3x3 convolution with channels last, as networks run it, and first."""
    dim = subject.model.dim
    convolution = nn.Conv2d(dim, dim, 3, padding=1, groups=dim, bias=False).to(subject.device)
    image = torch.rand(subject.batch_size, dim, subject.patch_size, subject.patch_size, device=subject.device)
    rows = []
    for name, layout in (("NHWC", torch.channels_last), ("NCHW", torch.contiguous_format)):
        x = image.contiguous(memory_format=layout)
        with torch.inference_mode():
            took = _median_ms(lambda x=x: convolution(x), subject.device)  # type: ignore[misc]
        rows.append({"layout": name, "ms": took, "ok": True})
    return rows


def launches(subject: Subject) -> list[Row]:
    """Kernels that a training step and a forward pass launch; on a GPU not to see any is a fault."""
    trainer = subject.trainer(subject.kernels[0], subject.device)
    trainer.train_step()
    model, lr = trainer.model, torch.rand(1, 3, *subject.lr_size, device=subject.device)
    step = _launched(trainer.train_step)
    model.eval()
    with torch.inference_mode():
        model(lr)
        forward = _launched(lambda: model(lr))
    seen = subject.device.type == "cpu" or min(step, forward) > 0
    return [{"kernel": subject.kernels[0], "training_step": step, "forward": forward, "ok": seen}]


def _launched(work: Callable[[], object]) -> int:
    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as watched:
        work()
    return sum(event.count for event in watched.key_averages() if "LaunchKernel" in event.key)


def latency(subject: Subject) -> list[Row]:
    """Forward passes as they are launched and as a graph, and in turns with a network from outside, if one is named."""
    shape, rows = (1, 3, *subject.lr_size), []
    for name in subject.kernels:
        model = subject.network(name).to(subject.device)
        rows.append({"kernel": name, **vars(measure_latency(model, shape, TIMED_RUNS)), "ok": True})
    if subject.outside:
        first = subject.kernels[0]
        outside = find_network(subject.outside, subject.model.upscale).to(subject.device)
        models = {first: subject.network(first).to(subject.device), subject.outside: outside}
        rows += [{"kernel": turn.name, **vars(turn), "ok": True} for turn in time_in_turns(models, first, shape, 15)]
    return rows


def memory(subject: Subject) -> list[Row]:
    """The peak of a training step."""
    rows = []
    for name in subject.kernels:
        trainer = subject.trainer(name, subject.device)
        trainer.train_step()
        peak = peak_memory(trainer.train_step, subject.device)
        rows.append({"kernel": name, **({} if peak is None else vars(peak)), "ok": True})
    return rows


def _median_ms(work: Callable[[], object], device: torch.device, runs: int = TIMED_RUNS) -> float:
    if device.type == "cuda":
        warm_up(work, device)
    return statistics.median(time_on(device, work) for _ in range(runs))


CHECKS: dict[str, Callable[[Subject], list[Row]]] = {
    check.__name__: check
    for check in (parity, training, queues, resuming, fused_against_eager, layouts, launches, latency, memory)
}
