"""Run networks of every kernel on a pretended GPU; the results go to standard output, as JSON.

python everything.py LIBRARY
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

from grla.attention import build_kernel, kernel_names
from grla.cost import count
from grla.cost.agreement import _macs_by_flop_counter_mode
from grla.cost.definition import definition_of, plain_torch
from grla.model import build_seeded
from grla.spec import KernelSpec, ModelSpec, Precision, TrainSpec
from grla.tiling import run_in_tiles
from grla.training import QueuedTrainer, Trainer
from tests.pretended_gpu.device import pretended

GPU = torch.device("cuda", 0)
HEAD_WIDTHS = (3, 8, 11, 16, 17, 32, 33, 55, 64)  # of studies and benchmarks, and some others


class Widths(TorchFunctionMode):
    """Collects the widths of heads that fused attention is given."""

    def __init__(self) -> None:
        super().__init__()
        self.found: set[int] = set()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        if func is nn.functional.scaled_dot_product_attention:
            self.found |= {x.shape[-1] for x in args[:3]}
        return func(*args, **(kwargs or {}))


class FakeTrainer(Trainer):
    """A trainer whose losses have no number."""

    def loss_value(self, loss: Tensor) -> float:
        assert loss.device == GPU
        return 1.0


def network(kernel: str) -> nn.Module:
    layers = ("window", "global") if kernel == "gaussian_rbf" else ("global",)
    spec = ModelSpec(dim=22, depth=1, layers=layers, window_size=4, num_heads=2, kernel=KernelSpec(kernel))
    return build_seeded(spec, 0)


def kernel_alone(name: str) -> list[int]:
    """Forward and backward for each head width; the widths that fused attention was given."""
    kernels = {width: build_kernel(name, width, 2) for width in HEAD_WIDTHS}
    with pretended(), Widths() as widths:
        for width, kernel in kernels.items():
            q, k, v = (torch.rand(2, 2, 9, width, device=GPU, requires_grad=True) for _ in range(3))
            out = kernel.to(GPU)(q, k, v)
            assert (out.shape, out.device) == (v.shape, GPU)
            if out.requires_grad:  # "none" looks at nothing
                out.sum().backward()
    return sorted(widths.found)


def training_step(name: str, precision: Precision) -> str:
    """The types of what the first convolution puts out in a step of training."""

    def batch(step: int) -> tuple[Tensor, Tensor]:
        return torch.rand(2, 3, 8, 8, device=GPU), torch.rand(2, 3, 32, 32, device=GPU)

    model, types = network(name), set()
    with pretended():
        trainer = FakeTrainer(model, TrainSpec(precision=precision, clip_norm=1.0), batch, GPU)
        trainer.scaler.get_scale = lambda: 1.0  # which has no number either
        trainer.model.head.register_forward_hook(lambda module, inputs, out: types.add(out.dtype))
        trainer.train_step()
        assert {p.grad.device for p in trainer.model.parameters() if p.grad is not None} == {GPU}
    return ", ".join(map(str, types))


def queued_step(name: str) -> str:
    """The device of the loss of a step that is queued; a number that it asked for would be an error, as there is none.

    Twice, as Adam's first step makes its state.
    """
    sides = (8, 32)
    model = network(name)
    with pretended():
        lr, hr = (torch.rand(2, 3, side, side, device=GPU) for side in sides)
        spec = TrainSpec(precision="bf16", clip_norm=1.0, ema_decay=0.9, ema_ramp=True)
        trainer = QueuedTrainer(model, spec, lambda step: (lr, hr), GPU, lambda model: model)
        for _ in range(2):
            trainer.use_rate(1e-4)
            loss = trainer.queue(lr, hr)
            trainer.average()
    return str(loss.device)


def evaluation(name: str) -> str:
    """The devices of a picture that is enlarged whole, and in tiles."""
    model = network(name).eval()
    with pretended(), torch.no_grad():  # inference_mode would look for the real GPU
        lr = torch.rand(1, 3, 9, 7, device=GPU)
        whole, tiled = model.to(GPU)(lr), torch.cat(list(run_in_tiles(model, lr, 4, tile=5)), dim=2)
    assert whole.shape == tiled.shape == (1, 3, 36, 28)
    return f"{whole.device}, {tiled.device}"


def price(name: str) -> tuple[int, int]:
    """Multiply-adds of the definition on the GPU, by PyTorch's counter, and of shapes alone, by ours."""
    model = network(name)
    definition = definition_of(model, "cpu")
    with pretended(), plain_torch():
        there = _macs_by_flop_counter_mode(definition.to(GPU), torch.rand(1, 3, 9, 7, device=GPU))
    return there, count(model, (1, 3, 9, 7)).macs


CHECKS: dict[str, Callable[[str], object]] = {
    "widths": kernel_alone,
    "float32": lambda name: training_step(name, "fp32"),
    "bfloat16": lambda name: training_step(name, "bf16"),
    "queued": queued_step,
    "evaluation": evaluation,
    "macs": price,
}


def outcome(check: Callable[[str], object], name: str) -> object:
    try:
        return check(name)
    except Exception as error:  # whatever goes wrong is for the test to show
        return f"{type(error).__name__}: {error}"


if __name__ == "__main__":
    results = {name: {key: outcome(check, name) for key, check in CHECKS.items()} for name in kernel_names()}
    results["gaussian_rbf"]["float16"] = outcome(lambda name: training_step(name, "fp16"), "gaussian_rbf")
    print(json.dumps(results))
