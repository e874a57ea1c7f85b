"""Where a network trained on the recall probe looks: the attention weights of one query in each global layer."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from grla.analysis.checkpoints import to_batch
from grla.analysis.tokens import attention_inputs
from grla.data import RecallSampler
from grla.errors import require
from grla.spec import RecallSpec, RunSpec


@dataclass(frozen=True)
class Scene:
    """An image of the probe: `lr` uint8 (p, p, 3), the `query` (row, column), and where the answer is.

    The query is the first LR pixel of a blanked value; `answers` (p, p) is True on the intact copies of its pair, which
    have the same key: on key and value, as convolutions carry each into the other's pixels.
    """

    lr: NDArray[np.uint8]
    query: tuple[int, int]
    answers: NDArray[np.bool_]


@dataclass(frozen=True)
class WeightMap:
    """One layer's attention weights of the query over all LR pixels, (p, p), mean over heads.

    `found` is their sum over the answers: 1 if the query looks at nothing else.
    """

    layer: str
    weights: NDArray[np.float64]
    found: float


def recall_scene(spec: RunSpec, pairs: int, index: int) -> Scene:
    """Test image `index` with `pairs` distinct pairs of the probe that a run was trained on.

    Raises InputError when the run was not of the recall probe with flat glyphs, or has no images with so many pairs.
    """
    data = spec.data
    flat = isinstance(data, RecallSpec) and data.texture == 0
    require(flat, "the checkpoint", "must be of the recall probe with flat glyphs", type(data).__name__)
    assert isinstance(data, RecallSpec)
    require(pairs in data.num_pairs, "pairs", f"must be one of {data.num_pairs}", pairs)
    drawn = RecallSampler.of(data, spec.model.upscale).draw("test", data.stream, 0, index + 1, pairs)
    lr, missing = drawn.lr[index], drawn.mask[index, :: spec.model.upscale, :: spec.model.upscale]
    row, column = np.argwhere(missing)[0]
    keys = lr[:, np.arange(lr.shape[1]) // (2 * data.glyph) * 2 * data.glyph]  # each pixel's cell's key
    cell = (np.arange(lr.shape[1]) // (2 * data.glyph) + 1) * 2 * data.glyph - 1  # the last pixel of each pixel's cell
    intact = ~missing[:, cell]
    return Scene(lr, (int(row), int(column)), (keys == keys[row, column]).all(-1) & intact)


@torch.inference_mode()
def weight_maps(network: nn.Module, scene: Scene) -> list[WeightMap]:
    """The query's weights in each global layer of `network`, in its order; InputError if it has none."""
    side = scene.lr.shape[1]
    token = scene.query[0] * side + scene.query[1]
    maps = []
    for index, (kernel, (q, k, _)) in enumerate(attention_inputs(network, to_batch(scene.lr)), start=1):
        weights = kernel.weights(q, k)[0, :, token].mean(0).view(-1, side).double().numpy()
        maps.append(WeightMap(f"layer {index}", weights, float(weights[scene.answers].sum())))
    return maps
