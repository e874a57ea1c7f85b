"""Local attribution maps on models whose answer is known."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from grla.analysis.attribution import (
    Target,
    attribution_map,
    blur_path,
    diffusion_index,
    edge_strength,
    gini,
    strength_map,
)
from grla.analysis.checkpoints import load_trained, model_label, picture
from grla.errors import InputError
from grla.spec import EdsrLiteSpec, KernelSpec, ModelSpec
from grla.training.checkpoint import save_checkpoint

TARGET = Target(top=12, left=16, size=4)


class Local(nn.Module):
    """Nearest upsampling by 2 and one 5x5 convolution: an SR pixel sees LR pixels at most 1 away, no others."""

    def __init__(self, global_share: float = 0.0) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.conv = nn.Conv2d(3, 3, 5, padding=2)
        self.global_share = global_share
        self.double()

    def forward(self, lr: Tensor) -> Tensor:
        # The mean of the image enters by the contrast, so that it changes differences between SR pixels.
        gain = 1 + self.global_share * lr.mean(dim=(1, 2, 3), keepdim=True)
        sr: Tensor = gain * self.conv(nn.functional.interpolate(lr, scale_factor=2, mode="nearest"))
        return sr


def random_lr() -> Tensor:
    return torch.rand(1, 3, 20, 24, generator=torch.Generator().manual_seed(1), dtype=torch.float64)


def test_attributions_lie_inside_the_receptive_field_and_nowhere_else() -> None:
    strengths = strength_map(attribution_map(Local(), random_lr(), TARGET, steps=5))
    # SR rows 12 to 16 (the detector looks a pixel further) through 5x5: SR rows 10 to 18, LR rows 5 to 9.
    inside = torch.zeros(20, 24, dtype=torch.bool)
    inside[5:10, 7:12] = True
    inside[9, 11] = False  # of the corner pixel neither difference is taken
    assert (strengths[~inside] == 0).all()
    assert (strengths[inside] > 0).all()


def test_a_model_that_looks_everywhere_is_more_diffuse() -> None:
    local, everywhere = (
        diffusion_index(strength_map(attribution_map(Local(share), random_lr(), TARGET, steps=5))) for share in (0, 100)
    )
    assert local < 100 * 25 / 480  # at most what 25 equal pixels of 480 would have
    assert everywhere > 3 * local


def test_attributions_are_complete_and_more_so_with_more_steps() -> None:
    model, lr = Local(1.0), random_lr()
    path = blur_path(lr, 1, sigma=1.2)
    change = float((edge_strength(model(path[-1]), TARGET) - edge_strength(model(path[0]), TARGET)).detach())
    errors = [abs(float(attribution_map(model, lr, TARGET, steps).sum()) - change) for steps in (2, 8, 32)]
    assert errors[0] > errors[1] > errors[2]
    assert errors[2] < 0.01 * abs(change)


def test_the_path_goes_from_blurred_to_sharp() -> None:
    lr = random_lr()
    path = blur_path(lr, 4, sigma=2.0)
    assert len(path) == 5
    assert torch.equal(path[-1], lr)
    deviations = [float(image.std()) for image in path]
    assert deviations == sorted(deviations)
    flat = blur_path(torch.full((1, 3, 8, 8), 0.25), 2, sigma=2.0)
    assert all(torch.allclose(image, torch.tensor(0.25)) for image in flat)


def test_edge_strength_by_hand() -> None:
    sr = torch.tensor([[0.0, 3.0, 3.0], [4.0, 0.0, 3.0], [0.0, 0.0, 9.0]], dtype=torch.float64)[None, None]
    # (0, 0): dx 3, dy 4: 5. (0, 1): dx 0, dy -3: 3. (1, 0): dx -4, dy -4. (1, 1): dx 3, dy 0: 3.
    assert float(edge_strength(sr, Target(0, 0, 2))) == pytest.approx(11 + math.sqrt(32))
    flat = torch.ones(1, 3, 4, 4, requires_grad=True)
    (gradient,) = torch.autograd.grad(edge_strength(flat, Target(0, 0, 2)), flat)
    assert (gradient == 0).all()


@pytest.mark.parametrize("target", [Target(-1, 0, 2), Target(0, 0, 4), Target(2, 0, 2), Target(0, 0, 0)])
def test_a_target_outside_is_refused(target: Target) -> None:
    with pytest.raises(InputError, match="must lie inside the 4x4 SR image"):
        edge_strength(torch.zeros(1, 3, 4, 4), target)


@pytest.mark.parametrize(("steps", "sigma", "name"), [(0, 1.2, "steps"), (5, 0.0, "sigma")])
def test_bad_paths_are_refused(steps: int, sigma: float, name: str) -> None:
    with pytest.raises(InputError, match=name):
        blur_path(torch.zeros(1, 3, 4, 4), steps, sigma)


@pytest.mark.parametrize(
    ("values", "expected"),
    [([2, 2, 2], 0), ([0, 0, 0, 5], 0.75), ([1, 3], 0.25), ([3, 1], 0.25), ([1, 2, 3], 2 / 9), ([7], 0)],
)
def test_gini_by_hand(values: list[float], expected: float) -> None:
    assert gini(values) == pytest.approx(expected)
    assert gini(np.array(values) * 10) == pytest.approx(expected)  # of shares, not of amounts
    assert diffusion_index(values) == pytest.approx(100 * (1 - expected))


def test_gini_of_nothing() -> None:
    assert math.isnan(gini([0, 0]))
    for values in ([], [-1.0, 2.0]):
        with pytest.raises(InputError, match="gini"):
            gini(values)


def test_labels_of_networks() -> None:
    assert model_label(ModelSpec(kernel=KernelSpec("gaussian_rbf", {"gamma": 0.25}))) == "gaussian_rbf(gamma=0.25)"
    assert model_label(ModelSpec(layers=("window",))) == "windows only"
    assert "EdsrLite" in model_label(EdsrLiteSpec())


def test_the_default_picture_is_colour() -> None:
    pair = picture(None, 4)
    assert pair.hr.shape == (4 * pair.lr.shape[0], 4 * pair.lr.shape[1], 3)


def test_a_checkpoint_without_a_spec_is_refused(tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "bare.pt", {"model": {}})
    with pytest.raises(InputError, match="must be one that a study wrote"):
        load_trained(tmp_path / "bare.pt")
