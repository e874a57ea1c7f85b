"""Counts against a hand count and two other counters; see test_closed_form.py for the paper's published ones."""

from __future__ import annotations

import pytest
import torch
from fvcore.nn import ActivationCountAnalysis, FlopCountAnalysis
from torch import Tensor, nn
from torch.utils.flop_counter import FlopCounterMode

from grla.cost import Counts, count, counts_by_module
from grla.cost.definition import definition_of
from grla.errors import InputError
from grla.model import build_model
from grla.spec import ModelSpec


class HandCounted(nn.Module):
    """The small net of protocol.md section 3: one convolution to 64 channels, and one attention over its tokens."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 64, 3, padding=1)
        self.out = nn.Linear(64, 128)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        tokens = self.conv(x).flatten(2).mT[:, None]
        attended = nn.functional.scaled_dot_product_attention(tokens, tokens, tokens)
        return self.out(attended).sigmoid()


def test_hand_count_with_fused_attention() -> None:
    num_tokens = 16 * 16
    counts = count(HandCounted(), (1, 3, 16, 16))
    conv, attention, linear = num_tokens * 64 * 27, 2 * num_tokens**2 * 64, num_tokens * 64 * 128
    assert counts.macs == conv + attention + linear
    assert counts.hook_flops == conv + linear  # a hook sees no function
    assert counts.num_params == 64 * 27 + 64 + 64 * 128 + 128
    assert counts.weight_bytes == 4 * counts.num_params
    # Softmax and sigmoid, an exponential an element; besides, attention scales queries and keys before it.
    transcendental = num_tokens**2 + num_tokens * 128
    assert counts.transcendental_ops == transcendental
    assert counts.elementwise_ops == transcendental + 2 * num_tokens * 64
    assert counts.activations == num_tokens * (64 + 128)
    assert counts.activations_mib == num_tokens * (64 + 128) * 4 / 2**20
    assert counts.weights_mib == counts.weight_bytes / 2**20


@pytest.mark.parametrize(
    ("layer", "elementwise", "transcendental"),
    [
        (nn.ReLU(inplace=True), 1, 0),
        (nn.LeakyReLU(0.05), 1, 0),
        (nn.BatchNorm2d(3), 1, 0),
        (nn.GELU(), 1, 1),
        (nn.SiLU(inplace=True), 1, 1),
        (nn.Softmax(dim=1), 1, 1),
        (nn.Hardswish(), 1, 0),
        (nn.MaxPool2d(2), 1, 0),
        (nn.PixelShuffle(1), 0, 0),
        (nn.ReflectionPad2d(1), 0, 0),
        (nn.Upsample(scale_factor=2), 0, 0),
        (nn.Upsample(scale_factor=2, mode="bilinear"), 4 * 4, 0),
        (nn.Upsample(scale_factor=2, mode="bicubic"), 16 * 4, 0),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, nn.Module) else str(value),
)
def test_what_is_no_multiply_add_counts_per_element(layer: nn.Module, elementwise: int, transcendental: int) -> None:
    counts = count(layer, (1, 3, 8, 8))
    assert (counts.macs, counts.activations) == (0, 0)
    assert (counts.elementwise_ops, counts.transcendental_ops) == (192 * elementwise, 192 * transcendental)


def test_activations_are_those_that_fvcore_sees_in_convolutions_and_linear_layers() -> None:
    model = build_model(ModelSpec(dim=8, depth=2, window_size=4, num_heads=2)).eval()
    seen = ActivationCountAnalysis(definition_of(model, "cpu"), torch.zeros(1, 3, 9, 12))
    by_operator = seen.unsupported_ops_warnings(False).uncalled_modules_warnings(False).by_operator()
    assert count(model, (1, 3, 9, 12)).activations == by_operator["conv"] + by_operator["linear"]


class TiedAndLoose(nn.Module):
    """Two convolutions with one weight, and a tensor that is neither parameter nor buffer."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 3, 1, bias=False), nn.Conv2d(3, 3, 1, bias=False)
        self.second.weight = self.first.weight
        self.mean = torch.tensor([0.4, 0.5, 0.6]).view(1, 3, 1, 1)
        self.register_buffer("index", torch.arange(10))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(x - self.mean))


def test_what_several_modules_share_is_held_once_and_used_by_each() -> None:
    counts = count(TiedAndLoose(), (1, 3, 4, 4))
    assert (counts.num_params, counts.weight_bytes) == (9, 9 * 4 + 10 * 8)
    assert (counts.macs, counts.elementwise_ops) == (2 * 9 * 16, 3 * 16)


def test_shares_of_modules_are_booked_where_the_work_is_done() -> None:
    shares = counts_by_module(HandCounted(), (1, 3, 16, 16))
    assert list(shares) == ["", "conv", "out"]
    assert shares[""].macs == 2 * 256**2 * 64
    assert (shares["conv"].macs, shares["conv"].num_params) == (256 * 64 * 27, 64 * 27 + 64)
    assert sum(shares.values(), Counts()) == count(HandCounted(), (1, 3, 16, 16))


@pytest.mark.parametrize("kernel", ["gaussian_rbf", "relu", "softmax"])
def test_two_other_counters_agree(kernel: str) -> None:
    """fvcore (traced operators) and FlopCounterMode (dispatched operators) on real data, plain path."""
    model = build_model(ModelSpec(dim=8, depth=2, window_size=4, num_heads=2, kernel=kernel)).eval()
    expected = count(model, (1, 3, 12, 12)).macs
    for module in model.modules():
        if hasattr(module, "plain_path"):
            module.plain_path = True
    lr = torch.rand(1, 3, 12, 12)
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        model(lr)
    assert counter.get_total_flops() == 2 * expected
    analysis = FlopCountAnalysis(model, lr).unsupported_ops_warnings(False).uncalled_modules_warnings(False)
    by_operator = analysis.by_operator()
    macs = sum(by_operator[name] for name in ("conv", "linear", "matmul"))
    assert macs == expected


def test_an_operation_without_a_rule_is_refused_by_name() -> None:
    class Unusual(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return torch.fft.rfft2(x).real

    with pytest.raises(InputError, match=r"cannot count.*_fft_r2c"):
        count(Unusual(), (1, 3, 8, 8))


def test_counting_leaves_the_model_alone() -> None:
    model = build_model(ModelSpec(dim=8, depth=1, window_size=4, num_heads=2, kernel="softmax")).train()
    before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
    count(model, (1, 3, 8, 8))
    assert model.training
    assert not any(getattr(module, "plain_path", False) for module in model.modules())
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())


def test_counts_do_not_depend_on_values_or_path_and_scale_with_the_batch() -> None:
    model = build_model(ModelSpec(dim=8, depth=1, window_size=4, num_heads=2))
    one, four = count(model, (1, 3, 8, 8)), count(model, (4, 3, 8, 8))
    assert (four.macs, four.hook_flops) == (4 * one.macs, 4 * one.hook_flops)
    assert four.num_params == one.num_params


@pytest.mark.parametrize(
    ("layer", "shape"),
    [
        (nn.Conv1d(4, 6, 3, groups=2), (2, 4, 9)),
        (nn.Conv3d(2, 3, (3, 1, 2)), (1, 2, 5, 4, 6)),
        (nn.ConvTranspose2d(4, 6, 3, stride=2, groups=2), (1, 4, 5, 7)),
        (nn.ConvTranspose1d(3, 5, 4), (1, 3, 8)),
    ],
)
def test_hooks_count_every_convolution_as_the_operations_do(layer: nn.Module, shape: tuple[int, ...]) -> None:
    counts = count(nn.Sequential(layer), shape)
    assert counts.hook_flops == counts.macs > 0


class Spaced(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x + torch.linspace(0, 1, x.shape[-1], device=x.device)


class Undecided(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 2 if x.sum() > 0 else x


def test_evenly_spaced_numbers_are_free_and_branches_on_values_are_refused() -> None:
    assert count(Spaced(), (1, 3, 4, 4)).elementwise_ops == 48
    with pytest.raises(
        InputError, match="cannot count this model: what it does depends on values, not on shapes alone"
    ):
        count(Undecided(), (1, 3, 4, 4))
