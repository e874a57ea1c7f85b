"""Kernels of other papers against their formulas, in loops over tokens or by numpy, independently of the code."""

from __future__ import annotations

import copy
import itertools
import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn.functional import gelu, pad

from grla.attention import GlobalAttention, build_kernel
from grla.attention.interface import AttentionKernel
from grla.errors import InputError
from grla.model import build_seeded
from grla.spec import KernelSpec, ModelSpec


def random(*shape: int) -> Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0), dtype=torch.float64)


def out_of(kernel: AttentionKernel, q: Tensor, k: Tensor, v: Tensor) -> np.ndarray:
    """The output for tokens (num_tokens, head_dim) of one head."""
    return kernel.double()(q[None, None], k[None, None], v[None, None])[0, 0].detach().numpy()


@pytest.mark.parametrize("focus", [1, 3])
def test_focused_is_flattens_equations_5_and_6(focus: int) -> None:
    q, k, v = random(3, 5), random(6, 5) * 0.7, random(6, 5) + 1
    scale = math.log(2)  # softplus(0)

    def f(x: np.ndarray) -> np.ndarray:
        y = (np.maximum(x, 0) + 1e-6) / scale
        return np.linalg.norm(y) / np.linalg.norm(y**focus) * y**focus

    out = out_of(build_kernel("focused", 5, focus=focus), q, k, v)
    for i, query in enumerate(q.numpy()):
        weights = np.array([f(query) @ f(key) for key in k.numpy()]) / 6
        np.testing.assert_allclose(out[i], weights @ v.numpy() / (weights.sum() + 1e-6), rtol=1e-6)


def test_focusing_turns_weights_to_keys_of_the_same_largest_channel() -> None:
    q = torch.tensor([[1.0, 0.6]], dtype=torch.float64)
    k = torch.tensor([[1.0, 0.5], [0.5, 1.0]], dtype=torch.float64)
    first = [
        float(build_kernel("focused", 2, focus=p).double().weights(q[None, None], k[None, None])[..., 0])
        for p in (1, 3)
    ]
    assert 0.5 < first[0] < first[1]


def test_inline_is_its_equation_5() -> None:
    q, k, v = random(3, 4), random(7, 4) * 2, random(7, 4) + 1
    scores = q.numpy() @ k.numpy().T / 2  # sqrt(4)
    weights = (scores - scores.mean(1, keepdims=True) + 1) / 7
    np.testing.assert_allclose(out_of(build_kernel("inline", 4), q, k, v), weights @ v.numpy())


def test_inline_tells_queries_apart_that_division_makes_equal() -> None:
    """The paper's point: two queries that differ in length alone have the same normalised linear weights."""
    q, k = torch.cat([random(1, 4), 2 * random(1, 4)]).abs()[None, None], random(1, 1, 7, 4).abs()
    divided, shifted = (build_kernel(name, 4).weights(q, k)[0, 0] for name in ("relu", "inline"))
    torch.testing.assert_close(divided[0], divided[1])
    assert (shifted[0] - shifted[1]).abs().max() > 0.01


def test_agent_is_two_softmaxes_through_means_of_chunks() -> None:
    q, k, v = random(6, 4), random(9, 4) * 2, random(9, 4)
    agents = np.stack([q[:2].mean(0), q[2:4].mean(0), q[4:].mean(0)])

    def softmax(x: np.ndarray) -> np.ndarray:
        return np.exp(x) / np.exp(x).sum(1, keepdims=True)

    gathered = softmax(agents @ k.numpy().T / 2) @ v.numpy()
    expected = softmax(q.numpy() @ agents.T / 2) @ gathered
    np.testing.assert_allclose(out_of(build_kernel("agent", 4, num_agents=3), q, k, v), expected)


def test_agents_of_uneven_chunks_are_those_of_adaptive_pooling() -> None:
    q = random(1, 1, 11, 4)
    agents = build_kernel("agent", 4, num_agents=4)._agents(q)
    expected = torch.nn.functional.adaptive_avg_pool1d(q[0].mT, 4).mT
    torch.testing.assert_close(agents[0], expected)


def test_polaformer_weighs_halves_of_the_values_by_signs() -> None:
    """As the authors' code writes it, with p = 3 and scales of log 2, which both start so."""
    q, k, v = random(3, 4), random(7, 4) * 0.8, random(7, 4) + 1

    def f(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return np.maximum(x / math.log(2), 0) ** 3, np.maximum(-x / math.log(2), 0) ** 3

    (q_pos, q_neg), (k_pos, k_neg) = f(q.numpy()), f(k.numpy())
    keys = np.concatenate([k_pos, k_neg], 1)
    halves = []
    for queries, values in (((q_pos, q_neg), v.numpy()[:, :2]), ((q_neg, q_pos), v.numpy()[:, 2:])):
        scores = np.concatenate(queries, 1) @ keys.T / 7
        halves.append(scores @ values / (scores.sum(1, keepdims=True) + 1e-6))
    np.testing.assert_allclose(out_of(build_kernel("polaformer", 4), q, k, v), np.concatenate(halves, 1), rtol=1e-6)


def test_local_values_add_a_depthwise_convolution_of_the_values() -> None:
    """To `none`, whose output is zero, the layer then adds nothing else before its projection."""
    torch.manual_seed(0)
    layer = GlobalAttention(6, 2, build_kernel("none", 3, 2), local_values=True)
    x = torch.rand(2, 5, 4, 6)
    values = x @ layer.qkv.weight[12:].mT + layer.qkv.bias[12:]
    expected = layer.proj(layer.local(values.permute(0, 3, 1, 2)).permute(0, 2, 3, 1))
    torch.testing.assert_close(layer(x), expected)
    padded = GlobalAttention(6, 2, build_kernel("softmax", 3, 2), local_values=True)
    plain = copy.deepcopy(padded)
    plain.kernel.plain_path = True
    torch.testing.assert_close(padded(x), plain(x))  # heads padded for speed have the same values


def test_an_output_gate_multiplies_what_goes_to_the_projection_by_a_linear_map_of_the_input() -> None:
    """As in PolaFormer, where the convolution of values is gated, too."""
    torch.manual_seed(0)
    layer = GlobalAttention(6, 2, build_kernel("none", 3, 2), local_values=True, output_gate=True)
    x = torch.rand(2, 5, 4, 6)
    values = x @ layer.qkv.weight[12:].mT + layer.qkv.bias[12:]
    convolved = layer.local(values.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
    gate = x @ layer.gate.weight.mT + layer.gate.bias
    torch.testing.assert_close(layer(x), layer.proj(convolved * gate))


def test_dynamic_values_are_convolved_by_weights_that_each_image_makes_of_its_mean_token() -> None:
    """By loops over images, channels and pixels, in float64; heads share nothing."""
    torch.manual_seed(0)
    layer = GlobalAttention(6, 2, build_kernel("none", 3, 2), dynamic_values=True).double()
    x = torch.rand(2, 4, 5, 6, dtype=torch.float64)
    values = (x @ layer.qkv.weight[12:].mT + layer.qkv.bias[12:]).detach()
    first, _, second = layer.dynamic
    expected = torch.zeros_like(values)
    for image, head, channel in itertools.product(range(2), range(2), range(3)):
        mine = slice(3 * head, 3 * head + 3)
        hidden = gelu(first.weight[mine, :, 0] @ x[image].mean((0, 1))[mine] + first.bias[mine])
        rows = slice(9 * (3 * head + channel), 9 * (3 * head + channel) + 9)
        weights = (second.weight[rows, :, 0] @ hidden + second.bias[rows]).view(3, 3).detach()
        around = pad(values[image, :, :, 3 * head + channel], (1, 1, 1, 1))
        for row, column in itertools.product(range(4), range(5)):
            window = around[row : row + 3, column : column + 3]
            expected[image, row, column, 3 * head + channel] = (weights * window).sum()
    torch.testing.assert_close(layer(x), layer.proj(expected))
    both = GlobalAttention(6, 2, build_kernel("softmax", 3, 2), local_values=True, dynamic_values=True)
    plain = copy.deepcopy(both)
    plain.kernel.plain_path = True
    y = x.float()
    torch.testing.assert_close(both(y), plain(y))  # heads padded for speed have the same values
    alone = copy.deepcopy(both)
    alone.local = alone.dynamic = None
    assert not torch.allclose(both(y), alone(y))


DYNAMIC = 8 * 8 + 8 + 72 * 8 + 72  # with one head


@pytest.mark.parametrize(
    ("option", "params"),
    [("local_values", 8 * 25 + 8), ("output_gate", 8 * 8 + 8), ("dynamic_values", DYNAMIC)],
)
def test_an_option_of_the_layer_leaves_all_other_weights_equal(option: str, params: int) -> None:
    """It adds the parameters of a depthwise convolution, or of linear maps, to each of two global layers."""
    plain = ModelSpec(dim=8, depth=1, num_heads=2, window_size=4, kernel=KernelSpec("polaformer"))
    own, other = (dict(build_seeded(spec, 0).named_parameters()) for spec in (plain, replace(plain, **{option: True})))
    assert sum(other.pop(name).numel() for name in other.keys() - own.keys()) == 2 * params
    assert own.keys() == other.keys()
    assert all(torch.equal(own[name], other[name]) for name in own)


def test_mesa_is_weighted_ridge_regression_by_numpy() -> None:
    """Least squares with the ridge as further rows, solved by numpy.linalg.lstsq."""
    q, k, v = random(3, 5), random(20, 5), random(20, 5) + 1
    keys, queries = (x.numpy()[:, 1:] / np.linalg.norm(x.numpy()[:, 1:], axis=1, keepdims=True) for x in (k, q))
    root = np.sqrt(1 / (1 + np.exp(-k.numpy()[:, :1])) / 20)
    design = np.concatenate([keys * root, math.sqrt(0.05) * np.eye(4)])
    right = np.concatenate([v.numpy() * root, np.zeros((4, 5))])
    coefficients = np.linalg.lstsq(design, right, rcond=None)[0]
    np.testing.assert_allclose(out_of(build_kernel("mesa", 5, ridge=0.05), q, k, v), queries @ coefficients, rtol=1e-6)


def test_readout_with_all_its_parts_is_rbf_ridge() -> None:
    q, k, v = random(4, 6), 2 * random(30, 6), random(30, 6)
    options = {"gamma": 1.0, "ridge": 0.02, "num_features": 12}
    whole, parts = (out_of(build_kernel(name, 6, **options), q, k, v) for name in ("rbf_ridge", "readout"))
    np.testing.assert_allclose(parts, whole, rtol=1e-7)


def test_readout_averaged_with_taylor_features_is_first_order_attention() -> None:
    """Neither shared nor normalised: 1 / N sum_j (1 + 2 g cos) v_j, which is Eq. 12 without its division."""
    q, k, v = random(3, 6), random(8, 6), random(8, 6)
    plain = {"features": "taylor", "share": False, "normalised": False, "solved": False}
    content = [x[:, 1:] / x[:, 1:].norm(dim=1, keepdim=True) for x in (q, k)]
    weights = (1 + content[0] @ content[1].T / math.sqrt(6)) / 8
    np.testing.assert_allclose(out_of(build_kernel("readout", 6, **plain), q, k, v), (weights @ v).numpy(), rtol=1e-6)


@pytest.mark.parametrize("part", ["share", "normalised", "solved"])
def test_each_part_of_readout_changes_the_output(part: str) -> None:
    q, k, v = random(3, 6), random(8, 6), random(8, 6)
    outs = [out_of(build_kernel("readout", 6, **{part: on}), q, k, v) for on in (True, False)]
    assert np.abs(outs[0] - outs[1]).max() > 1e-3


def test_gain_divides_by_two_g_and_gives_taylor_its_amplitude() -> None:
    """What tells keys apart, beside the mean of the values, is then Taylor's up to the denominator."""
    q, k, v = (random(1, 1, n, 64) for n in (3, 200, 200))
    plain, gained, taylor = (
        build_kernel(name, 64, **options)(q, k, v)
        for name, options in (("gaussian_rbf", {}), ("gaussian_rbf", {"gain": True}), ("taylor", {}))
    )
    torch.testing.assert_close(gained, plain * 8)  # sqrt(64)
    mean = v.mean(-2, keepdim=True)
    ratio = (gained - 8 * mean).norm() / (taylor - mean).norm()
    assert ratio == pytest.approx(1, abs=0.05)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("focused", {"focus": 0}, "focused: focus must be a whole number of at least 1, got 0"),
        ("agent", {"num_agents": 0}, "agent: num_agents must be a whole number of at least 1, got 0"),
        ("mesa", {"ridge": 0.0}, "mesa: ridge must be above 0"),
        ("readout", {"features": "relu"}, "readout: features must be one of fourier, taylor, plain, got 'relu'"),
        ("readout", {"num_features": 5}, "readout: num_features must be even"),
    ],
)
def test_bad_options_are_named(name: str, options: dict, message: str) -> None:
    with pytest.raises(InputError, match=message):
        build_kernel(name, 8, **options)
