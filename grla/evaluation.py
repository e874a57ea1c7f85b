"""Model and test images in, one row per image out."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from grla.answers import OURS, Conventions, ask
from grla.cost import device_of
from grla.data import ImagePair, imresize
from grla.errors import ModelError
from grla.metrics import LUMA_RANGE, OFFSET, RGB_WEIGHTS, psnr_y, ssim_y
from grla.study import ImageScore
from grla.tiling import run_in_tiles

Image = NDArray[np.uint8]
Upscaler = Callable[[Image], Image]
"""Any way to enlarge one image: LR (height, width[, 3]) to SR (upscale * height, upscale * width[, 3]), both uint8."""
Bands = Callable[[Image], Iterator[Image]]
"""The same a band of rows at a time, from the top down, for what is too large to be held as a whole."""


def bicubic_upscaler(upscale: int) -> Upscaler:
    """The baseline: MATLAB's bicubic enlargement."""
    return lambda lr: imresize(lr, upscale)


def network_upscaler(
    model: nn.Module, upscale: int, tile: int | None = None, conventions: Conventions = OURS
) -> Upscaler:
    """Run `model` as `network_bands` does, and return the whole image."""
    bands = network_bands(model, upscale, tile, conventions=conventions)
    return lambda lr: np.concatenate(list(bands(lr)))


def network_bands(
    model: nn.Module,
    upscale: int,
    tile: int | None = None,
    overlap: int = 0,
    progress: Callable[[float], object] = lambda pixels: None,
    conventions: Conventions = OURS,
) -> Bands:
    """Run `model` ((1, 3, h, w) in [0, 1] to (1, 3, upscale * h, upscale * w)) in eval mode on its own device.

    Outputs are clamped and rounded to uint8. A gray image is passed as three equal channels, and the output's channels
    are averaged. With `tile` the network sees squares of that many LR pixels and `overlap` around them, a row of which
    is a band, and `progress` is called after each, see `grla.tiling`; without, and with `luma_only`, the whole image is
    one band. Raises ModelError as `grla.answers.ask` does.
    """
    device = device_of(model)

    def run(lr: Tensor, finished: Callable[[Tensor], Tensor]) -> Iterator[Tensor]:
        def answer(seen: Tensor) -> Tensor:
            """Only what the network sees is on a GPU, which may have less memory than the whole picture needs."""
            return finished(ask(model, seen.to(device), upscale, conventions).cpu())

        if tile is None:
            yield answer(lr)
        else:
            yield from run_in_tiles(answer, lr, upscale, tile, overlap, progress)

    @torch.inference_mode()
    def bands(lr: Image) -> Iterator[Image]:
        rgb, to_bytes = (lr, _bytes) if lr.ndim == 3 else (np.stack([lr] * 3, axis=-1), _gray_bytes)
        was_training = model.training
        model.eval()
        try:
            for sr in luma(rgb, to_bytes) if conventions.luma_only else run(_batch(rgb), to_bytes):
                yield np.asarray((sr[0].permute(1, 2, 0) if lr.ndim == 3 else sr[0, 0]).numpy())
        finally:
            model.train(was_training)

    def luma(rgb: Image, to_bytes: Callable[[Tensor], Tensor]) -> Iterator[Tensor]:
        bicubic = _batch(imresize(rgb, upscale))
        change = torch.cat([*run(_luma(_batch(rgb)), lambda y: y)], dim=2) - _luma(bicubic)
        yield to_bytes(bicubic + change * 255 / LUMA_RANGE)

    return bands


def _batch(rgb: Image) -> Tensor:
    """(1, 3, height, width) in [0, 1]."""
    return torch.from_numpy(rgb).permute(2, 0, 1)[None].float() / 255


def _bytes(sr: Tensor) -> Tensor:
    """[0, 1] as uint8: a tile at a time, as a whole picture in float32 takes four times the memory."""
    return (sr.clamp(0, 1) * 255).round().to(torch.uint8)


def _gray_bytes(sr: Tensor) -> Tensor:
    return (sr.clamp(0, 1) * 255).mean(1, keepdim=True).round().to(torch.uint8)


def _luma(rgb: Tensor) -> Tensor:
    """Y (batch, 1, height, width), with 255 at 1, of RGB (batch, 3, height, width) in [0, 1].

    A change of Y alone moves R, G and B by equal amounts, as chroma is made of their differences.
    """
    weights = torch.tensor(RGB_WEIGHTS, dtype=rgb.dtype)
    return ((weights[:, None, None] * rgb).sum(1, keepdim=True) * 255 + OFFSET) / 255


def evaluate(upscaler: Upscaler, pairs: Iterable[ImagePair], border: int) -> tuple[list[ImageScore], list[Image]]:
    """Score every pair, `border` pixels (the upscale factor) cropped on each side; also return the SR images.

    A ModelError says which image it is about.
    """
    scores, outputs = [], []
    for pair in pairs:
        try:
            sr = upscaler(pair.lr)
        except ModelError as error:
            raise type(error)(f"image {pair.test_set}/{pair.name}: {error}") from error
        scores.append(score(pair, sr, border))
        outputs.append(sr)
    return scores, outputs


def score(pair: ImagePair, sr: Image, border: int) -> ImageScore:
    """The scores of `sr` against the pair's HR; a pair with a mask is scored on the masked pixels, border included."""
    if pair.mask is None:
        psnr = _finite(psnr_y(sr, pair.hr, border))
        return ImageScore(pair.test_set, pair.name, psnr, None if psnr is None else ssim_y(sr, pair.hr, border))
    mask, hr = pair.mask, pair.hr
    mse = float(np.mean((sr[mask] / 255 - hr[mask] / 255) ** 2))
    inside, outside = (_finite(psnr_y(sr[where][None], hr[where][None], border=0)) for where in (mask, ~mask))
    return ImageScore(pair.test_set, pair.name, inside, None, mse, outside)


def mean_score(scores: Iterable[ImageScore], metric: str) -> float | None:
    """The mean of a metric over the images that have it; None where none has."""
    values = [value for score in scores if (value := getattr(score, metric)) is not None]
    return float(np.mean(values)) if values else None


def _finite(psnr: float) -> float | None:
    """None for equal images."""
    return psnr if math.isfinite(psnr) else None
