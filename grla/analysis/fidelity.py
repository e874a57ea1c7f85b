"""What kernels compute, without training: their value against the angle, and their distance to softmax attention."""

from __future__ import annotations

import functools
import math
from collections.abc import Iterable, Sequence

import numpy as np
import pandas as pd
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata
from torch import Tensor

from grla.analysis.tokens import Tokens
from grla.attention import AttentionKernel, build_kernel, kernel_names, unit
from grla.attention.kernels import exact_rbf, gaussian_rbf, random_features, taylor
from grla.spec import KernelSpec

SAME_TEMPERATURE = "same temperature"
ORDINARY = "softmax attention"


def fidelity_kernels() -> list[KernelSpec]:
    """Every kernel at its defaults that has one matrix of weights (`none` has none), then three of the paper's."""
    names = [name for name in kernel_names() if name != "none" and build_kernel(name, 2).value_groups == 1]
    more: tuple[dict[str, int | str], ...] = ({"taylor_order": 2}, {"qk_norm": "query"}, {"qk_norm": "none"})
    return [KernelSpec(name) for name in names] + [KernelSpec("gaussian_rbf", options) for options in more]


def kernel_profiles(
    kernels: Iterable[KernelSpec],
    head_dim: int,
    norms: Sequence[float],
    num_directions: int = 32,
    num_others: int = 1024,
    seed: int = 0,
) -> pd.DataFrame:
    """GRLA figure 1: the weight of a key at an angle to the query over that of a key in the query's own direction.

    One query and a row of keys, all of length `norm`: 91 keys at 0, 2, ..., 180 degrees in a random plane through the
    query, and `num_others` keys in random directions. Columns: kernel, norm, angle (degrees), cosine, value (mean ratio
    over `num_directions` random queries and planes), spread (its standard deviation over them, 0 for a kernel that
    looks at the angle only). The row's sum cancels in the ratio. What does not cancel depends on the other keys:
    `efficient` normalises each channel over tokens, `mala` subtracts an offset.
    """
    generator = torch.Generator().manual_seed(seed)
    draw = torch.randn(num_directions, 2, head_dim, generator=generator, dtype=torch.float64)
    plane = torch.linalg.qr(draw.mT).Q.mT[:, None]  # (num_directions, 1, 2, head_dim), orthonormal
    others = unit(torch.randn(num_directions, 1, num_others, head_dim, generator=generator, dtype=torch.float64))
    degrees = torch.arange(0, 181, 2, dtype=torch.float64)
    radians = torch.deg2rad(degrees)
    arc = torch.stack([radians.cos(), radians.sin()], dim=-1) @ plane
    keys = torch.cat([arc, others], dim=2)
    frames = []
    for spec in kernels:
        kernel = _build(spec, head_dim)
        for norm in norms:
            weights = kernel.weights(norm * plane[:, :, :1], norm * keys)[:, 0, 0, : len(degrees)]
            ratio = weights / weights[:, :1]
            frame = {"kernel": str(spec), "norm": norm, "angle": degrees, "cosine": radians.cos()}
            frames.append(pd.DataFrame({**frame, "value": ratio.mean(0), "spread": ratio.std(0, correction=0)}))
    return pd.concat(frames, ignore_index=True)


def distances_to_softmax(tokens: Iterable[Tokens], kernels: Sequence[KernelSpec]) -> pd.DataFrame:
    """How far each kernel is from softmax attention on each set of tokens, compared with plain averaging.

    Two references a kernel: "same temperature" is the softmax of scale * q.k with the vectors and the scale that the
    kernel uses (`gaussian_rbf`, `exact_rbf`, `random_features`: normalised as they do, 2 gamma / sqrt(head_dim);
    `taylor`: unit vectors, 1; all others: q and k as given, 1 / sqrt(head_dim)); "softmax attention" is always the
    last of these.

    Columns: source, kernel, reference, the measures of `compare` for the kernel, for `uniform` (uniform_output_error,
    uniform_matrix_error, uniform_kl) and for the reference itself (softmax_effective_rank, softmax_entropy).
    """
    rows = []
    for item in tokens:
        head_dim = item.q.shape[-1]
        reference_at = functools.cache(functools.partial(_reference, item))
        for spec in kernels:
            kernel = _build(spec, head_dim)
            weights = kernel.weights(item.q[None, None], item.k[None, None])[0, 0]
            for reference, key in ((SAME_TEMPERATURE, temperature(kernel)), (ORDINARY, ("none", head_dim**-0.5))):
                matrix, beside = reference_at(*key)
                about = {"source": item.source, "kernel": str(spec), "reference": reference}
                rows.append({**about, **compare(weights, matrix, item.v), **beside})
    return pd.DataFrame(rows)


def _reference(tokens: Tokens, qk_norm: str, scale: float) -> tuple[Tensor, dict[str, float]]:
    """Softmax attention (num_queries, num_keys), and the measures of plain averaging against it and of itself."""
    q, k = normalised(tokens.q, tokens.k, qk_norm)
    softmax = torch.softmax(scale * q @ k.mT, dim=-1)
    uniform = compare(torch.full_like(softmax, 1 / softmax.shape[-1]), softmax, tokens.v)
    itself = compare(softmax, softmax, tokens.v)
    beside = {f"uniform_{name}": uniform[name] for name in ("output_error", "matrix_error", "kl")}
    return softmax, beside | {f"softmax_{name}": itself[name] for name in ("effective_rank", "entropy")}


def temperature(kernel: AttentionKernel) -> tuple[str, float]:
    """Which of q and k a kernel normalises (both, query, none) and the scale of q.k at its own temperature."""
    if isinstance(kernel, gaussian_rbf.Kernel | exact_rbf.Kernel):
        return kernel.qk_norm, 2 * kernel.width
    if isinstance(kernel, random_features.Kernel):
        return "both", kernel.scale**2
    return ("both", 1.0) if isinstance(kernel, taylor.Kernel) else ("none", kernel.head_dim**-0.5)


def compare(weights: Tensor, softmax: Tensor, v: Tensor) -> dict[str, float]:
    """Measures of one attention matrix (num_queries, num_keys) against softmax's, with values v (num_keys, head_dim).

    output_error, matrix_error: relative Frobenius errors. kl: KL(softmax || weights) in nats, mean over rows, infinite
    where a weight is 0 that softmax's is not. rank_correlation: Spearman's, mean over rows, NaN where a row is
    constant. effective_rank: exp of the entropy of the normalised singular values (Roy and Vetterli 2007), 1 for
    identical rows. entropy: of a row over log num_keys, mean over rows, 1 for plain averaging. kl and entropy are NaN
    unless the rows are distributions (nonnegative, sums within 1e-6 of one).
    """
    nonnegative, sums = bool((weights >= 0).all()), weights.sum(-1)
    distribution = nonnegative and bool(((sums - 1).abs() < 1e-6).all())
    divergence = (torch.xlogy(softmax, softmax) - torch.xlogy(softmax, weights)).sum(-1).mean()
    entropy = -torch.xlogy(weights, weights).sum(-1).mean() / math.log(weights.shape[-1])
    return {
        "output_error": float(torch.dist(weights @ v, softmax @ v) / (softmax @ v).norm()),
        "matrix_error": float(torch.dist(weights, softmax) / softmax.norm()),
        "kl": float(divergence) if distribution else math.nan,
        "rank_correlation": rank_correlation(weights.numpy(), softmax.numpy()),
        "effective_rank": effective_rank(weights),
        "entropy": float(entropy) if distribution else math.nan,
    }


def effective_rank(matrix: Tensor) -> float:
    """exp of the entropy of the singular values divided by their sum (Roy and Vetterli 2007); NaN for zeros."""
    share = torch.linalg.svdvals(matrix)
    share = share / share.sum()
    return float(torch.exp(-torch.xlogy(share, share).sum()))


def rank_correlation(first: NDArray[np.float64], second: NDArray[np.float64]) -> float:
    """Spearman's rank correlation, mean over the rows of two equal shapes; NaN where a row is constant."""
    ranks = [rankdata(matrix, axis=1) - (matrix.shape[1] + 1) / 2 for matrix in (first, second)]
    norms = [np.linalg.norm(centred, axis=1) for centred in ranks]
    with np.errstate(invalid="ignore"):
        return float(np.mean((ranks[0] * ranks[1]).sum(axis=1) / (norms[0] * norms[1])))


def _build(spec: KernelSpec, head_dim: int) -> AttentionKernel:
    return build_kernel(spec.name, head_dim, 1, **spec.options).requires_grad_(False)


def normalised(q: Tensor, k: Tensor, qk_norm: str) -> tuple[Tensor, Tensor]:
    """q and k (..., head_dim) with both, only the query or none L2-normalised per token."""
    return q if qk_norm == "none" else unit(q), unit(k) if qk_norm == "both" else k
