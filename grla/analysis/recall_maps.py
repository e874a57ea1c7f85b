"""Where networks trained on the recall probe look: the attention weights of blanked pixels in each global layer."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from grla.analysis.checkpoints import to_batch
from grla.analysis.tokens import attention_inputs
from grla.data import ImagePair

Mask = NDArray[np.bool_]
Weights = NDArray[np.float64]


@dataclass(frozen=True)
class Scene:
    """One key of an image of the recall probe with flat glyphs: where it asks and where the answer stands.

    Of the LR image, (p, p): `queries` is True on the blanked values of that key, `answers` on its intact copies, on key
    and value, as convolutions carry each into the other's pixels.
    """

    queries: Mask
    answers: Mask


@dataclass(frozen=True)
class Look:
    """Where the queries of a scene look, by one layer: means over queries and heads.

    `weights` is the map over LR pixels, (p, p). `signed` is the sum of the weights on the answers, 1 if nothing else is
    looked at; `absolute` is their share of the absolute weights, which negative weights elsewhere cannot hide. An even
    look has the answers' share of the image in both. NaN where all weights are zero.
    """

    weights: Weights
    signed: float
    absolute: float


def recall_scenes(pair: ImagePair, glyph: int) -> Iterator[Scene]:
    """The scenes of a test image of the probe, one for each key that has blanked copies."""
    assert pair.mask is not None
    upscale, side = pair.hr.shape[0] // pair.lr.shape[0], pair.lr.shape[1]
    missing = pair.mask[::upscale, ::upscale]
    first = np.arange(side) // (2 * glyph) * 2 * glyph  # the column of each pixel's cell's key
    keys, blanked = pair.lr[:, first], missing[:, first + glyph]
    for key in np.unique(keys[missing], axis=0):
        mine = (keys == key).all(-1)
        yield Scene(mine & missing, mine & ~blanked)


def layer_weights(network: nn.Module, lr: NDArray[np.uint8]) -> dict[str, Weights]:
    """By layer, in the network's order, its attention weights on `lr`: (heads, tokens, tokens), queries first.

    Raises InputError for a network without global attention.
    """
    inputs = attention_inputs(network, to_batch(lr))
    with torch.inference_mode():
        found = [kernel.weights(q, k)[0].double().numpy() for kernel, (q, k, _) in inputs]
    return {f"layer {index}": weights for index, weights in enumerate(found, start=1)}


def look(weights: Weights, scene: Scene) -> Look:
    """Where the queries of `scene` look by these `weights`, (heads, tokens, tokens)."""
    mine = weights[:, scene.queries.ravel()]
    on = mine[:, :, scene.answers.ravel()]
    total = np.abs(mine).sum(-1)
    shares = np.abs(on).sum(-1) / np.where(total > 0, total, np.nan)
    return Look(mine.mean((0, 1)).reshape(scene.queries.shape), float(on.sum(-1).mean()), float(shares.mean()))
