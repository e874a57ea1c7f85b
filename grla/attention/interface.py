"""The contract every attention kernel obeys.

A kernel is the part of attention that turns queries, keys and values into outputs, and nothing else: it has no
projections, so a table that swaps kernels compares kernels only.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import ClassVar

import torch
from torch import Tensor, nn


class AttentionKernel(nn.Module, ABC):
    """One attention kernel for one head width.

    Shapes: q (batch, num_heads, num_queries, head_dim); k and v (batch, num_heads, num_keys, head_dim); the output is
    like q. `weights` is the slow truth; `forward` must equal `weights(q, k) @ v` (see `weigh`), however it computes it.

    Class properties, checked by the contract test: `rows_sum_to_one` and `nonnegative` describe the weights (for the
    default options), `linear` promises time and memory linear in the number of tokens, `half_dtypes` are the 16-bit
    types for which outputs stay within the type's precision of the truth. `output_gate` asks the layer to multiply the
    output by a linear map of its input, for a kernel whose published form has one. `amplifies_rounding` scales the
    tolerance for float32 outputs, for a kernel that inverts a matrix. `vector` above 1 says that heads run fastest when
    their width is a multiple of it, and promises that padding heads with channels of zeros changes nothing. With
    `value_groups` above 1 values are split into so many groups of channels, each with weights of its own.
    """

    rows_sum_to_one: ClassVar[bool]
    nonnegative: ClassVar[bool]
    linear: ClassVar[bool]
    output_gate: ClassVar[bool] = False
    amplifies_rounding: ClassVar[float] = 1.0
    vector: ClassVar[int] = 1
    value_groups: ClassVar[int] = 1
    half_dtypes: ClassVar[tuple[torch.dtype, ...]] = (torch.bfloat16, torch.float16)

    def __init__(self, head_dim: int) -> None:
        super().__init__()
        self.head_dim = head_dim
        # Set by grla.cost: the definition is counted, not the faster path that usually runs.
        self.plain_path = False

    @abstractmethod
    def weights(self, q: Tensor, k: Tensor) -> Tensor:
        """The attention matrix (batch, num_heads * value_groups, num_queries, num_keys), formed in full."""

    @abstractmethod
    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """The attention output (batch, num_heads, num_queries, head_dim)."""


def weigh(weights: Tensor, v: Tensor) -> Tensor:
    """weights @ v; of several groups of weights a head, each weighs its part of the values' channels."""
    groups = weights.shape[1] // v.shape[1]
    parts = zip(weights.unflatten(1, (-1, groups)).unbind(2), v.chunk(groups, dim=-1), strict=True)
    return torch.cat([matrix @ part for matrix, part in parts], dim=-1)


class LinearKernel(AttentionKernel):
    """A kernel whose unnormalised weights are inner products of features: one sum over keys serves all queries.

    weights_ij = map_q(q_i) . map_k(k_j) / (sum_j' map_q(q_i) . map_k(k_j') + eps)

    Cost per token: 2 * num_features * (head_dim + 1) multiply-adds. Sums over tokens run in float32 for 16-bit
    inputs: they would overflow float16 and lose every late token in bfloat16.
    """

    linear = True
    eps: ClassVar[float] = 0.0

    @abstractmethod
    def map_q(self, q: Tensor) -> Tensor:
        """Query features (batch, num_heads, num_queries, num_features)."""

    @abstractmethod
    def map_k(self, k: Tensor) -> Tensor:
        """Key features (batch, num_heads, num_keys, num_features)."""

    def weights(self, q: Tensor, k: Tensor) -> Tensor:
        """The attention matrix from the features, formed in full."""
        scores = self.map_q(q) @ self.map_k(k).mT
        return scores / (scores.sum(-1, keepdim=True) + self.eps)

    def count_features(self, device: torch.device) -> int:
        """num_features of this kernel, whose parameters and buffers are on `device`."""
        return self.map_k(torch.zeros(1, 1, 1, self.head_dim, device=device)).shape[-1]

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """The attention output by summing over keys first."""
        with torch.autocast("cuda" if q.is_cuda else "cpu", enabled=False):
            return self.attend(full(q), full(k), full(v)).to(v.dtype)

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """`forward` in float32 or wider; a kernel that normalises differently overrides it and `weights`."""
        numerator, denominator = self.sums(q, k, v)
        return numerator / (denominator + self.eps)

    def sums(self, q: Tensor, k: Tensor, v: Tensor) -> tuple[Tensor, Tensor]:
        """Sums over keys of weighted values (..., num_queries, head_dim) and of weights (..., num_queries, 1)."""
        # The column of ones makes the denominator one more column of the same product.
        values = nn.functional.pad(v, (0, 1), value=1.0)
        sums = self.map_q(q) @ (self.map_k(k).mT @ values)
        return sums[..., :-1], sums[..., -1:]


def full(x: Tensor) -> Tensor:
    """16-bit floats as float32, wider ones as they are."""
    return x.float() if x.dtype in (torch.bfloat16, torch.float16) else x


def unit(x: Tensor) -> Tensor:
    """L2-normalise each token (..., head_dim); a zero token stays zero."""
    return nn.functional.normalize(x, dim=-1)
