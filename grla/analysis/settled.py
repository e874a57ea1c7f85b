"""The claims of the paper that need no training: judged by counting and by computing."""

from __future__ import annotations

import torch

from grla.attention import build_kernel
from grla.cost import count
from grla.model import build_on_meta
from grla.spec import ModelSpec

SWINIR_LIGHT_MACS = 62.7e9
"""Every multiply-add of SwinIR-light (Liang et al. 2021, the authors' code) for x4 at 1280x720, by our own count.

The published 63.6 G are what fvcore reports for it, which adds the norms' operations.
"""


def flops_claim() -> tuple[bool, str]:
    """Whether GRLA x4 costs less than SwinIR-light when both are counted alike, and the evidence."""
    counts = count(build_on_meta(ModelSpec()), (1, 3, 180, 320))
    words = (
        f"GRLA x4 at 1280x720: {counts.macs / 1e9:.1f} G MACs with every product, {counts.hook_flops / 1e9:.1f} G by "
        "the paper's rule (without those inside attention); SwinIR-light, every product: "
        f"{SWINIR_LIGHT_MACS / 1e9:.1f} G"
    )
    return counts.macs < SWINIR_LIGHT_MACS, words


def key_weight_claim(num_tokens: int = 4096, head_dim: int = 55) -> tuple[bool, str]:
    """Whether phi(K) changes the output of GRBF attention when keys are L2-normalised, and the evidence."""
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(1, 1, num_tokens, head_dim, generator=generator, dtype=torch.float64) for _ in range(3))
    outputs = [build_kernel("gaussian_rbf", head_dim, key_weight=on)(q, k, v) for on in (True, False)]
    largest = float((outputs[0] - outputs[1]).abs().max())
    words = f"largest change of an output by phi(K), {num_tokens} random unit keys, float64: {largest:.1e}"
    return largest > 1e-9, words
