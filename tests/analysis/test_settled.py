from __future__ import annotations

from grla.analysis.settled import flops_claim, key_weight_claim


def test_grla_costs_more_than_swinir_light_when_counted_alike() -> None:
    cheaper, words = flops_claim()
    assert not cheaper
    assert "78.3 G MACs" in words
    assert "56.5 G" in words


def test_phi_changes_nothing_for_unit_keys() -> None:
    matters, words = key_weight_claim(num_tokens=256)
    assert not matters
    assert "256 random unit keys" in words
