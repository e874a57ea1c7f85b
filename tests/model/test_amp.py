"""Automatic mixed precision: what a GPU would compute in bfloat16, on a CPU without oneDNN's float32 products."""

from __future__ import annotations

import pytest
import torch

from grla.attention import kernel_names
from grla.model import build_model
from grla.spec import ModelSpec


@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("kernel", kernel_names())
def test_bfloat16_is_close_to_float32_and_has_finite_gradients(kernel: str, training: bool) -> None:
    torch.manual_seed(0)
    model = build_model(ModelSpec(dim=10, depth=2, num_heads=2, window_size=4, kernel=kernel)).train(training)
    lr = torch.rand(2, 3, 9, 14)
    expected = model(lr).detach()
    with torch.backends.mkldnn.flags(enabled=False), torch.autocast("cpu", torch.bfloat16):
        half = model(lr)
    assert half.dtype == torch.bfloat16
    # 8 bits of precision through 8 layers; weights by ReLU can be nearly all zero, and their sum then is, too.
    limit = 0.2 if kernel in ("relu", "focused") else 0.03
    torch.testing.assert_close(half.detach().float(), expected, rtol=0, atol=limit * float(expected.abs().max()))
    half.float().abs().mean().backward()
    assert all(p.grad is None or p.grad.isfinite().all() for p in model.parameters())
