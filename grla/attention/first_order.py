"""Attention whose weights grow linearly with the cosine of query and key, in two passes over the tokens.

    out_i = sum_j (1 + s q_i.k_j) v_j / sum_j (1 + s q_i.k_j)        q_i, k_j: unit vectors, s: slope

GRLA's Eq. 12 with normalised queries and keys is this (phi cancels), and so is the Taylor kernel. Sums over keys come
first. On CPUs tokens are processed in pieces that stay in the cache through all steps, and the backward pass is written
out, so that no intermediate result is stored. On NVIDIA GPUs it runs as Triton kernels, see `triton_first_order`.
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import torch
from torch import Tensor
from torch.autograd.function import once_differentiable

from grla.attention.interface import LinearKernel, full
from grla.attention.linear import watched
from grla.attention.pieces import pieces, times
from grla.attention.triton_probe import triton_obstacle, triton_version

SMALLEST = 1e-12  # the least norm that vectors are divided by, as in torch.nn.functional.normalize
TRITON_DTYPES = (torch.float32, torch.bfloat16, torch.float16)
TRITON_WIDEST = 64  # channels; the sums of wider heads do not fit into a multiprocessor


class FirstOrderKernel(LinearKernel):
    """A linear kernel that, where it has a slope, is computed by `first_order_attention`."""

    @property
    @abstractmethod
    def slope(self) -> float | None:
        """s if the weights are 1 + s cos(q, k), normalised, with the kernel's options; None if they are others."""

    def path_on(self, device: torch.device) -> str:
        """The path that it takes on `device` where nothing watches or compiles it.

        "triton VERSION", or "eager (REASON)"; "" on a CPU and without a slope.
        """
        if device.type != "cuda" or self.slope is None:
            return ""
        wide = self.head_dim > TRITON_WIDEST
        obstacle = f"heads wider than {TRITON_WIDEST}" if wide else triton_obstacle(device)
        return f"eager ({obstacle})" if obstacle else f"triton {triton_version()}"

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """The attention output by the formula above or, without a slope, by summing over keys first."""
        if self.slope is None or self.plain_path:
            return super().forward(q, k, v)
        with torch.autocast("cuda" if q.is_cuda else "cpu", enabled=False):
            return first_order_attention(q, k, v, self.slope)


def first_order_attention(q: Tensor, k: Tensor, v: Tensor, slope: float) -> Tensor:
    """The formula above: q, k, v (batch, num_heads, num_tokens, head_dim) -> like q. Sums are in float32 or wider."""
    if triton_suits(q, k, v):
        from grla.attention.triton_first_order import fused_first_order_attention  # noqa: PLC0415  not installed everywhere

        return fused_first_order_attention(q, k, v, slope)
    out: Tensor = _FirstOrder.apply(full(q), full(k), full(v), slope)  # type: ignore[no-untyped-call]
    return out.to(v.dtype)


def triton_suits(q: Tensor, k: Tensor, v: Tensor) -> bool:
    """Whether the Triton kernels can run on these tensors, on their device."""
    if not q.is_cuda or watched():
        return False
    alike = q.dtype == k.dtype == v.dtype and q.dtype in TRITON_DTYPES
    fits = q.shape[-1] <= TRITON_WIDEST and q.numel() > 0 and k.numel() > 0
    return alike and fits and not triton_obstacle(q.device)


class _FirstOrder(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, q: Tensor, k: Tensor, v: Tensor, slope: float) -> Tensor:
        state = q.new_zeros(*q.shape[:2], q.shape[-1], v.shape[-1] + 1)  # slope * sum_j k_j [v_j, 1]
        base = q.new_zeros(*q.shape[:2], 1, v.shape[-1] + 1)  # sum_j [v_j, 1]
        for k_piece, v_piece in pieces(k, v):
            direction, _ = _unit(k_piece)
            state[..., :-1] += direction.mT @ v_piece
            state[..., -1] += direction.sum(-2)
            base[..., :-1] += v_piece.sum(-2, keepdim=True)
        state *= slope
        base[..., -1].fill_(k.shape[-2])  # assigned, it would be a constant on the CPU, which GPU graphs cannot hold
        out, totals = torch.empty_like(q), q.new_empty(*q.shape[:-1], 1)
        for q_piece, out_piece, total in pieces(q, out, totals):
            sums = times(_unit(q_piece)[0], state).add_(base)
            torch.div(sums[..., :-1], sums[..., -1:], out=out_piece)
            total.copy_(sums[..., -1:])
        ctx.save_for_backward(q, k, v, state, out, totals)
        ctx.slope = slope
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        q, k, v, state, out, totals = ctx.saved_tensors
        grad_q, grad_k, grad_v = torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)
        grad_state, grad_base = torch.zeros_like(state), torch.zeros_like(state[..., :1, :-1])
        for q_piece, out_piece, total, grad_piece, grad_q_piece in pieces(q, out, totals, grad, grad_q):
            direction, norm = _unit(q_piece)
            by_sum = grad_piece / total
            by_total = -(by_sum * out_piece).sum(-1, keepdim=True)
            grad_state[..., :-1] += direction.mT @ by_sum
            grad_state[..., -1:] += direction.mT @ by_total
            grad_base += by_sum.sum(-2, keepdim=True)
            by_direction = times(by_sum, state[..., :-1].mT).addcmul_(by_total, state[..., -1:].mT)
            _through_unit(direction, norm, by_direction, grad_q_piece)
        grad_state *= ctx.slope
        for k_piece, v_piece, grad_k_piece, grad_v_piece in pieces(k, v, grad_k, grad_v):
            direction, norm = _unit(k_piece)
            torch.add(times(direction, grad_state[..., :-1]), grad_base, out=grad_v_piece)
            by_direction = times(v_piece, grad_state[..., :-1].mT).add_(grad_state[..., -1:].mT)
            _through_unit(direction, norm, by_direction, grad_k_piece)
        return grad_q, grad_k, grad_v, None


def _unit(x: Tensor) -> tuple[Tensor, Tensor]:
    """Directions (..., num_tokens, head_dim) and norms (..., num_tokens, 1) of vectors."""
    norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True).clamp_min_(SMALLEST)
    return x / norm, norm


def _through_unit(direction: Tensor, norm: Tensor, grad: Tensor, out: Tensor) -> None:
    """Write the gradient with respect to vectors to `out`, given that with respect to their directions."""
    along = (direction * grad).sum(-1, keepdim=True)
    torch.div(torch.addcmul(grad, direction, along, value=-1), norm, out=out)
