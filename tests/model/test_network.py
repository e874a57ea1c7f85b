from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from grla.attention import kernel_names
from grla.errors import InputError
from grla.model import build_model
from grla.spec import KernelSpec, ModelSpec

TINY = {"dim": 8, "depth": 2, "window_size": 4, "num_heads": 2}


@settings(max_examples=25, deadline=None)
@given(
    height=st.integers(1, 21),
    width=st.integers(1, 21),
    upscale=st.sampled_from([2, 3, 4]),
    layers=st.sampled_from([("window", "global"), ("window", "window"), ("global", "global"), ("window",)]),
    shift=st.booleans(),
)
def test_any_size_comes_out_upscale_times_as_large(height, width, upscale, layers, shift) -> None:
    torch.manual_seed(0)
    model = build_model(ModelSpec(upscale=upscale, layers=layers, shift_windows=shift, **TINY)).eval()
    with torch.inference_mode():
        sr = model(torch.rand(2, 3, height, width))
    assert sr.shape == (2, 3, upscale * height, upscale * width)
    assert sr.isfinite().all()


@pytest.mark.parametrize("kernel", kernel_names())
@pytest.mark.parametrize("norm", ["batch", "layer", "none"])
@pytest.mark.parametrize("pair_norm", [True, False])
def test_every_kernel_and_norm_trains(kernel: str, norm: str, pair_norm: bool) -> None:
    torch.manual_seed(0)
    model = build_model(ModelSpec(kernel=KernelSpec(kernel), norm=norm, pair_norm=pair_norm, **TINY))
    model(torch.rand(2, 3, 8, 8)).square().mean().backward()
    silent = [name for name, p in model.named_parameters() if p.grad is None or not p.grad.any()]
    # Without attention nothing reaches what makes queries, keys and values, nor the projection's weights. Queries and
    # keys do not matter when values are averaged, but share one layer with them. Softmax ignores a shift of all keys.
    expected = {"none": ("qkv", "proj.weight")}.get(kernel, ())
    assert all("layers.1" in name and any(part in name for part in expected) for name in silent), silent


def test_norm_placement_is_where_the_spec_says() -> None:
    def kinds(**changes: object) -> set[str]:
        return {type(module).__name__ for module in build_model(ModelSpec(**TINY, **changes)).modules()}

    assert {"BatchNorm2d", "LayerNorm"} <= kinds()
    assert "BatchNorm2d" not in kinds(norm="layer")
    assert not {"BatchNorm2d", "LayerNorm", "ChannelNorm"} & kinds(norm="none", pair_norm=False)


def test_blocks_are_densely_aggregated() -> None:
    """Block 3 of 3 sees the head and blocks 1 and 2: its joint takes 3 * dim channels; without aggregation, none."""
    model = build_model(ModelSpec(**{**TINY, "depth": 3}))
    assert [joint[0].in_channels for joint in model.aggregations] == [16, 24]
    assert len(build_model(ModelSpec(**{**TINY, "depth": 3}, aggregation=False)).aggregations) == 0


def test_shifted_windows_change_the_result_but_not_the_weights() -> None:
    models = []
    for shift in (False, True):
        torch.manual_seed(0)
        models.append(build_model(ModelSpec(**TINY, shift_windows=shift)).eval())
    models[1].load_state_dict(models[0].state_dict())
    lr = torch.rand(1, 3, 8, 8)
    assert not torch.allclose(models[0](lr), models[1](lr))


def test_a_wrong_kernel_is_named_when_the_model_is_built() -> None:
    with pytest.raises(InputError, match="unknown kernel 'linformer'"):
        build_model(ModelSpec(kernel=KernelSpec("linformer")))
