"""The parts of `rbf_ridge`, each of which can be taken away: its features, token shares, normalisation and solution.

Not a kernel to use, but one to find out with which of the parts makes a difference; with all of them it is `rbf_ridge`.
"""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor, nn

from grla.attention.interface import LinearKernel, unit
from grla.attention.kernels.random_features import orthogonal_draws
from grla.attention.kernels.rbf_ridge import LARGEST
from grla.errors import require, require_at_least, require_choice


class Kernel(LinearKernel):
    """weights_ij = p_j + p_j (f(q_i) - mu) . M (f(k_j) - mu), or p_j f(q_i) . M f(k_j) where not `normalised`.

    mu is the mean of f(k) with the shares p. With `share` p_j is the softmax over keys of their first channel, else
    1 / N for N keys; the first channel is no content either way. M is (C + r / m I)^-1 where the readout is `solved`, C
    being the covariance of f(k) (or its second moment, where not normalised), else the identity: values are averaged.
    r is learned per head and starts at `ridge`.

    `features`: "fourier", `num_features` random Fourier features as in `rbf_ridge`; "taylor", [1, sqrt(2 g) x / |x|] as
    in `gaussian_rbf`, g = `gamma` / sqrt(head_dim); "plain", x itself, with the same bound on huge ones. The last two
    have head_dim and head_dim - 1 of them, so that `num_features` = head_dim makes states of equal size.

    Cost per token as `rbf_ridge` of so many features, and m^2 less where averaged. Rows sum to one where normalised;
    weights can be negative.
    """

    rows_sum_to_one = True
    nonnegative = False
    amplifies_rounding = 10.0

    def __init__(
        self,
        head_dim: int,
        num_heads: int = 1,
        *,
        features: Literal["fourier", "taylor", "plain"] = "fourier",
        share: bool = True,
        normalised: bool = True,
        solved: bool = True,
        gamma: float = 0.5,
        ridge: float = 0.06,
        num_features: int = 32,
    ) -> None:
        super().__init__(head_dim)
        require_choice("readout: features", features, ("fourier", "taylor", "plain"))
        require(gamma > 0, "readout: gamma", "must be above 0", gamma)
        require(ridge > 0, "readout: ridge", "must be above 0", ridge)
        require_at_least("readout: num_features", num_features, 2)
        require(num_features % 2 == 0, "readout: num_features", "must be even: a sine for each cosine", num_features)
        require_at_least("readout: head_dim", head_dim, 2)
        self.features = features
        self.share = share
        self.normalised = normalised
        self.solved = solved
        self.slope = 2 * gamma / math.sqrt(head_dim)
        sizes = {"fourier": num_features, "taylor": head_dim, "plain": head_dim - 1}
        self.num_features = sizes[features]
        frequencies = orthogonal_draws(num_features // 2, head_dim - 1) * math.sqrt(2 * gamma / head_dim)
        self.register_buffer("frequencies", frequencies)
        self.log_ridge = nn.Parameter(torch.full((num_heads, 1, 1), math.log(ridge))) if solved else None

    def map_q(self, q: Tensor) -> Tensor:
        """f(q); see the class."""
        content = q[..., 1:]
        if self.features == "taylor":
            return torch.cat([torch.ones_like(q[..., :1]), math.sqrt(self.slope) * unit(content)], dim=-1)
        bounded = content * torch.rsqrt(1 + (content / LARGEST).square().mean(-1, keepdim=True))
        if self.features == "plain":
            return bounded
        assert isinstance(self.frequencies, Tensor)
        phases = bounded @ self.frequencies.to(q.dtype).mT
        return torch.cat([phases.cos(), phases.sin()], dim=-1) * math.sqrt(2 / self.num_features)

    def map_k(self, k: Tensor) -> Tensor:
        """The same map."""
        return self.map_q(k)

    def weights(self, q: Tensor, k: Tensor) -> Tensor:
        """The attention matrix; see the class."""
        share, features, mean = self._moments(k)
        rows = (self.map_q(q) - mean) @ self._read(features, share, (share * features).mT)
        return share.mT + rows if self.normalised else rows

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """The same with sums over keys first."""
        share, features, mean = self._moments(k)
        out = (self.map_q(q) - mean) @ self._read(features, share, (share * features).mT @ v)
        return share.mT @ v + out if self.normalised else out

    def _moments(self, k: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Shares (..., num_keys, 1), features less their mean (..., num_keys, m), and the mean (..., 1, m), which is 0
        where the weights are not normalised."""
        logits = k[..., :1] if self.share else torch.zeros_like(k[..., :1])
        share, features = logits.softmax(dim=-2), self.map_k(k)
        mean = share.mT @ features if self.normalised else torch.zeros_like(features[..., :1, :])
        return share, features - mean, mean

    def _read(self, features: Tensor, share: Tensor, right: Tensor) -> Tensor:
        """M right."""
        if self.log_ridge is None:
            return right
        second = (share * features).mT @ features
        ridge = self.log_ridge.exp() / self.num_features
        identity = torch.eye(self.num_features, dtype=second.dtype, device=second.device)
        solution: Tensor = torch.linalg.solve_ex(second + ridge * identity, right).result
        return solution
