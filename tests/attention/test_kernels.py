"""Each kernel against its published formula, worked out independently of the code; and finding kernels by name."""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from grla.attention import build_kernel, kernel_names, kernels
from grla.errors import InputError


def random(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def test_softmax_equals_pytorch_by_hand() -> None:
    q = k = torch.tensor([[[[1.0, 0.0], [0.0, 2.0]]]])
    first = math.exp(1 / math.sqrt(2)) / (math.exp(1 / math.sqrt(2)) + 1)
    assert build_kernel("softmax", 2).weights(q, k)[0, 0, 0].tolist() == pytest.approx([first, 1 - first])


def test_softmax_runs_the_fused_product_unless_counted() -> None:
    kernel, x = build_kernel("softmax", 8), random(1, 2, 10, 8)
    with sdpa_kernel(SDPBackend.MATH):
        fused = kernel(x, x, x)
    kernel.plain_path = True
    torch.testing.assert_close(kernel(x, x, x), fused)


@pytest.mark.parametrize("qk_norm", ["both", "query", "none"])
@pytest.mark.parametrize("key_weight", [True, False])
@pytest.mark.parametrize("order", [1, 2])
def test_gaussian_rbf_is_equation_12(qk_norm: str, key_weight: bool, order: int) -> None:
    """Loops over tokens, exactly as the paper writes the sums."""
    dim, gamma = 5, 0.1
    q, k, v = (random(4, dim), random(6, dim) * 0.7, random(6, dim) + 1)
    kernel = build_kernel("gaussian_rbf", dim, gamma=gamma, taylor_order=order, qk_norm=qk_norm, key_weight=key_weight)
    out = kernel(q[None, None], k[None, None], v[None, None])[0, 0]
    g = gamma / math.sqrt(dim)
    for i in range(4):
        q_i = q[i] / q[i].norm() if qk_norm != "none" else q[i]
        numerator, denominator = torch.zeros(dim, dtype=torch.float64), 0.0
        for j in range(6):
            k_j = k[j] / k[j].norm() if qk_norm == "both" else k[j]
            x = 2 * g * float(q_i @ k_j)
            taylor = 1 + x + (x**2 / 2 if order == 2 else 0)
            weight = (math.exp(-g * float(k_j @ k_j)) if key_weight else 1.0) * taylor
            numerator, denominator = numerator + weight * v[j], denominator + weight
        torch.testing.assert_close(out[i], numerator / denominator)


def test_a_learned_gamma_starts_at_the_given_one_and_is_one_per_head() -> None:
    q, k, v = random(1, 3, 7, 6), random(1, 3, 9, 6), random(1, 3, 9, 6)
    fixed, learned = (build_kernel("gaussian_rbf", 6, 3, gamma=2.0, learn_gamma=on).double() for on in (False, True))
    torch.testing.assert_close(learned(q, k, v), fixed(q, k, v), rtol=1e-6, atol=1e-7)
    learned(q, k, v)[:, 1].sum().backward()
    (parameter,) = learned.parameters()
    assert parameter.grad is not None
    assert (parameter.grad.flatten() != 0).tolist() == [False, True, False]


def test_rbf_ridge_is_ridge_regression_with_an_intercept_by_numpy() -> None:
    """Weighted least squares with the ridge as further rows and a free intercept, solved by numpy.linalg.lstsq."""
    dim, ridge, size = 4, 0.05, 10
    q, k, v = random(3, dim), 2 * random(20, dim), random(20, dim) + 1
    kernel = build_kernel("rbf_ridge", dim, ridge=ridge, num_features=size, gamma=1.0).double()
    frequencies = kernel.frequencies.double().numpy()

    def features(x: torch.Tensor) -> np.ndarray:
        content = x.numpy()[:, 1:]
        phases = content / np.sqrt(1 + np.mean((content / 64) ** 2, axis=1, keepdims=True)) @ frequencies.T
        return np.sqrt(2 / size) * np.concatenate([np.cos(phases), np.sin(phases)], axis=1)

    root = np.sqrt(np.exp(k[:, :1].numpy()) / np.exp(k[:, :1].numpy()).sum())
    design = np.concatenate([features(k), np.ones((20, 1))], axis=1) * root
    penalty = np.concatenate([np.sqrt(ridge / size) * np.eye(size), np.zeros((size, 1))], axis=1)
    right = np.concatenate([v.numpy() * root, np.zeros((size, dim))])
    coefficients = np.linalg.lstsq(np.concatenate([design, penalty]), right, rcond=None)[0]
    out = kernel(q[None, None], k[None, None], v[None, None])[0, 0]
    expected = features(q) @ coefficients[:-1] + coefficients[-1]
    np.testing.assert_allclose(out.detach(), expected, rtol=1e-6)


def test_rbf_ridge_recalls_keys_that_averaging_mixes() -> None:
    """Eight keys that resemble each other; a huge ridge, like averaging, gives the mean of all values."""
    keys = (1 + 0.3 * random(1, 1, 8, 4)) * torch.tensor([0.0, 1, 1, 1])
    values = random(1, 1, 8, 4)
    sharp = build_kernel("rbf_ridge", 4, ridge=1e-6, gamma=2.0).double()
    blunt = build_kernel("rbf_ridge", 4, ridge=1e6, gamma=2.0).double()
    torch.testing.assert_close(sharp(keys, keys, values), values, rtol=0, atol=0.05)
    torch.testing.assert_close(
        blunt(keys, keys, values), values.mean(2, keepdim=True).expand_as(values), rtol=0, atol=1e-3
    )


def test_rbf_ridge_estimates_the_gaussian_kernel() -> None:
    x, y = 0.5 * random(5, 6), 0.5 * random(5, 6) + 0.2
    kernel = build_kernel("rbf_ridge", 6, gamma=1.0, num_features=2**14).double()
    exact = torch.exp(-torch.cdist(x[:, 1:], y[:, 1:]).square() / 6)
    torch.testing.assert_close(kernel.map_q(x) @ kernel.map_k(y).mT, exact, rtol=0, atol=0.02)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"ridge": 0.0}, "ridge must be above 0"),
        ({"gamma": -1.0}, "gamma must be above 0"),
        ({"num_features": 7}, "num_features must be even"),
    ],
)
def test_rbf_ridge_refuses_what_it_cannot_solve(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        build_kernel("rbf_ridge", 8, **options)


def test_random_features_tend_to_the_exact_kernel() -> None:
    q, k = random(1, 1, 6, 8), random(1, 1, 9, 8) + 0.3
    exact = build_kernel("exact_rbf", 8, gamma=0.5).weights(q, k)
    errors = [
        float((kernel.weights(q, k) - exact).abs().max())
        for kernel in (build_kernel("random_features", 8, gamma=0.5, num_features=n).double() for n in (64, 64 * 64))
    ]
    assert errors[1] < 0.01
    assert errors[1] < errors[0] / 3


def test_random_features_are_drawn_orthogonal_in_blocks() -> None:
    directions = build_kernel("random_features", 8, num_features=20).directions
    assert isinstance(directions, torch.Tensor)
    assert directions.shape == (20, 8)
    gram = directions[:8] @ directions[:8].mT
    torch.testing.assert_close(gram, torch.diag(gram.diagonal()), rtol=0, atol=1e-5)


def test_key_weight_cancels_for_normalised_keys() -> None:
    """Contradiction 1 of the paper: phi is then the same for every key."""
    q, k, v = random(1, 1, 7, 6), random(1, 1, 9, 6) + 1, random(1, 1, 9, 6) - 1
    with_phi, without = (build_kernel("gaussian_rbf", 6, key_weight=on)(q, k, v) for on in (True, False))
    torch.testing.assert_close(with_phi, without)


def test_paper_setting_is_nearly_uniform() -> None:
    """With unit vectors and gamma = 1/2 all weights of a row lie within 1 +- 1/sqrt(d) of 1/N, up to normalisation."""
    dim = 55
    weights = build_kernel("gaussian_rbf", dim).weights(random(1, 1, 40, dim), random(1, 1, 50, dim)) * 50
    bound = 1 / math.sqrt(dim)
    assert weights.max() < (1 + bound) / (1 - bound)
    assert weights.min() > (1 - bound) / (1 + bound)


def test_gaussian_rbf_without_normalisation_can_lose_its_denominator() -> None:
    """Contradiction 2: 1 + 2 g q.k is negative for opposite long vectors, and nothing hides it."""
    kernel = build_kernel("gaussian_rbf", 1, qk_norm="none", gamma=0.5, key_weight=False)
    q, k = torch.tensor([[[[2.0]]]]), torch.tensor([[[[-0.5], [-0.5]]]])
    assert not kernel(q, k, torch.ones_like(k)).isfinite().all()


def test_relu_row_without_shared_channels_is_zero() -> None:
    q, k = torch.tensor([[[[1.0, -1.0]]]]), torch.tensor([[[[-1.0, 1.0], [-2.0, 3.0]]]])
    assert build_kernel("relu", 2)(q, k, torch.ones_like(k)).tolist() == [[[[0.0, 0.0]]]]


def test_uniform_is_the_mean_and_none_is_zero() -> None:
    q, v = random(1, 1, 3, 4), random(1, 1, 5, 4)
    torch.testing.assert_close(build_kernel("uniform", 4)(q, v, v), v.mean(2, keepdim=True).expand(1, 1, 3, 4))
    assert not build_kernel("none", 4)(q, v, v).any()


def pair(name: str, **options: object) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor, torch.Tensor]:
    """q (4, 5), k and v (6, 5), and the kernel's output (4, 5)."""
    q, k, v = random(5, 5)[:4], random(6, 5) * 0.7, random(6, 5) + 1
    return q, k, v, build_kernel(name, 5, **options)(q[None, None], k[None, None], v[None, None])[0, 0]


def test_taylor_is_one_plus_cosine() -> None:
    q, k, v, out = pair("taylor")
    weights = 1 + torch.cosine_similarity(q[:, None], k[None], dim=-1)
    torch.testing.assert_close(out, weights @ v / weights.sum(1, keepdim=True))
    twice = build_kernel("gaussian_rbf", 5, gamma=math.sqrt(5) / 2)  # GRBF with 2 g = 1
    torch.testing.assert_close(out, twice(q[None, None], k[None, None], v[None, None])[0, 0])


def test_efficient_is_two_softmaxes() -> None:
    q, k, v, out = pair("efficient")
    torch.testing.assert_close(out, q.softmax(1) @ (k.softmax(0).T @ v))


def test_elu_is_katharopoulos() -> None:
    q, k, v, out = pair("elu")

    def feature(x: torch.Tensor) -> torch.Tensor:
        return torch.where(x > 0, x + 1, x.exp())

    weights = feature(q) @ feature(k).T
    torch.testing.assert_close(out, weights @ v / (weights.sum(1, keepdim=True) + 1e-6))


def test_mala_is_scale_and_offset_of_linear_attention() -> None:
    """beta phi(q).phi(k) - gamma with beta = 1 + 1 / sum and gamma = sum / N, here with the code's scale s / N."""
    q, k, v, out = pair("mala")
    scores = (torch.nn.functional.elu(q) + 1) @ (torch.nn.functional.elu(k) + 1).T / math.sqrt(5) / 6
    total = scores.sum(1, keepdim=True)
    weights = (1 + 1 / (total + 1e-6)) * scores - total / 6
    torch.testing.assert_close(out, weights @ v)
    torch.testing.assert_close(weights.sum(1), torch.ones(4, dtype=torch.float64), rtol=0, atol=1e-4)


@pytest.mark.parametrize("qk_norm", ["both", "query", "none"])
def test_exact_rbf_is_a_gaussian_of_the_distance(qk_norm: str) -> None:
    q, k, v, out = pair("exact_rbf", gamma=2.0, qk_norm=qk_norm)
    q = torch.nn.functional.normalize(q) if qk_norm != "none" else q
    k = torch.nn.functional.normalize(k) if qk_norm == "both" else k
    weights = torch.exp(-2 / math.sqrt(5) * torch.cdist(q, k) ** 2)
    torch.testing.assert_close(out, weights @ v / weights.sum(1, keepdim=True))


def test_exact_rbf_is_softmax_at_its_temperature_for_unit_vectors() -> None:
    q, k, v = (random(n, 5) for n in (4, 6, 6))
    q, k = torch.nn.functional.normalize(q), torch.nn.functional.normalize(k)
    rbf, softmax = build_kernel("exact_rbf", 5, gamma=0.5), build_kernel("softmax", 5)
    torch.testing.assert_close(*(kernel(q[None, None], k[None, None], v[None, None]) for kernel in (rbf, softmax)))


@pytest.mark.parametrize("order", [1, 2])
def test_gaussian_rbf_approaches_exact_rbf_with_the_taylor_order(order: int) -> None:
    """The error falls as gamma^order + 1: sixteen- or sixty-fourfold from gamma 0.4 to 0.1 (up to higher orders)."""
    q, k = random(1, 1, 40, 8), random(1, 1, 50, 8)[:, :, ::2]

    def error(gamma: float) -> float:
        exact = build_kernel("exact_rbf", 8, gamma=gamma).weights(q, k)
        return float(
            (build_kernel("gaussian_rbf", 8, gamma=gamma, taylor_order=order).weights(q, k) - exact).abs().max()
        )

    assert error(0.4) / error(0.1) == pytest.approx(4 ** (order + 1), rel=0.3)


def test_elementwise_rbf_is_a_product_of_bumps_around_one() -> None:
    q, k, v, out = pair("elementwise_rbf")

    def feature(x: torch.Tensor) -> torch.Tensor:
        return torch.exp(-0.5 * x**2) * torch.exp(x)

    weights = feature(q) @ feature(k).T
    torch.testing.assert_close(out, weights @ v / (weights.sum(1, keepdim=True) + 1e-6))


def test_second_order_keeps_distinct_products_only() -> None:
    features = build_kernel("gaussian_rbf", 7, taylor_order=2).map_q(random(1, 1, 3, 7))
    assert features.shape[-1] == 1 + 7 + 7 * 8 // 2


def test_unknown_kernel_lists_the_known_ones() -> None:
    with pytest.raises(
        InputError,
        match=r"unknown kernel 'sofmax'.*mala, mesa, none, polaformer, .*relu, softmax, taylor, uniform",
    ):
        build_kernel("sofmax", 8)
    assert {"softmax", "gaussian_rbf", "relu", "uniform", "none"} <= set(kernel_names())


def test_unknown_option_lists_the_valid_ones() -> None:
    with pytest.raises(InputError, match=r"no option 'gama'.*gamma, taylor_order, qk_norm, key_weight"):
        build_kernel("gaussian_rbf", 8, gama=1.0)
    with pytest.raises(InputError, match="its options: none"):
        build_kernel("uniform", 8, gamma=1.0)


@pytest.mark.parametrize(
    ("code", "message"),
    [
        ("", "must export a class `Kernel` derived from AttentionKernel"),
        ("class Kernel: pass", "must export a class `Kernel` derived from AttentionKernel"),
        (
            "from grla.attention import interface\nclass Kernel(interface.LinearKernel):\n    map_q = lambda s, q: q",
            "Kernel must also define map_k",
        ),
    ],
)
def test_a_file_without_the_contract_is_named_with_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, message: str
) -> None:
    (tmp_path / "halfway.py").write_text(code)
    monkeypatch.setattr(kernels, "__path__", [*kernels.__path__, str(tmp_path)])
    monkeypatch.delitem(sys.modules, f"{kernels.__name__}.halfway", raising=False)
    with pytest.raises(InputError, match=rf"kernels/halfway\.py.*{message}"):
        build_kernel("halfway", 8)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"gamma": 0.0}, "gamma must be above 0"),
        ({"taylor_order": 3}, "1, 2"),
        ({"qk_norm": "key"}, "both, query, none"),
    ],
)
def test_option_values_are_checked(options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        build_kernel("gaussian_rbf", 8, **options)
