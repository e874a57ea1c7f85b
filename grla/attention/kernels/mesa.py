"""Least squares on plain keys (von Oswald et al. 2025, "MesaNet: Sequence Modeling by Locally Optimal Test-Time
Training", Eq. 7), for tokens that all see each other."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from grla.attention.interface import LinearKernel, unit
from grla.errors import require, require_at_least


class Kernel(LinearKernel):
    """weights_ij = b_j / N q_i . (H + diag(r))^-1 k_j with H = sum_j b_j / N k_j k_j^T, of unit q and k, N keys.

    The best linear map from keys to values, ridge r, read at the query. The first channel of a key is the logit of its
    input strength, b_j = sigmoid; the others are its content. r is learned per head and channel and starts at `ridge`.
    MesaNet is causal, forgets, and convolves its inputs; images are not causal, so that nothing is forgotten, and
    sums are means over keys, so that r means the same for images of any size.

    Cost per token: head_dim^2 for H and 2 head_dim^2 for the sums and outputs, with head_dim^3 once per head. Rows do
    not sum to one, weights can be negative.
    """

    rows_sum_to_one = False
    nonnegative = False
    amplifies_rounding = 10.0

    def __init__(self, head_dim: int, num_heads: int = 1, *, ridge: float = 0.01) -> None:
        super().__init__(head_dim)
        require(ridge > 0, "mesa: ridge", "must be above 0", ridge)
        require_at_least("mesa: head_dim", head_dim, 2)
        self.log_ridge = nn.Parameter(torch.full((num_heads, 1, head_dim - 1), math.log(ridge)))

    def map_q(self, q: Tensor) -> Tensor:
        """The direction of all but the first channel of the queries."""
        return unit(q[..., 1:])

    def map_k(self, k: Tensor) -> Tensor:
        """The same of the keys."""
        return unit(k[..., 1:])

    def weights(self, q: Tensor, k: Tensor) -> Tensor:
        """The attention matrix; see the class."""
        strong = self._strong(k)
        return self.map_q(q) @ self._solve(k, strong.mT)

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """The same with the linear map (head_dim - 1, head_dim) formed first."""
        return self.map_q(q) @ self._solve(k, self._strong(k).mT @ v)

    def _strong(self, k: Tensor) -> Tensor:
        """Keys times their input strengths, divided by their number."""
        return k[..., :1].sigmoid() * self.map_k(k) / k.shape[-2]

    def _solve(self, k: Tensor, right: Tensor) -> Tensor:
        """(H + diag(r))^-1 right."""
        moments = self._strong(k).mT @ self.map_k(k)
        ridge = torch.eye(self.head_dim - 1, dtype=moments.dtype, device=moments.device) * self.log_ridge.exp()
        # solve_ex propagates NaN, so that a diverging training is reported as such.
        solution: Tensor = torch.linalg.solve_ex(moments + ridge, right).result
        return solution
