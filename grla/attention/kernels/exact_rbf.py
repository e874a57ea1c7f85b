"""The exact Gaussian-RBF kernel that GRBFLA expands (GRLA, Eq. 3), at quadratic cost: the truth it approximates."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from grla.attention.dot_product import dot_product_attention
from grla.attention.interface import AttentionKernel, unit
from grla.errors import require, require_choice


class Kernel(AttentionKernel):
    """weights_ij = exp(-g |q_i - k_j|^2) / sum_j' exp(-g |q_i - k_j'|^2), g = `gamma` / sqrt(head_dim).

    `qk_norm` says which of q and k are L2-normalised, as in `gaussian_rbf`. exp(-g |q|^2) cancels, so this is a softmax
    of 2 g q.k - g |k|^2; with unit keys it is softmax attention at temperature 1 / (2 g). Cost per token:
    2 num_keys (head_dim + 1) multiply-adds. Rows sum to one, weights are nonnegative.
    """

    rows_sum_to_one = True
    nonnegative = True
    linear = False

    def __init__(
        self, head_dim: int, *, gamma: float = 0.5, qk_norm: Literal["both", "query", "none"] = "both"
    ) -> None:
        super().__init__(head_dim)
        require(gamma > 0, "exact_rbf: gamma", "must be above 0", gamma)
        require_choice("exact_rbf: qk_norm", qk_norm, ("both", "query", "none"))
        self.width = gamma / math.sqrt(head_dim)
        self.qk_norm = qk_norm
        self.softmax = torch.nn.Softmax(dim=-1)

    def weights(self, q: Tensor, k: Tensor) -> Tensor:
        """The attention matrix; see the class."""
        q, k = self._extended(q, k)
        return torch.as_tensor(self.softmax(q @ k.mT))

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """The attention output; the fused product of PyTorch unless the plain path is asked for."""
        if self.plain_path:
            return self.weights(q, k) @ v
        return dot_product_attention(*self._extended(q, k), v, scale=1.0)

    def _extended(self, q: Tensor, k: Tensor) -> tuple[Tensor, Tensor]:
        """q and k with one more channel; their product is the softmax's argument."""
        q = q if self.qk_norm == "none" else unit(q)
        k = unit(k) if self.qk_norm == "both" else k
        squares = k.square().sum(-1, keepdim=True)
        return (
            torch.cat([2 * self.width * q, torch.ones_like(q[..., :1])], dim=-1),
            torch.cat([k, -self.width * squares], dim=-1),
        )
