"""What phi(K) changes, and that the check would see it if it changed something."""

from __future__ import annotations

import pytest
import torch

from grla.analysis.settled import largest_change, random_like, settled_record
from grla.attention import build_kernel
from grla.attention.kernels.gaussian_rbf import Kernel
from grla.report.kinds.judgements import key_weight_matters


def test_phi_changes_nothing_for_unit_keys_and_random_weights_do() -> None:
    record = settled_record(num_tokens=256)
    assert record["largest_change_by_phi"] < 1e-12
    assert record["by_random_weights"] > 0.01
    assert record["num_tokens"] == 256
    assert record["code_version"]


def test_the_check_computes_what_the_kernel_does_with_other_weights_of_its_keys() -> None:
    """Equation 12 from the kernel's own features, with random weights of the keys in the place of phi."""
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(1, 1, 64, 55, generator=generator, dtype=torch.float64) for _ in range(3))
    kernel = build_kernel("gaussian_rbf", 55, key_weight=False)
    features_q, features_k = kernel.map_q(q), kernel.map_k(k)
    weighed = random_like(torch.empty(1, 1, 64, 1, dtype=torch.float64)) * features_k
    out = features_q @ (weighed.mT @ v) / (features_q @ weighed.sum(-2, keepdim=True).mT)
    change = float((out - kernel(q, k, v)).abs().max())
    assert change > 1e-3
    assert largest_change(64, random_like) == pytest.approx(change, rel=1e-9)


def test_a_kernel_whose_phi_is_none_of_unit_keys_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A phi of the keys before they get unit length, say, by a fault of the kernel itself."""
    features = Kernel.map_k

    def broken(kernel: Kernel, k: torch.Tensor) -> torch.Tensor:
        found = features(kernel, k)
        return found * torch.exp(-k.square().sum(-1, keepdim=True) / 100) if kernel.key_weight else found

    monkeypatch.setattr(Kernel, "map_k", broken)
    assert key_weight_matters(settled_record(num_tokens=64)).verdict == "supported"


def test_weights_that_are_one_or_all_alike_change_nothing() -> None:
    assert largest_change(64, torch.ones_like) < 1e-12
    assert largest_change(64, lambda weights: 7 * weights) < 1e-12  # a factor cancels
