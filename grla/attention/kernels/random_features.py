"""Positive orthogonal random features of the Gaussian kernel (Choromanski et al. 2021, "Rethinking Attention with
Performers", Lemma 1 and section 2.4)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from grla.attention.interface import LinearKernel, unit
from grla.errors import require, require_at_least


class Kernel(LinearKernel):
    """weights_ij = f(q_i) . f(k_j) / sum_j' f(q_i) . f(k_j'), an estimate of the weights of `exact_rbf`.

    f(x)_m = exp(sqrt(2 g) w_m . u - 2 g) with u = x / |x|, g = `gamma` / sqrt(head_dim), and `num_features` draws w_m
    of a normal distribution, orthogonal in blocks of head_dim; one fixed draw for all layers. f(q) . f(k) is, up to a
    factor, an unbiased estimate of exp(-g |q - k|^2) for unit vectors; its error grows with g. With the default gamma
    of 8 (GRBF's is 0.5) weights are selective.

    Cost per token: 2 num_features (2 head_dim + 1) multiply-adds and as many exponentials as features. Rows sum to one,
    weights are positive: exponents lie in a range of 2 sqrt(2 g) |w|, so that no float type can make all of them 0.
    """

    rows_sum_to_one = True
    nonnegative = True

    def __init__(self, head_dim: int, *, gamma: float = 8.0, num_features: int = 128) -> None:
        super().__init__(head_dim)
        require(gamma > 0, "random_features: gamma", "must be above 0", gamma)
        require_at_least("random_features: num_features", num_features, 1)
        self.scale = math.sqrt(2 * gamma / math.sqrt(head_dim))
        self.register_buffer("directions", orthogonal_draws(num_features, head_dim))

    def map_q(self, q: Tensor) -> Tensor:
        """The random features of the queries; see the class."""
        assert isinstance(self.directions, Tensor)
        projected = unit(q) @ (self.scale * self.directions.to(q.dtype)).mT
        return torch.exp(projected - self.scale**2)

    def map_k(self, k: Tensor) -> Tensor:
        """The same map."""
        return self.map_q(k)


def orthogonal_draws(number: int, dim: int) -> Tensor:
    """(number, dim) float32: rows orthogonal in blocks of `dim`, each as long as a vector of `dim` normal draws."""
    generator = torch.Generator().manual_seed(0)
    blocks = []
    for _ in range(-(-number // dim)):
        square = torch.randn(dim, dim, generator=generator, dtype=torch.float64)
        lengths = torch.randn(dim, dim, generator=generator, dtype=torch.float64).norm(dim=1, keepdim=True)
        rotation, triangle = torch.linalg.qr(square)
        # Directions are uniform only if the diagonal of the triangle is positive (Mezzadri 2007).
        blocks.append((rotation * triangle.diagonal().sign()).mT * lengths)
    return torch.cat(blocks)[:number].float()
