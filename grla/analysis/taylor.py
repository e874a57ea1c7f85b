"""GRLA figure 6: the size of 2 gamma q.k, the error of its Taylor expansion, and the least denominator."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import product

import numpy as np
import pandas as pd
import torch
from torch import Tensor

from grla.analysis.fidelity import normalised
from grla.analysis.tokens import Tokens
from grla.attention import LinearKernel, build_kernel, unit

NORMS = ("both", "query", "none")
DTYPES = (torch.float32, torch.bfloat16, torch.float16)
WITHIN = 0.2  # GRLA A.3: more than 98 % of x lie in [-0.2, 0.2]


def taylor_errors(tokens: Iterable[Tokens], gamma: float = 0.5) -> pd.DataFrame:
    """Statistics of x = 2 gamma / sqrt(head_dim) q.k over all pairs, a row per source and `qk_norm`.

    Columns: source, qk_norm, head_dim, x_mean, x_std, x_max (largest |x|), share_within (of |x| <= 0.2), error_mean,
    error_std, error_max of |exp(x) - (1 + x)|, error2_mean, error2_std, error2_max of order 2, margin (see
    `denominator_margin`).
    """
    rows = []
    for item, norm in product(tokens, NORMS):
        head_dim = item.q.shape[-1]
        x = exponents(item, norm, gamma)
        about = {"source": item.source, "qk_norm": norm, "head_dim": head_dim}
        about |= {"x_mean": float(x.mean()), "x_std": float(x.std()), "x_max": float(x.abs().max())}
        about["share_within"] = float((x.abs() <= WITHIN).double().mean())
        for prefix, order in (("error", 1), ("error2", 2)):
            error = expansion_error(x, order)
            about |= {f"{prefix}_mean": float(error.mean()), f"{prefix}_std": float(error.std())}
            about[f"{prefix}_max"] = float(error.max())
        rows.append({**about, "margin": denominator_margin(item.q, item.k, gamma, norm)})
    return pd.DataFrame(rows)


def taylor_histogram(tokens: Iterable[Tokens], gamma: float = 0.5, num_bins: int = 80) -> pd.DataFrame:
    """Shares of pairs by size, for figure 6: source, qk_norm, quantity ("x", "error", "error2"), left, right, share.

    Bins of x are equal, from the smallest to the largest; those of the errors are equal in log10, from 1e-10 (smaller
    values are counted there) to the largest.
    """
    frames = []
    for item, norm in product(tokens, NORMS):
        x = exponents(item, norm, gamma).flatten()
        floored = {
            name: expansion_error(x, order).clamp(min=1e-10).log10() for name, order in (("error", 1), ("error2", 2))
        }
        for quantity, values in {"x": x, **floored}.items():
            counts, edges = np.histogram(values.numpy(), bins=num_bins)
            edges = edges if quantity == "x" else 10**edges
            about = {"source": item.source, "qk_norm": norm, "quantity": quantity, "left": edges[:-1]}
            frames.append(pd.DataFrame({**about, "right": edges[1:], "share": counts / counts.sum()}))
    return pd.concat(frames, ignore_index=True)


def exponents(tokens: Tokens, qk_norm: str, gamma: float) -> Tensor:
    """x = 2 gamma / sqrt(head_dim) q.k of all pairs (num_queries, num_keys)."""
    q, k = normalised(tokens.q, tokens.k, qk_norm)
    return 2 * gamma / math.sqrt(q.shape[-1]) * q @ k.mT


def expansion_error(x: Tensor, order: int) -> Tensor:
    """|exp(x) - (1 + x)| for order 1, |exp(x) - (1 + x + x^2 / 2)| for order 2; float64, like x."""
    return (torch.expm1(x) - x - (x.square() / 2 if order == 2 else 0)).abs()


def denominator_margin(q: Tensor, k: Tensor, gamma: float, qk_norm: str) -> float:
    """The smallest denominator of Eq. 12 over the queries, as a mean over keys: sum_j p_j (1 + 2 g q.k_j).

    q and k (num_tokens, head_dim); p_j = phi(k_j) / sum phi, as in the kernel. Values near 1 are safe; at 0 the
    output is infinite, and below 0 some weights have the wrong sign. Computed in the type of q and k throughout.
    """
    kernel = build_kernel("gaussian_rbf", q.shape[-1], gamma=gamma, qk_norm=qk_norm)
    assert isinstance(kernel, LinearKernel)
    _, denominator = kernel.sums(q[None, None], k[None, None], k[None, None, :, :0])
    return float(denominator.min())


def denominator_margins(
    head_dim: int,
    num_tokens: int,
    gammas: Sequence[float] = (1 / 16, 1 / 8, 1 / 4, 1 / 2, 1, 2),
    lengths: Sequence[float] = (0.5, 1, 2, 4, 8),
    alignments: Sequence[float] = (0.0, 0.5),
    seed: int = 0,
) -> pd.DataFrame:
    """The margin of the denominator over gamma (times sqrt(head_dim)), token length, qk_norm and dtype.

    Queries point in independent random directions; keys have a mean cosine of `alignment` to each other (0: random
    directions). All have the same length before the kernel's own normalisation. Columns: qk_norm, gamma, length,
    alignment, dtype, margin (every step in that dtype), kernel_margin (as the kernel does it: inputs in that dtype,
    sums in float32), exact (float64), bound (the least that any such vectors can give: 1 - 2 g |q| |k|).
    """
    generator = torch.Generator().manual_seed(seed)
    q, noise = unit(torch.randn(2, num_tokens, head_dim, generator=generator, dtype=torch.float64))
    common = unit(torch.randn(head_dim, generator=generator, dtype=torch.float64))
    rows = []
    for alignment, length, norm, gamma in product(alignments, lengths, NORMS, gammas):
        # Noise of length 1 is nearly orthogonal to the common direction, so squares add: mean cosine = alignment.
        k = length * unit(math.sqrt(alignment) * common + math.sqrt(1 - alignment) * noise)
        size = {"both": 1.0, "query": length, "none": length**2}[norm]
        about = {"qk_norm": norm, "gamma": gamma, "length": length, "alignment": alignment}
        exact = denominator_margin(length * q, k, gamma, norm)
        for dtype in DTYPES:
            rounded = (length * q).to(dtype), k.to(dtype)
            row = {**about, "dtype": str(dtype).removeprefix("torch.")}
            row["margin"] = denominator_margin(*rounded, gamma, norm)
            row["kernel_margin"] = denominator_margin(rounded[0].float(), rounded[1].float(), gamma, norm)
            rows.append({**row, "exact": exact, "bound": 1 - 2 * gamma / math.sqrt(head_dim) * size})
    return pd.DataFrame(rows)
