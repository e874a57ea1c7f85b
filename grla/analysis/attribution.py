"""Local attribution maps: which LR pixels one patch of the SR image depends on (GRLA figure 2).

Gu and Dong 2021, "Interpreting Super-Resolution Networks with Local Attribution Maps": integrated gradients of an edge
detector on the patch, along a path from a blurred LR image to the sharp one.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from numpy.typing import ArrayLike
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from grla.errors import require, require_at_least


@dataclass(frozen=True)
class Target:
    """The patch to explain: `size` x `size` pixels of the SR image from row `top` and column `left`."""

    top: int
    left: int
    size: int


def attribution_map(model: nn.Module, lr: Tensor, target: Target, steps: int = 50, sigma: float = 1.2) -> Tensor:
    """Signed attributions (channels, height, width) of the patch's edge strength to each value of `lr`.

    `lr` is (1, channels, height, width) in [0, 1]; `model` maps it to the SR image and should be in evaluation mode.
    Each step of `blur_path` adds its change of the image times the gradient at its middle, so that the sum over all
    pixels tends to the edge strength at `lr` less that at the most blurred image. `steps` = 50 and `sigma` = 1.2 LR
    pixels are the authors' (their gradient is taken at the sharper end of a step). Raises InputError when the patch
    does not lie inside the SR image.
    """
    path = blur_path(lr, steps, sigma)
    total = torch.zeros_like(lr)
    for start, end in pairwise(path):
        middle = ((start + end) / 2).requires_grad_()
        (gradient,) = torch.autograd.grad(edge_strength(model(middle), target), middle)
        total += gradient * (end - start)
    return total[0]


def blur_path(lr: Tensor, steps: int, sigma: float) -> list[Tensor]:
    """`steps` + 1 images like `lr` (1, channels, height, width), blurred by sigma, ..., 0 LR pixels in equal steps.

    Gaussian blur of radius ceil(3 sigma), 4 for the authors' 9 x 9 filter; borders are mirrored.
    """
    require_at_least("steps", steps, 1)
    require(sigma > 0, "sigma", "must be above 0", sigma)
    pixels, radius = lr.detach().cpu().numpy(), math.ceil(3 * sigma)
    widths = np.linspace(sigma, 0, steps + 1)
    images = (gaussian_filter(pixels, (0, 0, s, s), mode="mirror", radius=(0, 0, radius, radius)) for s in widths)
    return [torch.from_numpy(image).to(lr) for image in images]


def edge_strength(sr: Tensor, target: Target) -> Tensor:
    """Sum over the patch and channels of sqrt(dx^2 + dy^2), dx and dy the differences to the right and below.

    `sr` is (1, channels, height, width); the patch and a pixel to its right and below must lie inside it, else
    InputError. The gradient where dx = dy = 0 is 0.
    """
    height, width = sr.shape[-2:]
    top, left, size = target.top, target.left, target.size
    inside = size >= 1 and min(top, left) >= 0 and top + size < height and left + size < width
    rule = f"must lie inside the {width}x{height} SR image, one pixel from its end"
    require(inside, "the patch at `top`, `left` of `size`", rule, (top, left, size))
    patch = sr[..., top : top + size + 1, left : left + size + 1]
    dx = patch[..., :-1, 1:] - patch[..., :-1, :-1]
    dy = patch[..., 1:, :-1] - patch[..., :-1, :-1]
    return (dx.square() + dy.square() + 1e-12).sqrt().sum()


def strength_map(attributions: Tensor) -> Tensor:
    """|sum over channels| of (channels, height, width), as the authors draw and measure it: (height, width)."""
    return attributions.sum(0).abs()


def gini(values: ArrayLike) -> float:
    """Gini coefficient of n nonnegative values: 0 if all are equal, 1 - 1 / n if one has all; NaN if all are 0."""
    ordered = np.sort(np.asarray(values, dtype=np.float64), axis=None)
    require(ordered.size > 0 and ordered[0] >= 0, "gini: values", "must be at least one and none negative", ordered[:1])
    n, total = ordered.size, ordered.sum()
    ranks = 2 * np.arange(1, n + 1) - n - 1
    return float(ranks @ ordered / (n * total)) if total > 0 else math.nan


def diffusion_index(strengths: ArrayLike) -> float:
    """DI = (1 - Gini) * 100 of a `strength_map`: 100 if every LR pixel contributes alike, near 0 if only a few do.

    It depends on the size of the LR image, so compare it between networks on the same picture and patch only.
    """
    return (1 - gini(strengths)) * 100
