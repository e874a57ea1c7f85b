"""First-order Taylor linear attention (Li et al. 2020, "Linear Attention Mechanism", Eq. 12-14; GRLA table 1)."""

from __future__ import annotations

import torch
from torch import Tensor

from grla.attention.first_order import FirstOrderKernel
from grla.attention.interface import unit


class Kernel(FirstOrderKernel):
    """weights_ij = (1 + u_i . w_j) / sum_j' (1 + u_i . w_j'), u and w the L2-normalised queries and keys.

    The expansion exp(x) ~ 1 + x with unit vectors: GRBF of order 1 with 2 g = 1. Cost per token: 2 (head_dim + 1)^2
    multiply-adds. Rows sum to one; weights are nonnegative, as 1 + cosine is, and the denominator vanishes only for a
    query opposite to every key.
    """

    rows_sum_to_one = True
    nonnegative = True

    def map_q(self, q: Tensor) -> Tensor:
        """[1, q / |q|]."""
        return torch.cat([torch.ones_like(q[..., :1]), unit(q)], dim=-1)

    def map_k(self, k: Tensor) -> Tensor:
        """[1, k / |k|]."""
        return self.map_q(k)

    @property
    def slope(self) -> float:
        """1."""
        return 1.0
