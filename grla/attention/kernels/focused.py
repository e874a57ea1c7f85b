"""Focused linear attention (Han et al. 2023, "FLatten Transformer: Vision Transformer using Focused Linear Attention",
Eq. 5 and 6)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.functional import softplus

from grla.attention.interface import LinearKernel
from grla.errors import require_at_least

SMALLEST = 1e-6
"""Added to each channel, and to each denominator, as in the authors' code."""


class Kernel(LinearKernel):
    """weights_ij = f(q_i) . f(k_j) / (sum_j' f(q_i) . f(k_j') + N 1e-6), N keys.

    f(x) = |y| y^p / |y^p| elementwise, with y = (relu(x) + 1e-6) / softplus(a) and a learned scale `a` per channel,
    which starts at 0: powers of p = `focus` turn vectors towards their largest channels and keep their length. As in
    the authors' code for one head; with more they take lengths over the channels of all heads, which no kernel here
    sees. Their learned positions are left out, and their depthwise convolution of the values
    is an option of the layer, `ModelSpec.local_values`.

    Cost per token: 2 head_dim (head_dim + 1) multiply-adds. Weights are nonnegative; rows sum to a little less than
    one.
    """

    rows_sum_to_one = False
    nonnegative = True
    eps = SMALLEST

    def __init__(self, head_dim: int, num_heads: int = 1, *, focus: int = 3) -> None:
        super().__init__(head_dim)
        require_at_least("focused: focus", focus, 1)
        self.focus = focus
        self.scale = nn.Parameter(torch.zeros(num_heads, 1, head_dim))

    def map_q(self, q: Tensor) -> Tensor:
        """f(q); see the class."""
        y = (q.relu() + SMALLEST) / softplus(self.scale)
        # Only the direction of the powers counts, so that their scale, which could overflow, needs no gradient.
        powers: Tensor = (y / y.amax(-1, keepdim=True).detach()) ** self.focus
        length: Tensor = y.norm(dim=-1, keepdim=True)
        features: Tensor = length * powers / powers.norm(dim=-1, keepdim=True)
        return features

    def map_k(self, k: Tensor) -> Tensor:
        """f(k), divided by the number of keys, so that sums over keys are means."""
        return self.map_q(k) / k.shape[-2]
