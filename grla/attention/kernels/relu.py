"""ReLU linear attention as in EfficientViT (Cai et al. 2023, "EfficientViT: Multi-Scale Linear Attention", Eq. 2)."""

from __future__ import annotations

from torch import Tensor, relu

from grla.attention.interface import LinearKernel


class Kernel(LinearKernel):
    """weights_ij = relu(q_i) . relu(k_j) / (sum_j' relu(q_i) . relu(k_j') + eps).

    eps = 1e-15 as in the authors' code. Cost per token: 2 head_dim (head_dim + 1) multiply-adds. Weights are
    nonnegative; rows sum to one unless a query shares no positive channel with any key, whose row is then zero.
    """

    rows_sum_to_one = False
    nonnegative = True
    eps = 1e-15

    def map_q(self, q: Tensor) -> Tensor:
        """relu(q)."""
        return relu(q)

    def map_k(self, k: Tensor) -> Tensor:
        """relu(k)."""
        return relu(k)
