"""What two networks have in common starts from the same weights, whatever else one of them has."""

from __future__ import annotations

import pytest
import torch

from grla.attention import kernel_names
from grla.model import build_seeded
from grla.spec import EdsrLiteSpec, ModelSpec

SMALL = {"upscale": 2, "dim": 12, "num_heads": 2, "window_size": 4}
ONE = ModelSpec(**SMALL, depth=1)


def common(one: ModelSpec, other: ModelSpec) -> tuple[int, int]:
    """Of the tensors with equal name and shape in both networks, how many there are and how many are equal."""
    mine, theirs = (build_seeded(spec, 3).state_dict() for spec in (one, other))
    shared = [name for name, value in mine.items() if name in theirs and theirs[name].shape == value.shape]
    return len(shared), sum(torch.equal(mine[name], theirs[name]) for name in shared)


@pytest.mark.parametrize("kernel", kernel_names())
def test_a_kernel_with_or_without_a_gate_changes_no_other_weight(kernel: str) -> None:
    number, equal = common(ONE, ModelSpec(**SMALL, depth=1, kernel=kernel))
    assert number == equal > 20


def test_further_blocks_leave_all_weights_but_those_that_see_more_blocks() -> None:
    """The bias of the fusion of all blocks is drawn within a bound that depends on their number."""
    mine, theirs = (build_seeded(ModelSpec(**SMALL, depth=depth), 3).state_dict() for depth in (1, 3))
    shared = [name for name, value in mine.items() if theirs[name].shape == value.shape]
    assert [name for name in shared if not torch.equal(mine[name], theirs[name])] == ["fusion.0.0.bias"]
    assert len(shared) > 50


@pytest.mark.parametrize("change", [{"norm": "layer"}, {"layers": ("window",)}, {"aggregation": False}])
def test_other_parts_change_no_other_weight(change: dict[str, object]) -> None:
    number, equal = common(ONE, ModelSpec(**{**SMALL, "depth": 1, **change}))
    assert number == equal > 10


def test_a_seed_determines_all_weights_and_another_gives_others() -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    for spec in (ModelSpec(**SMALL, depth=2, kernel="rbf_ridge"), EdsrLiteSpec(upscale=2, channels=4, blocks=2)):
        first, same, other = (build_seeded(spec, seed).state_dict() for seed in (0, 0, 1))
        assert all(torch.equal(first[name], same[name]) for name in first)
        weights = [name for name, value in first.items() if name.endswith("weight") and value.dim() > 1]
        assert not any(torch.equal(first[name], other[name]) for name in weights)
        pairs = [(a, b) for a in weights for b in weights if a < b and first[a].shape == first[b].shape]
        assert pairs
        assert not any(torch.equal(first[a], first[b]) for a, b in pairs)  # each module has a draw of its own
    assert torch.equal(torch.get_rng_state(), before)


def test_weights_are_distributed_as_pytorch_initialises() -> None:
    """Uniform within 1 / sqrt(fan in), as nn.Linear's and nn.Conv2d's are."""
    weight = build_seeded(ModelSpec(dim=60, depth=1), 0).state_dict()["blocks.0.0.layers.0.attention.qkv.weight"]
    assert weight.abs().max() <= 60**-0.5
    assert weight.std() == pytest.approx((60 * 3) ** -0.5, rel=0.03)


def test_building_a_network_touches_no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    """With two pretended ones, whose generators nobody may ask for."""
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    monkeypatch.setattr(torch.cuda, "get_rng_state", None)
    build_seeded(ModelSpec(**SMALL), 0)
