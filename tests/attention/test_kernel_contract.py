"""Every kernel, on the day its file appears, obeys the contract of `grla.attention.interface`."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from grla.attention import build_kernel, kernel_names
from grla.attention.interface import AttentionKernel, weigh
from grla.cost import peak_memory_mib

HEAD_DIM = 11
KERNELS = kernel_names()
GRBF_OPTIONS = [
    {"taylor_order": 2},
    {"gamma": 1 / 16},
    {"qk_norm": "query"},
    {"qk_norm": "query", "key_weight": False},
    {"qk_norm": "none", "gamma": 0.05},
    {"qk_norm": "none", "gamma": 0.05, "taylor_order": 2, "key_weight": False},
]
OTHER_OPTIONS = [
    ("gaussian_rbf", {"learn_gamma": True, "gamma": 8, "taylor_order": 2}),
    ("rbf_ridge", {"ridge": 1e-2, "num_features": 20, "gamma": 1}),
    ("random_features", {"gamma": 2, "num_features": 30}),
    ("gaussian_rbf", {"gain": True}),
    ("gaussian_rbf", {"gain": True, "learn_gamma": True, "taylor_order": 2}),
    ("focused", {"focus": 7}),
    ("agent", {"num_agents": 3}),
    ("mesa", {"ridge": 1.0}),
    *(
        ("readout", {"features": features, "share": share, "normalised": normalised, "solved": solved})
        for features in ("fourier", "taylor", "plain")
        for share in (False, True)
        for normalised in (False, True)
        for solved in (False, True)
    ),
]
VARIANTS = [(name, {}) for name in KERNELS] + [("gaussian_rbf", options) for options in GRBF_OPTIONS] + OTHER_OPTIONS


def tokens(
    num_queries: int, num_keys: int, seed: int = 0, scale: float = 1.0, lead: tuple[int, int] = (2, 3)
) -> tuple[Tensor, Tensor, Tensor]:
    """q, k, v in float64, by default for 2 images and 3 heads."""
    generator = torch.Generator().manual_seed(seed)
    shapes = [(*lead, n, HEAD_DIM) for n in (num_queries, num_keys, num_keys)]
    q, k, v = (torch.randn(shape, generator=generator, dtype=torch.float64) for shape in shapes)
    return scale * q, scale * k, v


def gradients(out: Tensor, inputs: list[Tensor]) -> list[Tensor]:
    """Gradients of a random linear probe of `out`; zeros where a kernel does not look at an input."""
    probe = torch.randn(out.shape, generator=torch.Generator().manual_seed(1), dtype=out.dtype)
    if not out.requires_grad:
        return [torch.zeros_like(x) for x in inputs]
    return list(torch.autograd.grad((out * probe).sum(), inputs, allow_unused=True, materialize_grads=True))


def truth(kernel: AttentionKernel, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    return weigh(kernel.weights(q, k), v)


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_output_and_gradients_equal_the_slow_truth_in_float64(name: str, options: dict) -> None:
    kernel = build_kernel(name, HEAD_DIM, 3, **options)
    inputs = [x.requires_grad_() for x in tokens(13, 17)]
    out, slow = kernel(*inputs), truth(kernel, *inputs)
    torch.testing.assert_close(out, slow, rtol=1e-9, atol=1e-11)
    torch.testing.assert_close(gradients(out, inputs), gradients(slow, inputs), rtol=1e-8, atol=1e-10)


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_float32_stays_near_the_float64_truth(name: str, options: dict) -> None:
    kernel = build_kernel(name, HEAD_DIM, 3, **options)
    q, k, v = tokens(64, 256, seed=3)
    out = kernel(q.float(), k.float(), v.float())
    times = kernel.amplifies_rounding
    torch.testing.assert_close(out.double(), truth(kernel, q, k, v), rtol=1e-4 * times, atol=1e-5 * times)


@pytest.mark.parametrize(("name", "options"), VARIANTS)
def test_order_of_keys_does_not_matter(name: str, options: dict) -> None:
    kernel = build_kernel(name, HEAD_DIM, 3, **options)
    q, k, v = tokens(9, 20)
    order = torch.randperm(20, generator=torch.Generator().manual_seed(2))
    torch.testing.assert_close(kernel(q, k[:, :, order], v[:, :, order]), kernel(q, k, v))


@pytest.mark.parametrize("name", KERNELS)
def test_declared_properties_of_the_weights_hold(name: str) -> None:
    kernel = build_kernel(name, HEAD_DIM)
    q, k, _ = tokens(50, 60, seed=5)
    weights = kernel.weights(q, k)
    assert weights.shape == (2, 3 * kernel.value_groups, 50, 60)
    sums = weights.sum(-1)
    if kernel.rows_sum_to_one:
        torch.testing.assert_close(sums, torch.ones_like(sums))
    if kernel.nonnegative:
        assert (weights >= 0).all()


@pytest.mark.parametrize("name", [name for name in KERNELS if build_kernel(name, HEAD_DIM).vector > 1])
def test_channels_of_zeros_change_nothing_where_that_is_promised(name: str) -> None:
    kernel = build_kernel(name, HEAD_DIM)
    q, k, v = tokens(9, 20)
    wider = kernel(*(torch.nn.functional.pad(x, (0, 1)) for x in (q, k, v)))
    torch.testing.assert_close(wider[..., :HEAD_DIM], kernel(q, k, v))
    assert not wider[..., HEAD_DIM:].any()


@pytest.mark.parametrize("name", KERNELS)
def test_one_token_sees_itself(name: str) -> None:
    kernel = build_kernel(name, HEAD_DIM)
    q, k, v = tokens(1, 1)
    out = kernel(q, k, v)
    assert out.shape == q.shape
    torch.testing.assert_close(out, truth(kernel, q, k, v))
    if kernel.rows_sum_to_one:
        torch.testing.assert_close(out, v)


@pytest.mark.parametrize("scale", [1e-12, 1e-4, 1e4, 1e12])
@pytest.mark.parametrize("name", KERNELS)
def test_tiny_and_huge_tokens_give_the_truth_and_no_nan(name: str, scale: float) -> None:
    kernel = build_kernel(name, HEAD_DIM)
    q, k, v = tokens(16, 32, scale=scale)
    out = kernel(q.float(), k.float(), v.float())
    q, k, v = q.float().double(), k.float().double(), v.float().double()
    # What rounding can do to a sum is a few units in the last place of its terms' sizes, which weights of both signs
    # (MALA's grow with the tokens) do not bound by the values.
    rounding = 8 * torch.finfo(torch.float32).eps * float(weigh(kernel.weights(q, k).detach().abs(), v.abs()).max())
    torch.testing.assert_close(out.double(), truth(kernel, q, k, v), rtol=1e-3, atol=max(1e-4, rounding))


@pytest.mark.parametrize("name", KERNELS)
def test_zero_tokens_give_finite_outputs_and_gradients(name: str) -> None:
    kernel = build_kernel(name, HEAD_DIM)
    inputs = [torch.zeros(1, 1, 5, HEAD_DIM, requires_grad=True) for _ in range(3)]
    out = kernel(*inputs)
    assert out.isfinite().all()
    assert all(grad.isfinite().all() for grad in gradients(out, inputs))


HALF = [(name, dtype) for name in KERNELS for dtype in build_kernel(name, HEAD_DIM).half_dtypes]


@pytest.mark.parametrize(("name", "dtype"), HALF, ids=str)
def test_claimed_half_types_stay_within_their_precision(name: str, dtype: torch.dtype) -> None:
    """Over 70,000 keys, more than float16 can count: the sums must not run in 16 bits."""
    kernel = build_kernel(name, HEAD_DIM)
    q, k, v = (x.to(dtype) for x in tokens(16, 70_000, seed=7, lead=(1, 1)))
    v = v + 1  # a mean that is not near zero, so that relative errors mean something
    out = kernel(q, k, v)
    assert out.dtype == dtype
    expected = truth(kernel, q.double(), k.double(), v.double())
    precision = torch.finfo(dtype).eps
    torch.testing.assert_close(out.double(), expected, rtol=4 * precision, atol=4 * precision)


@pytest.mark.parametrize("name", [name for name in KERNELS if build_kernel(name, HEAD_DIM).linear])
def test_memory_of_linear_kernels_grows_linearly_with_tokens(name: str) -> None:
    """Measured: eight times the tokens take about eight times the memory; a matrix would take 64 times."""
    kernel = build_kernel(name, 16)

    def peak(num_tokens: int) -> float:
        x = torch.randn(1, 1, num_tokens, 16)
        with torch.inference_mode():
            kernel(x[:, :, :64], x[:, :, :64], x[:, :, :64])
            measured = peak_memory_mib(lambda: kernel(x, x, x), torch.device("cpu"))
        if measured is None:
            pytest.skip("this system cannot measure peak memory of a part of a process")
        return measured

    small, large = peak(16_384), peak(131_072)
    assert large <= 16 * max(small, 4), (small, large)


@settings(max_examples=40, deadline=None)
@given(
    name=st.sampled_from(KERNELS),
    num_queries=st.integers(1, 8),
    num_keys=st.integers(1, 8),
    head_dim=st.integers(2, 6),  # at 1 the paper's GRBF weight 1 + q.k is zero for opposite unit tokens
    seed=st.integers(0, 2**31),
)
def test_any_shape_equals_the_truth(name: str, num_queries: int, num_keys: int, head_dim: int, seed: int) -> None:
    kernel = build_kernel(name, head_dim)
    generator = torch.Generator().manual_seed(seed)
    q, k, v = (
        torch.randn(1, 2, n, head_dim, generator=generator, dtype=torch.float64)
        for n in (num_queries, num_keys, num_keys)
    )
    torch.testing.assert_close(kernel(q, k, v), truth(kernel, q, k, v), rtol=1e-7, atol=1e-9)
