"""The fast paths of evaluation mode compute what the definition says, for every kernel, norm and size."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from grla.attention import build_kernel, kernel_names
from grla.attention.linear import Linear, linear
from grla.model import build_model
from grla.model.blocks import FoldedOnce, LocalFeatureExtraction, fold
from grla.spec import ModelSpec

SMALL = {"dim": 10, "depth": 2, "num_heads": 2, "window_size": 4}


def trained(**changes: object) -> nn.Module:
    """A small network with weights, scales, shifts and running statistics that are nowhere their initial ones."""
    torch.manual_seed(0)
    model = build_model(ModelSpec(**{**SMALL, **changes}))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.1 * torch.randn_like(parameter))
        for _ in range(3):
            model(torch.rand(2, 3, 12, 12))
    return model.eval()


def both_paths(model: nn.Module, lr: Tensor) -> tuple[Tensor, Tensor]:
    fast = model(lr)
    for module in model.modules():
        if hasattr(module, "plain_path"):
            module.plain_path = True
    return fast, model(lr)


@pytest.mark.parametrize("norm", ["batch", "layer", "none"])
@pytest.mark.parametrize("kernel", kernel_names())
def test_paths_agree_exactly_in_float64_and_to_rounding_in_float32(kernel: str, norm: str) -> None:
    model = trained(kernel=kernel, norm=norm)
    lr = torch.rand(2, 3, 9, 14)
    amplified = build_kernel(kernel, SMALL["dim"]).amplifies_rounding
    with torch.inference_mode():
        fast, plain = both_paths(model, lr)
        exact_fast, exact_plain = both_paths(trained(kernel=kernel, norm=norm).double(), lr.double())
    torch.testing.assert_close(exact_fast, exact_plain, rtol=0, atol=1e-10 * amplified)
    torch.testing.assert_close(fast, plain, rtol=0, atol=1e-5 * amplified**2 * float(plain.abs().max()))


@settings(max_examples=15, deadline=None)
@given(st.integers(1, 20), st.integers(1, 20), st.sampled_from([1, 5, 11]), st.sampled_from([2, 3, 4]), st.booleans())
def test_paths_agree_at_every_size(height: int, width: int, head_dim: int, upscale: int, shift: bool) -> None:
    model = trained(dim=2 * head_dim, upscale=upscale, shift_windows=shift, aggregation=shift).double()
    with torch.inference_mode():
        fast, plain = both_paths(model, torch.rand(1, 3, height, width, dtype=torch.float64))
    torch.testing.assert_close(fast, plain, rtol=0, atol=1e-10 * float(plain.abs().max()))


def test_evaluation_mode_has_gradients_too() -> None:
    model, lr = trained(), torch.rand(1, 3, 8, 8)
    fast, plain = (out.square().mean() for out in both_paths(model, lr))
    weights = list(model.parameters())
    for mine, defined in zip(torch.autograd.grad(fast, weights), torch.autograd.grad(plain, weights), strict=True):
        torch.testing.assert_close(mine, defined, rtol=1e-3, atol=1e-4 * float(defined.abs().max() + 1))


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 40), st.integers(1, 70), st.integers(1, 70), st.booleans(), st.booleans())
def test_linear_is_the_product_it_says(tokens: int, inputs: int, outputs: int, bias: bool, strided: bool) -> None:
    x = torch.randn(tokens, 2 * inputs)[:, :inputs] if strided else torch.randn(tokens, inputs)
    weight, shift = torch.randn(outputs, inputs), torch.randn(outputs) if bias else None
    expected = x.double() @ weight.double().mT + (0 if shift is None else shift.double())
    with torch.inference_mode():
        torch.testing.assert_close(linear(x, weight, shift).double(), expected, rtol=1e-5, atol=1e-4)


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 20), st.integers(1, 30), st.integers(1, 30), st.booleans())
def test_linear_has_the_gradients_of_torchs(tokens: int, inputs: int, outputs: int, bias: bool) -> None:
    x, weight = torch.randn(2, tokens, inputs, requires_grad=True), torch.randn(outputs, inputs, requires_grad=True)
    wanted = [x, weight] + ([torch.randn(outputs, requires_grad=True)] if bias else [])
    probe = torch.randn(2, tokens, outputs)
    mine = torch.autograd.grad(linear(*wanted), wanted, probe)
    torchs = torch.autograd.grad(torch.nn.functional.linear(*wanted), wanted, probe)
    torch.testing.assert_close(mine, torchs, rtol=1e-4, atol=1e-4)
    assert Linear(inputs, outputs)(x).requires_grad


def test_training_mode_has_the_gradients_of_the_definition() -> None:
    lr = torch.rand(2, 3, 9, 14)
    fast, plain = (trained().double().train() for _ in range(2))
    for module in plain.modules():
        if hasattr(module, "plain_path"):
            module.plain_path = True
    for model in (fast, plain):
        model(lr.double()).square().mean().backward()
    for mine, defined in zip(fast.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, defined.grad, rtol=1e-7, atol=1e-9)


def test_a_traced_network_holds_common_operations_and_gives_the_same() -> None:
    model, lr = trained(), torch.rand(1, 3, 8, 12)
    with torch.inference_mode():
        traced = torch.jit.trace(model, lr, check_trace=False)
        assert "_linear_pointwise" not in str(traced.inlined_graph)
        torch.testing.assert_close(traced(lr), model(lr), rtol=1e-4, atol=1e-4)


def test_what_is_folded_once_is_folded_anew_when_any_of_it_changes() -> None:
    norm, convolution = nn.BatchNorm2d(3).eval(), nn.Conv2d(3, 3, 1, bias=False)
    once = FoldedOnce()
    with torch.inference_mode():
        first = once(norm, convolution)
        assert once(norm, convolution) is first
    for tensor in (norm.weight, norm.bias, norm.running_mean, norm.running_var, convolution.weight):
        with torch.no_grad():
            tensor.add_(0.5)
            found = once(norm, convolution)
            torch.testing.assert_close(found, fold(norm, convolution), rtol=0, atol=0)
            assert once(norm, convolution) is found
    with torch.no_grad():
        convolution.weight = nn.Parameter(torch.ones(3, 3, 1, 1))
        torch.testing.assert_close(once(norm, convolution), fold(norm, convolution), rtol=0, atol=0)


def test_weights_whose_changes_nobody_counts_are_folded_each_time() -> None:
    with torch.inference_mode():
        norm, convolution = nn.BatchNorm2d(3).eval(), nn.Conv2d(3, 3, 1, bias=False)
        once = FoldedOnce()
        once(norm, convolution)
        norm.bias.add_(1)
        torch.testing.assert_close(once(norm, convolution), fold(norm, convolution), rtol=0, atol=0)


class OnGpu(Tensor):
    """A tensor of the CPU that says it is on a GPU, where folding is done once."""

    is_cuda = True


def test_a_fused_step_between_two_evaluations_is_seen_though_norms_are_frozen() -> None:
    """It changes weights without raising their versions."""
    torch.manual_seed(0)
    block, x = LocalFeatureExtraction(3, "batch").eval(), torch.rand(1, 4, 4, 3)
    adam = torch.optim.Adam(block.parameters(), lr=0.1, fused=True)
    with torch.inference_mode():
        block(x.as_subclass(OnGpu))
    block.train()
    for norm in (block[0], block[3]):
        norm.eval()
    block(x).sum().backward()
    adam.step()
    block.eval()
    with torch.inference_mode():
        torch.testing.assert_close(block(x.as_subclass(OnGpu)).as_subclass(Tensor), block(x))
