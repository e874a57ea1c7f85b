"""The tables of a fidelity run, made up."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pandas as pd

KERNELS = ["softmax", "gaussian_rbf", "mala", "a_kernel_with_a_long_name(option=1)"]
NORMS = ["both", "query", "none"]
MEASURES = ["output_error", "matrix_error", "kl", "rank_correlation", "effective_rank", "entropy"]


def fidelity_tables() -> dict[str, pd.DataFrame]:
    """All frames of a fidelity run, of random tokens and one layer."""
    angles = np.arange(0, 181, 30)
    cosine = np.cos(np.deg2rad(angles))
    profiles = [
        pd.DataFrame({"kernel": k, "norm": n, "angle": angles, "cosine": cosine, "value": (1 + cosine) / 2 - i / 9})
        for (i, k), n in itertools.product(enumerate(KERNELS), (1.0, 7.416))
    ]
    sources = ["random", "layer 1"]
    errors = pd.DataFrame(itertools.product(sources, NORMS), columns=["source", "qk_norm"])
    names = ["x_std", "x_max", "share_within", "error_mean", "error_std", "error_max", "error2_mean", "margin"]
    errors[names] = 0.01
    edges = np.linspace(-1, 1, 5)
    logs = 10 ** np.linspace(-9, 0, 5)
    shares = [0.1, 0.4, 0.3, 0.2]
    histogram = [
        pd.DataFrame({"source": s, "qk_norm": n, "quantity": q, "left": e[:-1], "right": e[1:], "share": shares})
        for s, n, (q, e) in itertools.product(sources, NORMS, (("x", edges), ("error", logs), ("error2", logs)))
    ]
    about = itertools.product(sources, KERNELS, ["same temperature", "softmax attention"])
    distances = pd.DataFrame(about, columns=["source", "kernel", "reference"])
    for name in [*MEASURES, *(f"uniform_{m}" for m in MEASURES[:3]), *(f"softmax_{m}" for m in MEASURES[4:])]:
        distances[name] = np.linspace(0.1, 3, len(distances))
    distances.loc[distances["kernel"] == "softmax", MEASURES[:3]] = 0.0
    distances.loc[distances["kernel"] == "mala", ["kl", "entropy"]] = math.nan
    grid = itertools.product([0.0, 0.5], [0.5, 8.0], NORMS, [1 / 16, 1, 2], ["float32", "bfloat16"])
    margins = pd.DataFrame(grid, columns=["alignment", "length", "qk_norm", "gamma", "dtype"])
    margins["exact"] = 1 - margins["gamma"] * margins["length"]
    for name in ("margin", "kernel_margin", "bound"):
        margins[name] = margins["exact"] + 0.001
    return {
        "profiles": pd.concat(profiles),
        "taylor_errors": errors,
        "taylor_histogram": pd.concat(histogram),
        "distances": distances,
        "margins": margins,
    }
