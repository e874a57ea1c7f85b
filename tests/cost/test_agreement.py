"""Three counters of multiply-adds: they agree on what is written in many ways, else the number is refused."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, scaled_dot_product_attention

from grla.attention import kernel_names
from grla.cost import count
from grla.cost.agreement import agreed_macs
from grla.cost.fvcore_rules import einsum_macs
from grla.errors import InputError
from grla.model import build_model
from grla.spec import EdsrLiteSpec, ModelSpec

SIZE = (4, 6)
PIXELS = 24


class Applied(nn.Module):
    """A convolution to 8 channels, 216 multiply-adds a pixel, and a function of its output (1, 8, 4, 6)."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 8, 3, padding="same")
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(self.conv(x))


@pytest.mark.parametrize("kernel", kernel_names())
def test_they_agree_on_every_kernel_and_say_what_we_count(kernel: str) -> None:
    model = build_model(ModelSpec(dim=6, depth=1, window_size=3, num_heads=2, kernel=kernel, shift_windows=True))
    size, macs = agreed_macs(model, (5, 7))
    assert (size, macs) == ((5, 7), count(model, (1, 3, 5, 7)).macs)


def test_they_agree_on_convolutions_on_a_small_part_of_a_large_input() -> None:
    pixels = 24 * 24
    expected = pixels * 9 * (3 * 8 + 2 * 8 * 8 + 8 * 128) + 16 * pixels * 9 * 8 * 3
    assert agreed_macs(build_model(EdsrLiteSpec(channels=8, blocks=1)), (24, 99)) == ((24, 24), expected)


@pytest.mark.parametrize(
    ("function", "macs"),
    [
        (lambda x: scaled_dot_product_attention(x, x, x), 8 * 2 * 4 * 4 * 6),
        (lambda x: scaled_dot_product_attention(x, x, x, is_causal=True), 8 * 2 * 4 * 4 * 6),
        (lambda x: torch.einsum("bhid,bhjd->bhij", x, x), 8 * 4 * 4 * 6),
        (lambda x: torch.einsum("...id, ...jd", x, x), 8 * 4 * 4 * 6),
        (lambda x: torch.einsum("bcij,cd->bdij", x, x[0, :, 0]), PIXELS * 8 * 6),
        (lambda x: torch.einsum("bcij,bcij->bcij", x, x), 0),
        (lambda x: torch.baddbmm(x[0, :, :, :4], x[0], x[0].mT), 8 * 4 * 4 * 6),
        (lambda x: x[0, 0] @ x.mT, 8 * 4 * 4 * 6),
        (lambda x: conv2d(x, torch.zeros(8, 2, 1, 1), groups=4), PIXELS * 8 * 2),
        (nn.ConvTranspose2d(8, 6, 3, stride=2, groups=2), PIXELS * 9 * 8 * 3),
        (nn.Sequential(nn.BatchNorm2d(8), nn.GroupNorm(2, 8), nn.LayerNorm(6), nn.AdaptiveAvgPool2d(1)), 0),
    ],
    ids=[
        "attention", "causal", "einsum", "ellipsis", "projection", "product", "baddbmm", "broadcast", "groups",
        "transposed", "norms",
    ],
)  # fmt: skip
def test_they_agree_with_the_hand_count(function: Callable[[Tensor], Tensor], macs: int) -> None:
    assert agreed_macs(Applied(function), SIZE) == (SIZE, PIXELS * 216 + macs)


class MultiHead(nn.Module):
    """PyTorch's attention, which in eval mode runs as one operation that counters know nothing of."""

    def __init__(self) -> None:
        super().__init__()
        self.attention = nn.MultiheadAttention(3, 1, batch_first=True)

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.flatten(2).mT
        attended: Tensor = self.attention(tokens, tokens, tokens)[0]
        return attended


def test_the_definition_is_counted_not_the_path_that_usually_runs() -> None:
    model = MultiHead().eval()
    assert agreed_macs(model, SIZE)[1] == PIXELS * 3 * 12 + 2 * PIXELS**2 * 3
    assert torch.backends.mha.get_fastpath_enabled()
    network = build_model(ModelSpec(dim=4, depth=1, window_size=2, num_heads=2, kernel="softmax"))
    agreed_macs(network, SIZE)
    assert network.training
    assert not any(getattr(module, "plain_path", False) for module in network.modules())


@pytest.mark.parametrize(
    ("function", "message"),
    [
        (
            # fvcore has no rule for tensordot, 24 x 24 outputs of 8 products each
            lambda x: torch.tensordot(x[0], x[0], dims=([0], [0])),
            "do not agree on an LR input of 6x4: grla 9792, FlopCounterMode 9792, fvcore 5184",
        ),
        (lambda x: torch.einsum("abcd,abcd,abcd->a", x, x, x), "einsum 'abcd,abcd,abcd->a' must be a product of two"),
    ],
)
def test_a_count_that_others_do_not_find_is_refused(function: Callable[[Tensor], Tensor], message: str) -> None:
    with pytest.raises(InputError, match=message):
        agreed_macs(Applied(function), SIZE)


def test_a_network_that_needs_a_larger_input_gets_one_if_there_is_one() -> None:
    assert agreed_macs(nn.Conv2d(3, 1, 50), (180, 52)) == ((64, 52), 3 * 2500 * 15 * 3)
    with pytest.raises(RuntimeError, match="Kernel size can't be greater"):
        agreed_macs(nn.Conv2d(3, 1, 50), (180, 49))


@pytest.mark.parametrize(
    ("equation", "left", "right", "macs"),
    [
        ("ik,kj->ij", (2, 3), (3, 5), 30),
        ("ik , kj", (2, 3), (3, 5), 30),
        ("bik,bkj->bij", (7, 2, 3), (1, 3, 5), 210),
        ("...ik,kj->...ij", (7, 2, 3), (3, 5), 210),
        ("...ik,...kj", (7, 2, 3), (4, 7, 3, 5), 840),
        ("ij,ij->", (2, 3), (2, 3), 6),
        ("ij,ij->ij", (2, 3), (2, 3), 0),
        ("i,j->ij", (2,), (3,), 0),
        ("ijk,kl->il", (2, 9, 3), (3, 5), 30),
    ],
)
def test_einsums_multiply_adds(equation: str, left: tuple[int, ...], right: tuple[int, ...], macs: int) -> None:
    """By hand; a label in one tensor only, as j in the last, is summed before."""
    torch.einsum(equation, torch.zeros(left), torch.zeros(right))  # it is one that PyTorch takes
    assert einsum_macs(equation, left, right) == macs
