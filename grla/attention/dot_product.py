"""PyTorch's fused softmax attention, given heads of widths that it can run fused."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import pad, scaled_dot_product_attention

MULTIPLE = 8
"""Fused GPU kernels take heads of multiples of 8 channels (4 in float32); for others PyTorch forms all weights."""


def dot_product_attention(q: Tensor, k: Tensor, v: Tensor, scale: float) -> Tensor:
    """softmax(scale * q @ k.mT) @ v, without forming the weights: shapes as kernels have them, output as wide as v.

    v may be narrower than q and k. On a GPU heads are padded by channels of zeros to a multiple of 8, which changes no
    number but by rounding.
    """
    width = q.shape[-1] + (-q.shape[-1] % MULTIPLE if q.is_cuda else 0)
    wide_q, wide_k, wide_v = (x if x.shape[-1] == width else pad(x, (0, width - x.shape[-1])) for x in (q, k, v))
    return scaled_dot_product_attention(wide_q, wide_k, wide_v, scale=scale)[..., : v.shape[-1]]
