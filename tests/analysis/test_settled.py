from __future__ import annotations

import pytest

from grla.analysis.settled import largest_change_by_phi, settled_record
from grla.attention import build_kernel


def test_grla_costs_more_than_swinir_light_when_counted_alike() -> None:
    record = settled_record(num_tokens=64)
    assert record["grla_macs"] == pytest.approx(78.3e9, rel=1e-3)
    assert record["grla_hook_flops"] == pytest.approx(56.5e9, rel=1e-3)
    assert record["grla_macs"] > record["swinir_light_macs"]
    assert record["num_tokens"] == 64
    assert record["code_version"]


def test_phi_changes_nothing_for_unit_keys() -> None:
    assert build_kernel("gaussian_rbf", 55).qk_norm == "both"
    assert largest_change_by_phi(num_tokens=256) < 1e-9
