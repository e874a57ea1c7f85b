"""What phi(K) changes, and that the check would see it if it changed something."""

from __future__ import annotations

import torch

from grla.analysis.settled import largest_change, random_like, settled_record
from grla.attention import build_kernel


def test_phi_changes_nothing_for_unit_keys_and_random_weights_do() -> None:
    record = settled_record(num_tokens=256)
    assert record["largest_change_by_phi"] < 1e-12
    assert record["by_random_weights"] > 0.01
    assert record["num_tokens"] == 256
    assert record["code_version"]


def test_the_check_computes_what_the_kernel_does_with_and_without_phi() -> None:
    """With phi of keys that are not normalised in its place, the change is that between the kernel's own outputs."""
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(1, 1, 64, 55, generator=generator, dtype=torch.float64) for _ in range(3))
    outputs = [build_kernel("gaussian_rbf", 55, qk_norm="query", key_weight=on)(q, k, v) for on in (True, False)]
    assert (outputs[0] - outputs[1]).abs().max() > 1e-3  # here phi matters
    assert largest_change(64, random_like) > 1e-3
    assert largest_change(64, torch.ones_like) < 1e-12
    assert largest_change(64, lambda weights: 7 * weights) < 1e-12  # a factor cancels
