"""GRLASR's counts by formula, from the paper's figure alone, against our counter, others, and published numbers."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from grla.cost import count
from grla.cost.agreement import agreed_macs
from grla.model import build_model
from grla.spec import ModelSpec

WINDOWS_ONLY = ("window", "window")


class Row(NamedTuple):
    """A published network: its spec, LR (height, width), params in K, "FLOPs" (module hooks) in G, all MACs in G."""

    name: str
    changes: dict[str, Any]
    size: tuple[int, int]
    params: float
    hooks: float
    macs: float


# GRLA paper: table 3, 7, 8, 9, 11 and figures 7 and 8, with all multiply-adds counted in paper.md's check of them.
# (MALA: by arithmetic, the gates added to x4.)
PUBLISHED = [
    Row("x2", {"upscale": 2}, (360, 640), 867.5, 213.85, 296.7),
    Row("x3", {"upscale": 3}, (240, 426), 874.9, 94.99, 131.5),
    Row("x4", {}, (180, 320), 885.3, 56.53, 78.2),
    Row("no aggregation", {"aggregation": False}, (180, 320), 824.6, 53.05, 74.7),
    Row("4 blocks", {"depth": 4}, (180, 320), 594.7, 37.9, 52.4),
    Row("5 blocks", {"depth": 5}, (180, 320), 738.5, 47.2, 65.3),
    Row("7 blocks", {"depth": 7}, (180, 320), 1035.2, 66.1, 91.3),
    Row("45 channels", {"dim": 45}, (180, 320), 600.6, 39.2, 55.7),
    Row("65 channels", {"dim": 65}, (180, 320), 1225.0, 77.2, 104.2),
    Row("window 8", {"layers": WINDOWS_ONLY, "window_size": 8}, (180, 320), 885.3, 53.13, 61.0),
    Row("window 10", {"layers": WINDOWS_ONLY, "window_size": 10}, (180, 320), 885.3, 52.89, 65.3),
    Row("window 12", {"layers": WINDOWS_ONLY, "window_size": 12}, (180, 320), 885.3, 54.38, 72.8),
    Row("window 14", {"layers": WINDOWS_ONLY, "window_size": 14}, (180, 320), 885.3, 55.70, 81.1),
    Row("window 16", {"layers": WINDOWS_ONLY, "window_size": 16}, (180, 320), 885.3, 59.35, 94.4),
    Row("full GRBFLA x2", {"upscale": 2, "layers": ("global", "global")}, (360, 640), 867.5, 199.15, 229.9),
    Row("MALA", {"kernel": "mala"}, (180, 320), 922.3, 58.76, 80.5),
    Row("GRLA-L", {"dim": 165}, (180, 320), 7647, 468.2, 565.4),
]


def on_meta(spec: ModelSpec) -> nn.Module:
    with torch.device("meta"):
        return build_model(spec)


def padded(side: int, window: int) -> int:
    return -(-side // window) * window


def by_formula(spec: ModelSpec, height: int, width: int) -> dict[str, int]:
    """All counts of a network of two layers a pair with GRBF in global ones, one LR image of height x width."""
    dim, depth, window, heads = spec.dim, spec.depth, spec.window_size, spec.num_heads
    windows = spec.layers.count("window")
    multiple = window if windows else 1
    pixels, tokens = height * width, padded(height, multiple) * padded(width, multiple)
    square = dim * dim
    joints = depth - 1 if spec.aggregation else 0
    joined = sum(range(2, joints + 2)) + depth  # feature maps that enter the 1x1 convolutions between blocks
    outputs = 3 * spec.upscale**2
    # Outside of the blocks, a pixel: head, 1x1 convolutions, the fusion's 3x3, the upsampler.
    outside = 27 * dim + joined * square + 9 * square + 9 * dim * outputs
    # A layer, a token: local branch (1x1, depthwise 3x3, 1x1), qkv and proj, feed-forward of twice the width.
    layer = (2 * square + 9 * dim) + 4 * square + 4 * square
    modules = pixels * outside + 2 * depth * 2 * tokens * layer
    # Queries times keys and weights times values within the window; (dim + 1) features times dim + 1 columns, twice.
    products = 2 * depth * tokens * (windows * 2 * window**2 * dim + (2 - windows) * 2 * (dim + 1) ** 2)
    # A pair, a token: LayerNorm, two BatchNorms in each of two layers; softmax over the window.
    norms = 2 * depth * tokens * (4 * dim + 2 * 2 * 4 * dim + windows * 3 * window**2 * heads)
    layer_params = 2 * 2 * dim + (2 * square + 9 * dim) + (4 * square + 4 * dim) + (4 * square + 3 * dim)
    outside_params = outside + dim + (joints + 1) * dim + dim + outputs
    # Three convolutions, qkv and proj, twice the width and back; what runs outside gives a feature map each.
    activations = pixels * (dim * (1 + joints + 1 + 1) + outputs) + 2 * depth * 2 * tokens * dim * (3 + 4 + 3)
    return {
        "num_params": outside_params + 2 * depth * (2 * dim + 2 * layer_params),
        "macs": modules + products,
        "hook_flops": modules + norms,
        "activations": activations,
    }


def counted(spec: ModelSpec, height: int, width: int) -> dict[str, int]:
    """The same by counting."""
    counts = vars(count(on_meta(spec), (1, 3, height, width)))
    return {name: counts[name] for name in ("num_params", "macs", "hook_flops", "activations")}


@st.composite
def specs(draw: st.DrawFn) -> ModelSpec:
    heads = draw(st.integers(1, 3))
    return ModelSpec(
        upscale=draw(st.sampled_from([2, 3, 4])),
        dim=heads * draw(st.integers(1, 6)),
        depth=draw(st.integers(1, 3)),
        window_size=draw(st.integers(1, 6)),
        num_heads=heads,
        layers=draw(st.sampled_from([("window", "global"), ("window", "window"), ("global", "global")])),
        num_global_heads=1,
        aggregation=draw(st.booleans()),
    )


@settings(max_examples=10, deadline=None)
@given(specs(), st.integers(1, 14), st.integers(1, 14))
def test_any_size_is_counted_as_the_formula_says(spec: ModelSpec, height: int, width: int) -> None:
    assert counted(spec, height, width) == by_formula(spec, height, width)


def check(found: dict[str, int], row: Row) -> None:
    assert found["num_params"] / 1e3 == pytest.approx(row.params, rel=0.002)
    assert found["hook_flops"] / 1e9 == pytest.approx(row.hooks, rel=0.002)
    assert found["macs"] / 1e9 == pytest.approx(row.macs, rel=0.005)


@pytest.mark.parametrize("row", [row for row in PUBLISHED if "kernel" not in row.changes], ids=lambda row: row.name)
def test_every_published_row_comes_out_by_the_formula(row: Row) -> None:
    check(by_formula(ModelSpec(**row.changes), *row.size), row)


@pytest.mark.parametrize("name", ["x4", "window 14", "full GRBFLA x2", "MALA"])
def test_published_rows_come_out_by_counting(name: str) -> None:
    (row,) = [row for row in PUBLISHED if row.name == name]
    found = counted(ModelSpec(**row.changes), *row.size)
    check(found, row)
    assert name == "MALA" or found == by_formula(ModelSpec(**row.changes), *row.size)


def test_other_counters_find_what_the_formula_says() -> None:
    spec = ModelSpec(dim=12, depth=2, window_size=4, num_heads=3)
    assert agreed_macs(build_model(spec), (9, 10)) == ((9, 10), by_formula(spec, 9, 10)["macs"])
