"""Gaussian-RBF ridge regression: values are fitted to the RBF features of keys, not averaged by them. Our own kernel.

GRLA's Eq. 3 weighs values by a Gaussian RBF of query and key, which is the Nadaraya-Watson estimate of the value at the
query. The better-known estimate with the same kernel is kernel ridge regression, and with random Fourier features
(Rahimi & Recht 2007, "Random Features for Large-Scale Kernel Machines", algorithm 1) it is linear in tokens as well.
Reading values out by least squares is also done by Garnelo & Czarnecki 2023 ("Exploring the Space of Key-Value-Query
Models with Intention"), von Oswald et al. 2023 ("Uncovering mesa-optimization algorithms in Transformers") and 2025
("MesaNet: Sequence Modeling by Locally Optimal Test-Time Training"), whose input strengths resemble the shares here.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from grla.attention.interface import LinearKernel
from grla.attention.kernels.random_features import orthogonal_draws
from grla.attention.linear import linear
from grla.attention.pieces import pieces, times
from grla.errors import require, require_at_least

LARGEST = 64.0  # bound of the root mean square over a token's channels


class Kernel(LinearKernel):
    """weights_ij = p_j + p_j (f(q_i) - mu) . (C + r / m I)^-1 (f(k_j) - mu), mu and C: mean and covariance of f(k), p.

    The first channel of a key is the logit of its token's share, p_j = softmax over keys; the others enter the features
    f(x) = sqrt(2 / m) [cos(W x), sin(W x)], so that f(x) . f(y) estimates exp(-g |x - y|^2). The m / 2 rows of W are
    orthogonal normal draws times sqrt(2 g), m = `num_features`, g = `gamma` / head_dim, as vectors are not normalised
    (only those with channels beyond 64 are shrunk, as no float type could represent their phase). r is learned per
    head and starts at `ridge`.

    The output is a mean (weighted by p_j) plus what a linear map of features explains beyond it: plain averaging for
    r -> infinity, for r -> 0 exact recall of up to m different keys, however similar they are. Nothing is divided by a
    sum that could vanish; the matrix that is inverted has a condition number of at most 1 + m / r, and systems of
    16-bit inputs are solved in float32. Rows sum to one, weights can be negative.

    Cost per token: m^2 + 2 m head_dim + m head_dim multiply-adds and 2 m sines or cosines, with m^3 / 3 + m^2 head_dim
    once per head.
    """

    rows_sum_to_one = True
    nonnegative = False
    amplifies_rounding = 10.0

    def __init__(
        self,
        head_dim: int,
        num_heads: int = 1,
        *,
        gamma: float = 0.5,
        ridge: float = 0.06,
        num_features: int = 128,
    ) -> None:
        super().__init__(head_dim)
        require(gamma > 0, "rbf_ridge: gamma", "must be above 0", gamma)
        require(ridge > 0, "rbf_ridge: ridge", "must be above 0", ridge)
        require_at_least("rbf_ridge: num_features", num_features, 2)
        require_at_least("rbf_ridge: head_dim", head_dim, 2)
        require(num_features % 2 == 0, "rbf_ridge: num_features", "must be even: a sine for each cosine", num_features)
        self.num_features = num_features
        frequencies = orthogonal_draws(num_features // 2, head_dim - 1) * math.sqrt(2 * gamma / head_dim)
        self.register_buffer("frequencies", frequencies)
        self.log_ridge = nn.Parameter(torch.full((num_heads, 1, 1), math.log(ridge)))

    def map_q(self, q: Tensor) -> Tensor:
        """The random Fourier features of the queries; see the class."""
        return self._waves(q) * math.sqrt(2 / self.num_features)

    def map_k(self, k: Tensor) -> Tensor:
        """The same map."""
        return self.map_q(k)

    def weights(self, q: Tensor, k: Tensor) -> Tensor:
        """The attention matrix; see the class."""
        share, features, mean, covariance = self._regression(k)
        solved = self._solve(covariance, (share * (features - mean)).mT)
        return share.mT + (self.map_q(q) - mean) @ solved

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """The same with the regression's coefficients (num_features, head_dim) formed first."""
        if not self.plain_path:
            return self._attend_in_pieces(q, k, v)
        share, features, mean, covariance = self._regression(k)
        mean_value = share.mT @ v
        coefficients = self._solve(covariance, (share * features).mT @ v - mean.mT @ mean_value)
        return mean_value + (self.map_q(q) - mean) @ coefficients

    def _attend_in_pieces(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """`attend` with all sums over keys from one product, in pieces of tokens."""
        size, scale = self.num_features, math.sqrt(2 / self.num_features)
        share, one = k[..., :1].softmax(dim=-2), torch.ones_like(k[..., :1])
        moments = k.new_zeros(())  # sum_j p_j [f_j, 1]^T [f_j, 1, v_j], with features that are not scaled yet
        for k_piece, v_piece, share_piece, one_piece in pieces(k, v, share, one):
            columns = torch.cat([self._waves(k_piece), one_piece, v_piece], dim=-1)
            moments = moments + (share_piece * columns[..., : size + 1]).mT @ columns
        squares, mean, sums = moments[..., :size, :size], moments[..., size:, :size], moments[..., :size, size + 1 :]
        mean_value = moments[..., size:, size + 1 :]
        covariance = scale**2 * (squares - mean.mT @ mean)
        coefficients = scale * self._solve(covariance, scale * (sums - mean.mT @ mean_value))
        constant = mean_value - mean @ coefficients
        return torch.cat([times(self._waves(piece), coefficients) + constant for (piece,) in pieces(q)], dim=-2)

    def _waves(self, x: Tensor) -> Tensor:
        """Cosines and sines of W x, (..., num_tokens, num_features), for all but the first channel of x."""
        assert isinstance(self.frequencies, Tensor)
        content = x[..., 1:]
        bounded = content * torch.rsqrt(1 + (content / LARGEST).square().mean(-1, keepdim=True))
        phases = linear(bounded, self.frequencies.to(x.dtype))
        return torch.cat([phases.cos(), phases.sin()], dim=-1)

    def _regression(self, k: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Shares (..., num_keys, 1), features (..., num_keys, m), their mean (..., 1, m) and covariance (..., m, m)."""
        share = k[..., :1].softmax(dim=-2)
        features = self.map_k(k)
        mean = share.mT @ features
        return share, features, mean, (share * features).mT @ features - mean.mT @ mean

    def _solve(self, covariance: Tensor, right: Tensor) -> Tensor:
        """(C + r / m I)^-1 right."""
        identity = torch.eye(self.num_features, dtype=covariance.dtype, device=covariance.device)
        ridge = self.log_ridge.exp() / self.num_features
        # solve_ex propagates NaN, so that a diverging training is reported as such and not as an error of the solver. A
        # Cholesky factorisation would be cheaper, but its gradient costs more than everything else.
        solution: Tensor = torch.linalg.solve_ex(covariance + ridge * identity, right).result
        return solution
