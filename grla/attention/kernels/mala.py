"""Magnitude-aware linear attention (Fan et al. 2025, "Rectifying Magnitude Neglect in Linear Attention")."""

from __future__ import annotations

import math

from torch import Tensor
from torch.nn.functional import elu

from grla.attention.interface import LinearKernel


class Kernel(LinearKernel):
    """weights_ij = (1 + 1 / (z_i + eps)) s f(q_i) . f(k_j) / N - z_i / N, z_i = s f(q_i) . mean_j f(k_j).

    f(x) = elu(x) + 1, s = 1 / sqrt(head_dim), eps = 1e-6, N keys, as in the authors' code: the scale of a query, which
    a division by the row's sum would cancel, stays. Cost per token: 2 head_dim (head_dim + 1) multiply-adds and the
    gate's dim^2. Rows sum to z / (z + eps), one up to eps; weights can be negative. The published layer multiplies the
    output by a linear gate of its input (`output_gate`), which GRLA's parameter count for MALA includes; its rotary
    positions and depthwise branch are left out, as the network has a local branch of its own.
    """

    rows_sum_to_one = False
    nonnegative = False
    output_gate = True
    eps = 1e-6

    def map_q(self, q: Tensor) -> Tensor:
        """(elu(q) + 1) / sqrt(head_dim)."""
        return (elu(q) + 1) / math.sqrt(self.head_dim)

    def map_k(self, k: Tensor) -> Tensor:
        """elu(k) + 1, divided by the number of keys, so that sums over keys are means."""
        return (elu(k) + 1) / k.shape[-2]

    def weights(self, q: Tensor, k: Tensor) -> Tensor:
        """The attention matrix; see the class."""
        scores = self.map_q(q) @ self.map_k(k).mT
        z = scores.sum(-1, keepdim=True)
        return scores * (1 + 1 / (z + self.eps)) - z / k.shape[-2]

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """The same with sums over keys first."""
        numerator, z = self.sums(q, k, v)
        return numerator * (1 + 1 / (z + self.eps)) - z * v.mean(-2, keepdim=True)
