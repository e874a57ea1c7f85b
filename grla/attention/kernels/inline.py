"""Injective linear attention (Han et al. 2024, "Bridging the Divide: Reconsidering Softmax and Linear Attention",
Eq. 5)."""

from __future__ import annotations

import math

from torch import Tensor

from grla.attention.interface import LinearKernel


class Kernel(LinearKernel):
    """weights_ij = (s q_i . k_j - mean_j' s q_i . k_j' + 1) / N, with s = 1 / sqrt(head_dim) and N keys.

    Instead of being divided by their sum, weights are shifted so that they sum to one, so that different queries have
    different weights. As in the authors' code, whose convolution of the values by weights made of the input is an
    option of the layer, `ModelSpec.dynamic_values`.

    Cost per token: 2 head_dim^2 multiply-adds. Rows sum to one; weights can be negative.
    """

    rows_sum_to_one = True
    nonnegative = False

    def map_q(self, q: Tensor) -> Tensor:
        """q / sqrt(head_dim)."""
        return q / math.sqrt(self.head_dim)

    def map_k(self, k: Tensor) -> Tensor:
        """k minus the mean of all keys, divided by their number."""
        return (k - k.mean(-2, keepdim=True)) / k.shape[-2]

    def weights(self, q: Tensor, k: Tensor) -> Tensor:
        """The attention matrix; see the class."""
        return self.map_q(q) @ self.map_k(k).mT + 1 / k.shape[-2]

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """The same with sums over keys first."""
        return self.map_q(q) @ (self.map_k(k).mT @ v) + v.mean(-2, keepdim=True)
