"""Efficient attention (Shen et al. 2021, "Efficient Attention: Attention with Linear Complexities", Eq. 3 and 5)."""

from __future__ import annotations

from torch import Tensor

from grla.attention.interface import LinearKernel


class Kernel(LinearKernel):
    """weights_ij = sum_c softmax_c(q_i)_c softmax_j(k_jc): softmax over channels of q, over tokens of k.

    Cost per token: 2 head_dim (head_dim + 1) multiply-adds. Rows sum to one by construction (the division by their sum
    only removes rounding), weights are nonnegative.
    """

    rows_sum_to_one = True
    nonnegative = True

    def map_q(self, q: Tensor) -> Tensor:
        """Softmax over the channels of each query."""
        return q.softmax(dim=-1)

    def map_k(self, k: Tensor) -> Tensor:
        """Softmax over the tokens of each channel."""
        return k.softmax(dim=-2)
