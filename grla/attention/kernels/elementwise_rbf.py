"""The element-wise map of the student code this project grew from (redscarfx/GRLA): not the paper's Eq. 12."""

from __future__ import annotations

import torch
from torch import Tensor

from grla.attention.interface import LinearKernel
from grla.errors import require


class Kernel(LinearKernel):
    """weights_ij = f(q_i) . f(k_j) / (sum_j' f(q_i) . f(k_j') + eps), f(x) = exp(-g x^2) exp(2 g x) channel by channel.

    g = `gamma` itself, not divided by sqrt(head_dim), and eps = 1e-6, as there. f is exp(g) exp(-g (x - 1)^2): a bump
    around 1, so a weight is large where channels of q and k both lie near 1, not where q and k are near each other.
    Cost per token: 2 head_dim (head_dim + 1) multiply-adds. Weights are nonnegative; rows sum to one up to eps.
    """

    rows_sum_to_one = False
    nonnegative = True
    eps = 1e-6

    def __init__(self, head_dim: int, *, gamma: float = 0.5) -> None:
        super().__init__(head_dim)
        require(gamma > 0, "elementwise_rbf: gamma", "must be above 0", gamma)
        self.gamma = gamma

    def map_q(self, q: Tensor) -> Tensor:
        """exp(-g q^2 + 2 g q)."""
        return torch.exp(self.gamma * q * (2 - q))

    def map_k(self, k: Tensor) -> Tensor:
        """The same map."""
        return self.map_q(k)
