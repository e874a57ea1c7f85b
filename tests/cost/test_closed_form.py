"""GRLASR's counts by formula, from the figure of the paper alone: they check our counter and the others."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from grla.cost import count
from grla.cost.agreement import agreed_macs
from grla.model import build_model
from grla.spec import ModelSpec


def on_meta(spec: ModelSpec) -> nn.Module:
    with torch.device("meta"):
        return build_model(spec)


def padded(side: int, window: int) -> int:
    return -(-side // window) * window


def by_formula(spec: ModelSpec, height: int, width: int) -> dict[str, int]:
    """All counts of the paper's network with GRBF attention, one LR image of height x width."""
    dim, depth, window, heads = spec.dim, spec.depth, spec.window_size, spec.num_heads
    pixels, tokens = height * width, padded(height, window) * padded(width, window)
    square = dim * dim
    joined = sum(range(2, depth + 1)) + depth  # feature maps that enter the 1x1 convolutions between blocks
    outputs = 3 * spec.upscale**2
    # Outside of the blocks, a pixel: head, 1x1 convolutions, the fusion's 3x3, the upsampler.
    outside = 27 * dim + joined * square + 9 * square + 9 * dim * outputs
    # A layer, a token: local branch (1x1, depthwise 3x3, 1x1), qkv and proj, feed-forward of twice the width.
    layer = (2 * square + 9 * dim) + 4 * square + 4 * square
    modules = pixels * outside + 2 * depth * 2 * tokens * layer
    # Queries times keys and weights times values within the window; (dim + 1) features times dim + 1 columns, twice.
    products = 2 * depth * tokens * (2 * window**2 * dim + 2 * (dim + 1) ** 2)
    # A pair, a token: LayerNorm, two BatchNorms in each of two layers; softmax over the window.
    norms = 2 * depth * tokens * (4 * dim + 2 * 2 * 4 * dim + 3 * window**2 * heads)
    layer_params = 2 * 2 * dim + (2 * square + 9 * dim) + (4 * square + 4 * dim) + (4 * square + 3 * dim)
    outside_params = outside + dim + depth * dim + dim + outputs
    # Three convolutions, qkv and proj, twice the width and back; what runs outside gives a feature map each.
    activations = pixels * (dim * (1 + depth + 1) + outputs) + 2 * depth * 2 * tokens * dim * (3 + 4 + 3)
    return {
        "num_params": outside_params + 2 * depth * (2 * dim + 2 * layer_params),
        "macs": modules + products,
        "hook_flops": modules + norms,
        "activations": activations,
    }


@st.composite
def specs(draw: st.DrawFn) -> ModelSpec:
    heads = draw(st.integers(1, 3))
    return ModelSpec(
        upscale=draw(st.sampled_from([2, 3, 4])),
        dim=heads * draw(st.integers(1, 6)),
        depth=draw(st.integers(1, 3)),
        window_size=draw(st.integers(1, 6)),
        num_heads=heads,
    )


@settings(max_examples=15, deadline=None)
@given(specs(), st.integers(1, 14), st.integers(1, 14))
def test_any_size_is_counted_as_the_formula_says(spec: ModelSpec, height: int, width: int) -> None:
    counts = count(on_meta(spec), (1, 3, height, width))
    expected = by_formula(spec, height, width)
    assert {name: getattr(counts, name) for name in expected} == expected


@pytest.mark.parametrize(("upscale", "size"), [(2, (360, 640)), (3, (240, 426)), (4, (180, 320))])
def test_the_papers_networks_are_counted_as_the_formula_says(upscale: int, size: tuple[int, int]) -> None:
    spec = ModelSpec(upscale=upscale)
    counts = count(on_meta(spec), (1, 3, *size))
    expected = by_formula(spec, *size)
    assert {name: getattr(counts, name) for name in expected} == expected


def test_other_counters_find_what_the_formula_says() -> None:
    spec = ModelSpec(dim=12, depth=2, window_size=4, num_heads=3)
    assert agreed_macs(build_model(spec), (9, 10)) == ((9, 10), by_formula(spec, 9, 10)["macs"])
