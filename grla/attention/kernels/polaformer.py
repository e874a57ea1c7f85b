"""Polarity-aware linear attention (Meng et al. 2025, "PolaFormer: Polarity-aware Linear Attention for Vision
Transformers", section 4)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from grla.attention.interface import LinearKernel

EPS = 1e-6
SMALLEST = 1e-30
"""Channels below this have features of 0 in every float type, and no logarithm."""
LOWEST = -60.0
"""Of the logarithm of a product of features: below it EPS decides in every float type."""


class Kernel(LinearKernel):
    """Two matrices of weights, each for a half of the values' channels.

    The first weighs the first half by pairs of equal sign, f(q+) . f(k+) + f(q-) . f(k-), the second the other half by
    pairs of opposite sign, f(q-) . f(k+) + f(q+) . f(k-); rows are divided by their sum + N 1e-6, N keys. x+ and x- are
    the positive and the negative part of x / softplus(a), f(x) = x^p elementwise with p = 1 + 4 sigmoid(b), and a
    and b are learned per channel and start at 0 (p = 3). As in the authors' code. Their depthwise convolution of the
    values and their gate are options of the layer, `ModelSpec.local_values` and `output_gate`; learned positions are
    left out.

    Cost per token: 4 head_dim (head_dim + 2) multiply-adds. Weights are nonnegative; rows sum to a little less than
    one.
    """

    rows_sum_to_one = False
    nonnegative = True
    value_groups = 2

    def __init__(self, head_dim: int, num_heads: int = 1) -> None:
        super().__init__(head_dim)
        self.scale = nn.Parameter(torch.zeros(num_heads, 1, head_dim))
        self.power = nn.Parameter(torch.zeros(num_heads, 1, head_dim))

    def map_q(self, q: Tensor) -> Tensor:
        """f of both parts of the queries, the positive one first, divided by each query's largest."""
        return self._features(q, largest_over=(-1,))[0]

    def map_k(self, k: Tensor) -> Tensor:
        """f of both parts of the keys, divided by the largest of all keys and by their number."""
        return self._features(k, largest_over=(-2, -1))[0] / k.shape[-2]

    def weights(self, q: Tensor, k: Tensor) -> Tensor:
        """Both matrices, (batch, num_heads * 2, num_queries, num_keys); see the class."""
        features, keys, eps = self._parts(q, k)
        scores = [side @ keys.mT for side in features]
        divided = [score / (score.sum(-1, keepdim=True) + eps) for score in scores]
        return torch.stack(divided, dim=2).flatten(1, 2)

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """The same with sums over keys first."""
        features, keys, eps = self._parts(q, k)
        sums = keys.sum(-2, keepdim=True).mT
        halves = zip(features, v.chunk(self.value_groups, dim=-1), strict=True)
        return torch.cat([side @ (keys.mT @ half) / (side @ sums + eps) for side, half in halves], dim=-1)

    def _parts(self, q: Tensor, k: Tensor) -> tuple[tuple[Tensor, Tensor], Tensor, Tensor]:
        """Features of queries for equal and opposite signs, of keys, and EPS in their unit (..., num_queries, 1)."""
        equal, of_queries = self._features(q, largest_over=(-1,))
        keys, of_keys = self._features(k, largest_over=(-2, -1))
        positive, negative = equal.chunk(2, dim=-1)
        eps = EPS * torch.exp(-(of_queries + of_keys).clamp_min(LOWEST))
        return (equal, torch.cat([negative, positive], dim=-1)), keys / k.shape[-2], eps

    def _features(self, x: Tensor, largest_over: tuple[int, ...]) -> tuple[Tensor, Tensor]:
        """f(x+) and f(x-), (..., num_tokens, 2 * head_dim), over their largest, and the logarithm of that.

        Powers of huge tokens would overflow.
        """
        scaled, power = x / softplus(self.scale), 1 + 4 * self.power.sigmoid()
        parts = torch.cat([scaled, -scaled], dim=-1).clamp_min(SMALLEST)
        logarithms = torch.cat([power, power], dim=-1) * parts.log()
        largest = logarithms.amax(largest_over, keepdim=True).detach()
        return (logarithms - largest).exp(), largest
