"""GRBFLA, the paper's Gaussian-RBF linear attention (GRLA, section 3, Eq. 12)."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from grla.attention.first_order import FirstOrderKernel
from grla.attention.interface import unit
from grla.errors import require, require_choice


class Kernel(FirstOrderKernel):
    """weights_ij = phi(k_j) t(2 g q_i.k_j) / sum_j' phi(k_j') t(2 g q_i.k_j').

    phi(x) = exp(-g |x|^2); t is the Taylor expansion of exp: t(x) = 1 + x (order 1, Eq. 9) or 1 + x + x^2 / 2 (order 2,
    table 5); phi(q_i) cancels (Eq. 12). g = `gamma` / sqrt(head_dim): the paper's 1 / (2 sqrt(d)) is gamma = 0.5.
    With `learn_gamma` each head learns its own g, which starts there.
    With `gain` all of it is divided by 2 g: what tells keys apart then has the amplitude of the Taylor kernel's.
    `qk_norm` says which of q and k are L2-normalised, `key_weight` whether phi(k_j) is part of the sum; with normalised
    keys phi is a constant and cancels.

    Cost per token: 2 (head_dim + 1)^2 multiply-adds for order 1, (head_dim + 1)^2 (head_dim + 2) for order 2, whose
    features are the head_dim (head_dim + 1) / 2 distinct products only. Rows sum to one. With unit vectors and 2 g < 1
    weights are positive; without normalisation 1 + x can be negative and the denominator can vanish: training then
    diverges, which is a result.
    """

    rows_sum_to_one = True
    nonnegative = True

    def __init__(
        self,
        head_dim: int,
        num_heads: int = 1,
        *,
        gamma: float = 0.5,
        learn_gamma: bool = False,
        taylor_order: int = 1,
        qk_norm: Literal["both", "query", "none"] = "both",
        key_weight: bool = True,
        gain: bool = False,
    ) -> None:
        super().__init__(head_dim)
        require(gamma > 0, "gaussian_rbf: gamma", "must be above 0", gamma)
        require_choice("gaussian_rbf: taylor_order", taylor_order, (1, 2))
        require_choice("gaussian_rbf: qk_norm", qk_norm, ("both", "query", "none"))
        self.width = gamma / math.sqrt(head_dim)
        self.log_width = (
            torch.nn.Parameter(torch.full((num_heads, 1, 1), math.log(self.width))) if learn_gamma else None
        )
        self.taylor_order = taylor_order
        self.qk_norm = qk_norm
        self.key_weight = key_weight
        self.gain = gain

    def weights(self, q: Tensor, k: Tensor) -> Tensor:
        """The attention matrix; see the class."""
        return self._gained(super().weights(q, k))

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """The attention output; see the class."""
        return self._gained(super().forward(q, k, v))

    def map_q(self, q: Tensor) -> Tensor:
        """The Taylor features of the queries; see the class."""
        return self._taylor_features(q if self.qk_norm == "none" else unit(q))

    def map_k(self, k: Tensor) -> Tensor:
        """The Taylor features of the keys, weighted by phi; see the class."""
        k = unit(k) if self.qk_norm == "both" else k
        features = self._taylor_features(k)
        if not self.key_weight:
            return features
        # A softmax over keys is phi up to a factor per head, which cancels in Eq. 12 and keeps exp in range.
        return features * torch.softmax(-self._width() * k.square().sum(-1, keepdim=True), dim=-2)

    @property
    def slope(self) -> float | None:
        """2 g in the paper's setting, in which phi cancels; None in all others."""
        papers = self.taylor_order == 1 and self.qk_norm == "both" and self.log_width is None
        return 2 * self.width if papers else None

    def _gained(self, x: Tensor) -> Tensor:
        return x / (2 * self._width()) if self.gain else x

    def _width(self) -> Tensor | float:
        return self.width if self.log_width is None else self.log_width.exp()

    def _taylor_features(self, x: Tensor) -> Tensor:
        """Features whose inner product is t(2 g x.y): [1, sqrt(2 g) x] and, for order 2, sqrt(2) g x_a x_b.

        A product x_a x_b with a < b stands for two equal ones, hence another sqrt(2).
        """
        width = self._width()
        features = [torch.ones_like(x[..., :1]), (2 * width) ** 0.5 * x]
        if self.taylor_order == 2:
            first, second = torch.triu_indices(self.head_dim, self.head_dim, device=x.device)
            factor = torch.where(first == second, math.sqrt(2), 2.0)
            features.append(width * factor.to(x) * x[..., first] * x[..., second])
        return torch.cat(features, dim=-1)
