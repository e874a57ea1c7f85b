"""The precision in which steps are computed on a GPU; a CPU always trains in float32."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

import torch

from grla.errors import require
from grla.precision import float32_products
from grla.spec import Precision

HALVES = {"bf16": torch.bfloat16, "fp16": torch.float16}
LEAST_CAPABILITY = (8, 0)  # before it there is no TF32, and bfloat16 is emulated, slower than float32


def precisions_of(device: torch.device) -> tuple[Precision, ...]:
    """What a device computes by itself; on a CPU all, which change nothing there, and on Apple's GPUs float32 alone."""
    if device.type == "mps":
        return ("fp32",)
    old = device.type == "cuda" and torch.cuda.get_device_capability(device) < LEAST_CAPABILITY
    return ("fp32", "fp16") if old else ("fp32", "tf32", "bf16", "fp16")


def require_precision(precision: Precision, device: torch.device) -> None:
    """Raise InputError for a precision that a GPU would have to emulate, and on Apple's for all but float32."""
    able = precisions_of(device)
    rule = f"must be one of {', '.join(able)} on a GPU of compute capability below 8.0, which can only emulate others"
    if device.type == "mps":
        rule = "must be fp32 on Apple's GPUs, where nothing else is offered"
    require(precision in able, "train.precision", rule, precision)


@contextmanager
def computed_in(precision: Precision, device: torch.device) -> Iterator[None]:
    """The forward pass inside runs in that precision on a GPU, 16-bit ones by autocast."""
    half = HALVES.get(precision, torch.bfloat16)
    with torch.autocast("cuda", half, enabled=precision in HALVES and device.type == "cuda"):
        yield


def products_in(precision: Precision) -> AbstractContextManager[None]:
    """A step inside, backward pass included, multiplies float32 by TF32 where that is the precision."""
    return float32_products("tf32") if precision == "tf32" else nullcontext()


def loss_scaler(precision: Precision, device: torch.device) -> torch.amp.GradScaler:
    """What keeps the gradients of float16 from vanishing; it does nothing in other precisions and on a CPU."""
    return torch.amp.GradScaler(device.type, enabled=precision == "fp16" and device.type == "cuda")
