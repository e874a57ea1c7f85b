"""Model and test images in, one row per image out."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from grla.data import ImagePair, imresize
from grla.errors import InputError
from grla.metrics import psnr_y, ssim_y
from grla.study import ImageScore
from grla.tiling import run_in_tiles

Image = NDArray[np.uint8]
Upscaler = Callable[[Image], Image]
"""Any way to enlarge one image: LR (height, width[, 3]) to SR (upscale * height, upscale * width[, 3]), both uint8."""


def bicubic_upscaler(upscale: int) -> Upscaler:
    """The baseline: MATLAB's bicubic enlargement."""
    return lambda lr: imresize(lr, upscale)


def network_upscaler(
    model: nn.Module,
    upscale: int,
    tile: int | None = None,
    overlap: int = 0,
    progress: Callable[[float], object] = lambda pixels: None,
) -> Upscaler:
    """Run `model` ((1, 3, h, w) in [0, 1] to (1, 3, upscale * h, upscale * w)) in eval mode on its own device.

    Outputs are clamped and rounded to uint8. A gray image is passed as three equal channels, and the output's channels
    are averaged. With `tile` the network sees squares of that many LR pixels and `overlap` around them, and
    `progress` is called after each, see `grla.tiling`. Raises InputError when the output has another shape.
    """
    parameter = next(model.parameters(), None)
    device = torch.device("cpu") if parameter is None else parameter.device

    def there(lr: Tensor) -> Tensor:
        sr: Tensor = model(lr.to(device))
        return sr

    def piece(lr: Tensor) -> Tensor:
        """The whole picture stays off the GPU, which may have less memory."""
        return there(lr).cpu()

    def upscaler(lr: Image) -> Image:
        rgb = lr if lr.ndim == 3 else np.stack([lr] * 3, axis=-1)
        batch = torch.from_numpy(rgb).permute(2, 0, 1)[None].float() / 255
        was_training = model.training
        model.eval()
        with torch.inference_mode():
            sr = there(batch) if tile is None else run_in_tiles(piece, batch, upscale, tile, overlap, progress)
        model.train(was_training)
        expected = (1, 3, upscale * lr.shape[0], upscale * lr.shape[1])
        if tuple(sr.shape) != expected:
            raise InputError(f"the model must map {tuple(batch.shape)} to {expected}, got {tuple(sr.shape)}")
        sr = sr[0].float().clamp(0, 1) * 255
        sr = sr.permute(1, 2, 0) if lr.ndim == 3 else sr.mean(0)
        return np.asarray(sr.round().to(torch.uint8).cpu().numpy())

    return upscaler


def evaluate(upscaler: Upscaler, pairs: Iterable[ImagePair], border: int) -> tuple[list[ImageScore], list[Image]]:
    """Score every pair, `border` pixels (the upscale factor) cropped on each side; also return the SR images."""
    scores, outputs = [], []
    for pair in pairs:
        sr = upscaler(pair.lr)
        scores.append(score(pair, sr, border))
        outputs.append(sr)
    return scores, outputs


def score(pair: ImagePair, sr: Image, border: int) -> ImageScore:
    """The scores of `sr` against the pair's HR; a pair with a mask is scored on the masked pixels, border included."""
    if pair.mask is None:
        return ImageScore(pair.test_set, pair.name, psnr_y(sr, pair.hr, border), ssim_y(sr, pair.hr, border))
    mask, hr = pair.mask, pair.hr
    mse = float(np.mean((sr[mask] / 255 - hr[mask] / 255) ** 2))
    inside, outside = (psnr_y(sr[where][None], hr[where][None], border=0) for where in (mask, ~mask))
    return ImageScore(pair.test_set, pair.name, inside, None, mse, outside)
