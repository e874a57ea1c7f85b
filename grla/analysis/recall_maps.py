"""Where networks trained on the recall probe look: the attention weights of blanked pixels in each global layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from grla.analysis.checkpoints import to_batch
from grla.analysis.probe_tests import Scene
from grla.analysis.tokens import attention_inputs

Weights = NDArray[np.float64]


@dataclass(frozen=True)
class Look:
    """Where the queries of a scene look, by one layer: means over queries and heads.

    `weights` is the map over LR pixels, (p, p). `signed` is the sum of the weights on the answers, 1 if nothing else is
    looked at; `absolute` is their share of the absolute weights, which negative weights elsewhere cannot hide. An even
    look has the answers' share of the image in both. A query whose weights are all zero looks nowhere: 0.
    """

    weights: Weights
    signed: float
    absolute: float


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
    shares = np.abs(on).sum(-1) / np.where(total > 0, total, 1)
    return Look(mine.mean((0, 1)).reshape(scene.queries.shape), float(on.sum(-1).mean()), float(shares.mean()))
