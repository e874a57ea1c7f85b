from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from grla.data import image_pair
from grla.errors import InputError
from grla.evaluation import bicubic_upscaler, evaluate, mean_score, network_upscaler
from grla.metrics import psnr_y


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


class Repeat(nn.Module):
    """Nearest neighbour plus a constant, in [0, 1]."""

    def __init__(self, shift: float = 0.0) -> None:
        super().__init__()
        self.norm = nn.BatchNorm2d(3)
        self.shift = shift

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        return lr.repeat_interleave(2, 2).repeat_interleave(2, 3) + self.shift


def test_a_network_sees_unit_range_and_answers_in_bytes() -> None:
    lr = noise(5, 6, 3)
    expected = lr.repeat(2, 0).repeat(2, 1)
    assert np.array_equal(network_upscaler(Repeat(), 2)(lr), expected)
    brighter = network_upscaler(Repeat(shift=0.6 / 255), 2)(lr)  # rounds up, and clamps at white
    assert np.array_equal(brighter, np.minimum(expected.astype(int) + 1, 255))


def test_a_gray_image_stays_gray() -> None:
    lr = noise(5, 6)
    assert np.array_equal(network_upscaler(Repeat(), 2)(lr), lr.repeat(2, 0).repeat(2, 1))


def test_the_mode_of_the_model_comes_back() -> None:
    model = Repeat().train()
    network_upscaler(model, 2)(noise(4, 4, 3))
    assert model.training
    assert model.norm.training


def test_a_wrong_output_size_is_named() -> None:
    with pytest.raises(InputError, match=r"must map \(1, 3, 4, 5\) to \(1, 3, 12, 15\), got \(1, 3, 8, 10\)"):
        network_upscaler(Repeat(), 3)(noise(4, 5, 3))


def test_rows_are_per_image_by_the_protocol() -> None:
    pairs = [image_pair("set", name, noise(40, 44, 3) // divisor, 2) for name, divisor in (("a", 1), ("b", 2))]
    scores, outputs = evaluate(bicubic_upscaler(2), pairs, border=2)
    assert [(score.test_set, score.image) for score in scores] == [("set", "a"), ("set", "b")]
    assert scores[1].psnr_y == psnr_y(outputs[1], pairs[1].hr, 2)
    perfect, _ = evaluate(lambda _: pairs[0].hr, pairs[:1], border=2)
    assert (perfect[0].psnr_y, perfect[0].ssim_y) == (None, None)
    assert mean_score([*scores, *perfect], "psnr_y") == mean_score(scores, "psnr_y")
    assert mean_score(perfect, "psnr_y") is None


class Elsewhere(nn.Module):
    """A network on a device that is not the CPU, here the meta device, which cannot be copied from."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.zeros(1, device="meta"))
        self.seen: list[tuple[str, tuple[int, ...]]] = []

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        self.seen.append((lr.device.type, tuple(lr.shape[2:])))
        return torch.zeros(1, 3, 2 * lr.shape[2], 2 * lr.shape[3])


def test_of_a_picture_in_tiles_only_a_tile_is_on_the_device() -> None:
    network = Elsewhere()
    sr = network_upscaler(network, 2, tile=4)(np.zeros((8, 8, 3), np.uint8))
    assert sr.shape == (16, 16, 3)
    assert network.seen == [("meta", (4, 4))] * 4
