"""Linear maps of tokens, through the faster of the two libraries that PyTorch ships for CPUs."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.utils._python_dispatch import _get_current_dispatch_mode

VECTOR = 16
"""Numbers in the widest vectors of today's processors, in float32."""


class Linear(nn.Linear):
    """`nn.Linear` that runs `linear`."""

    plain_path = False

    def forward(self, x: Tensor) -> Tensor:
        """(..., in_features) -> (..., out_features)."""
        return super().forward(x) if self.plain_path else linear(x, self.weight, self.bias)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x @ weight.T + bias: (..., inputs) -> (..., outputs) for a weight (outputs, inputs) and a bias (outputs,).

    For widths that are no multiple of the processor's vector width (the paper's 55) PyTorch's usual BLAS runs below its
    speed, and oneDNN, which PyTorch uses for convolutions and compiled graphs, does not; for widths that are, the usual
    way is as fast and has less to do for each call, which small networks feel. On CPUs oneDNN's way does not support
    double backward.
    """
    if not _onednn_suits(x, weight):
        return nn.functional.linear(x, weight, bias)
    if not (torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad)):
        return _product(x, weight, bias)
    out: Tensor = _Linear.apply(x, weight, bias)  # type: ignore[no-untyped-call]
    return out


class _Linear(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
        ctx.save_for_backward(x, weight)
        return _product(x, weight, bias)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, Tensor | None, Tensor | None]:
        x, weight = ctx.saved_tensors
        wanted_x, wanted_weight, wanted_bias = ctx.needs_input_grad
        rows = grad.flatten(0, -2)
        return (
            _product(grad, weight.mT, None) if wanted_x else None,
            _weight_gradient(rows, x.flatten(0, -2)) if wanted_weight else None,
            rows.sum(0) if wanted_bias else None,
        )


def _weight_gradient(grad: Tensor, x: Tensor) -> Tensor:
    """grad.T @ x for grad (rows, outputs), x (rows, inputs); with the wider one on the right up to a quarter faster."""
    return grad.mT @ x if x.shape[1] >= grad.shape[1] else (x.mT @ grad).mT


def watched() -> bool:
    """Whether a tracer, a compiler or an operation counter is active, which must see operations that it knows."""
    if torch.compiler.is_compiling():  # checked first, as a compiler cannot trace what follows
        return True
    return torch._C._get_tracing_state() is not None or _get_current_dispatch_mode() is not None


def _onednn_suits(x: Tensor, weight: Tensor) -> bool:
    if all(width % VECTOR == 0 for width in weight.shape) or watched():
        return False
    fits = x.device.type == "cpu" and x.dtype == torch.float32 and x.numel() > 0
    return fits and torch.backends.mkldnn.is_available() and bool(torch.backends.mkldnn.enabled)


def _product(x: Tensor, weight: Tensor, bias: Tensor | None) -> Tensor:
    # For weights that are not contiguous oneDNN falls back to loops that are a hundred times slower.
    out: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight.contiguous(), bias, "none", [], "")
    return out
