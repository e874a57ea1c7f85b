"""What settles the claims of the paper that need no training, by computing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from grla.attention import LinearKernel, build_kernel
from grla.provenance import code_version


def settled_record(num_tokens: int = 4096) -> dict[str, Any]:
    """The record from which `grla.report` judges them: the effect of phi(K), and of random weights in its place."""
    return {
        "code_version": code_version(),
        "num_tokens": num_tokens,
        "largest_change_by_phi": largest_change(num_tokens, lambda weights: weights),
        "by_random_weights": largest_change(num_tokens, random_like),
    }


def largest_change(num_tokens: int, replaced: Callable[[Tensor], Tensor], head_dim: int = 55) -> float:
    """By how much weights of the keys change any output of GRBF attention at most, on random tokens in float64.

    The weights are the kernel's own phi(k_j) of unit keys, up to a factor that cancels, as `replaced` makes others of
    them, (1, 1, num_tokens, 1). The outputs are Eq. 12 as it is written: the fast path of the kernel would leave phi
    out before anything is compared.
    """
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(1, 1, num_tokens, head_dim, generator=generator, dtype=torch.float64) for _ in range(3))
    weighing, plain = (build_kernel("gaussian_rbf", head_dim, key_weight=on) for on in (True, False))
    assert isinstance(weighing, LinearKernel)
    assert isinstance(plain, LinearKernel)
    scores = plain.weights(q, k)  # 1 + 2 g q.k over their sum, which cancels below
    phi = (weighing.map_k(k) / plain.map_k(k))[..., :1]  # the first feature of a key is 1 without it
    weighed = scores * replaced(phi).mT
    return float((weighed / weighed.sum(-1, keepdim=True) @ v - scores @ v).abs().max())


def random_like(weights: Tensor) -> Tensor:
    """Weights drawn evenly from 0 to 1 for the same keys."""
    return torch.rand(weights.shape, generator=torch.Generator().manual_seed(1), dtype=weights.dtype)
