"""`first_order_attention` on NVIDIA GPUs: two Triton kernels forward, two backward.

Each tensor is read or written once: k and v, then q and the output; backward q and the output's gradient, then k and v,
with their own gradients. The first kernel passes a small matrix per head, of sums over tokens, to the second. A program
sums a share of a head's tokens, and shares are added in a fixed order, so that results are deterministic. Importing
this needs Triton; `grla.attention.first_order` decides when it is used.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import torch
import triton
from torch import Tensor
from torch.autograd.function import once_differentiable

from grla.attention.triton_kernels import answer, key_gradients, query_gradients, sum_keys

TILE = 2**11  # elements of a tensor that a program loads at a time; twice as many exceed some GPUs' shared memory
PROGRAMS = 512  # about so many share the tokens of all heads: a few per multiprocessor of a large GPU
NARROWEST = 16  # the least width of a product in Triton
WARPS, STAGES = 8, 2


def fused_first_order_attention(q: Tensor, k: Tensor, v: Tensor, slope: float) -> Tensor:
    """The formula of `first_order`: q, k, v (batch, num_heads, num_tokens, head_dim) of one device and type -> like q.

    float32, bfloat16 or float16, in any memory layout. Sums are in float32, products have float32's precision for
    float32 (three products of TF32) and TF32's for 16-bit types.
    """
    out: Tensor = _Fused.apply(q, k, v, slope)  # type: ignore[no-untyped-call]
    return out


class _Fused(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, slope: float) -> Tensor:
        shares = _buffer(k)
        _launch(sum_keys, (k, v), shares, slope)
        sums, out = shares.sum(1), torch.empty_like(q)
        _launch(answer, (q, out), sums, k.shape[-2])
        ctx.save_for_backward(q, k, v, sums)
        ctx.slope = slope
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        q, k, v, sums = ctx.saved_tensors
        grad_q, grad_k, grad_v, shares = torch.empty_like(q), torch.empty_like(k), torch.empty_like(v), _buffer(q)
        _launch(query_gradients, (q, grad, grad_q), sums, shares, k.shape[-2], ctx.slope)
        _launch(key_gradients, (k, v, grad_k, grad_v), shares.sum(1))
        return grad_q, grad_k, grad_v, None


class _Plan(NamedTuple):
    """Programs (batch * num_heads, shares), each with a share of `span` tokens, `block` of them at a time.

    `width` is the number of channels of a product, padding included.
    """

    programs: tuple[int, int]
    span: int
    block: int
    width: int


def _plan(tokens: Tensor) -> _Plan:
    batch, num_heads, num_tokens, head_dim = tokens.shape
    heads = batch * num_heads
    width = max(NARROWEST, triton.next_power_of_2(head_dim))
    block = TILE // width
    span = block * triton.cdiv(heads * num_tokens, PROGRAMS * block)
    return _Plan((heads, triton.cdiv(num_tokens, span)), span, block, width)


def _buffer(tokens: Tensor) -> Tensor:
    """Memory for the sums over each share of tokens: (batch * num_heads, shares, head_dim + 1, head_dim + 1)."""
    side = tokens.shape[-1] + 1
    return tokens.new_empty(*_plan(tokens).programs, side, side, dtype=torch.float32)


def _launch(kernel: Any, tensors: tuple[Tensor, ...], *arguments: Tensor | float) -> None:
    """Launch a kernel on tensors (batch, num_heads, num_tokens, head_dim) of equal shape and its other arguments."""
    _, num_heads, num_tokens, head_dim = tensors[0].shape
    programs, span, block, width = _plan(tensors[0])
    places = [part for tensor in tensors for part in (tensor, tensor.stride())]
    sizes = {"HEAD_DIM": head_dim, "WIDTH": width, "BLOCK": block}
    precision = "tf32x3" if tensors[0].dtype == torch.float32 else "tf32"
    with torch.cuda.device_of(tensors[0]):
        kernel[programs](
            *places, *arguments, num_heads, num_tokens, span,
            **sizes, PRECISION=precision, num_warps=WARPS, num_stages=STAGES,
        )  # fmt: skip
