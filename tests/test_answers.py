"""What networks from outside answer: named where it does not fit, and asked in their own way where they differ."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from grla.answers import Conventions, ask
from grla.errors import ModelError, NotFinite
from grla.evaluation import network_upscaler
from grla.metrics import luma


class Answers(nn.Module):
    """Nearest neighbour x2, changed by a function."""

    def __init__(self, change: Callable[[Tensor], Any], dtype: torch.dtype = torch.float32) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones((), dtype=dtype))
        self.change = change

    def forward(self, lr: Tensor) -> Any:
        assert lr.dtype == self.scale.dtype
        return self.change(lr.repeat_interleave(2, 2).repeat_interleave(2, 3))


LR = torch.rand(1, 3, 4, 6, generator=torch.Generator().manual_seed(0))
EXPECTED = LR.repeat_interleave(2, 2).repeat_interleave(2, 3)


def fail(sr: Tensor) -> Tensor:
    raise IndexError("no such patch")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda sr: (sr, sr), r"\(1, 3, 8, 12\), got a tuple of 2; wrap it in a factory whose .* with --output-key$"),
        (lambda sr: [sr], "got a list of 1; wrap it"),
        (lambda sr: {"sr": sr, "aux": 1}, "got a dict with the keys 'sr', 'aux'; wrap it"),
        (lambda sr: None, "got None$"),
        (
            lambda sr: sr[:, :1],
            r"got \(1, 1, 8, 12\); wrap a network of luma in a factory .* --luma-only in",
        ),
        (lambda sr: sr.repeat(1, 1, 2, 2), r"got \(1, 3, 16, 24\); it enlarges x4: ask for that factor"),
        (lambda sr: sr[..., 1:-1, 1:-1], r"got \(1, 3, 6, 10\); it must pad sizes that do not suit it, and crop"),
        (
            lambda sr: (sr * 255).byte(),
            r"in floating point, got torch\.uint8; wrap it in .* --value-range 255",
        ),
        (lambda sr: sr > 0, r"in floating point, got torch\.bool; wrap it in .* floating point in \[0, 1\]$"),
        (fail, r"failed on an input of shape \(1, 3, 4, 6\) \(IndexError: no such patch\); it must take any size"),
    ],
)
def test_an_answer_that_does_not_fit_is_named_with_the_remedy(change: Callable[[Tensor], Any], message: str) -> None:
    with pytest.raises(ModelError, match=message):
        ask(Answers(change), LR, 2)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_an_answer_that_is_not_finite_is_no_picture(value: float) -> None:
    def spoilt(sr: Tensor) -> Tensor:
        sr[0, 1, 2, 3] = value
        return sr

    with pytest.raises(NotFinite, match="1 values of 288 that are NaN or infinite"):
        ask(Answers(spoilt), LR, 2)
    lr = np.zeros((5, 5, 3), np.uint8)
    with pytest.raises(NotFinite):
        network_upscaler(Answers(spoilt), 2, tile=4)(lr)


def test_lack_of_memory_is_not_taken_for_a_fault_of_the_network() -> None:
    def greedy(sr: Tensor) -> Tensor:
        raise MemoryError

    with pytest.raises(MemoryError):
        ask(Answers(greedy), LR, 2)


def test_a_network_that_differs_is_asked_in_its_own_way() -> None:
    def ranged(sr: Tensor) -> Tensor:
        assert sr.max() > 1
        return sr

    assert torch.allclose(ask(Answers(ranged), LR, 2, Conventions(value_range=255)), EXPECTED)
    for change, key in ((lambda sr: {"sr": sr}, "sr"), (lambda sr: (0, sr), "1"), (lambda sr: [0, sr], "-1")):
        assert torch.equal(ask(Answers(change), LR, 2, Conventions(output_key=key)), EXPECTED)
    with pytest.raises(ModelError, match=r"output_key must name a part of the model's answer, a tuple of 2, got '2'"):
        ask(Answers(lambda sr: (sr, sr)), LR, 2, Conventions(output_key="2"))
    with pytest.raises(ModelError, match=r"output_key must be left out where the model's answer is a tensor, got '0'"):
        ask(Answers(lambda sr: sr), LR, 2, Conventions(output_key="0"))
    half = ask(Answers(lambda sr: sr, torch.float16), LR, 2)
    assert half.dtype == torch.float32
    assert torch.allclose(half, EXPECTED, atol=1e-3)


def test_a_network_of_luma_gives_luma_and_colours_are_bicubic() -> None:
    def one_channel(sr: Tensor) -> Tensor:
        assert sr.shape[1] == 1
        return sr + 3 / 255

    lr = np.random.default_rng(0).integers(60, 200, (6, 5, 3), dtype=np.uint8)
    for tile in (None, 4):
        upscaler = network_upscaler(Answers(one_channel), 2, tile, conventions=Conventions(luma_only=True))
        found = luma(upscaler(lr))
        assert np.abs(found - (luma(lr).repeat(2, 0).repeat(2, 1) + 3)).max() < 1
    gray = np.full((4, 4), 100, np.uint8)
    assert np.array_equal(upscaler(gray), np.full((8, 8), 103, np.uint8))  # 3 / 219 of 255, rounded
