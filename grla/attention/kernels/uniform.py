"""Plain averaging: the null hypothesis that attention's weights do not matter, only the mean of the values."""

from __future__ import annotations

import torch
from torch import Tensor

from grla.attention.interface import LinearKernel


class Kernel(LinearKernel):
    """weights_ij = 1 / num_keys: every query gets the mean of all values.

    Cost per token: 2 (head_dim + 1) multiply-adds. Rows sum to one, weights are nonnegative.
    """

    rows_sum_to_one = True
    nonnegative = True

    def map_q(self, q: Tensor) -> Tensor:
        """One constant feature; queries do not matter."""
        return torch.ones_like(q[..., :1])

    def map_k(self, k: Tensor) -> Tensor:
        """One constant feature; keys do not matter."""
        return torch.ones_like(k[..., :1])
