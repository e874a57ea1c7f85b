"""What trained networks do when something is changed: causal evidence, where attention maps only describe weights.

Two interventions. A value that an image shows is swapped for another: where does the output follow? And the weights of
a trained layer are replaced by uniform ones of the same sum when the network is tested: what does that cost in dB?
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from grla.analysis.checkpoints import to_batch
from grla.analysis.probe_tests import recall_scenes
from grla.analysis.score import scores_on
from grla.attention import GlobalAttention
from grla.data import ImagePair
from grla.errors import require

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Swap:
    """An image of the recall probe with flat glyphs in which one key's value is another at all its intact copies.

    `changed` is its LR, uint8 (p, p, 3); `change` (3,) is by how much the value changed, on [0, 1]; `own` and `others`
    (upscale * p, upscale * p) are True on the blanked copies of that key, and of all others.
    """

    changed: Pixels
    change: NDArray[np.float64]
    own: NDArray[np.bool_]
    others: NDArray[np.bool_]


@dataclass(frozen=True)
class Response:
    """How far the output follows a swapped value: 1 if it changes as much as the value did, 0 if not at all.

    `own` is that at the blanked copies of the swapped key, where recall gives 1, `others` that at the blanked copies of
    other keys, where recall gives 0. Averaging over n equally frequent keys gives 1 / n at both.
    """

    test_set: str
    image: str
    own: float
    others: float


def swaps(pair: ImagePair, glyph: int, seed: int) -> Iterator[Swap]:
    """For each key with blanked copies in an image, that image with the key's value swapped for a random one."""
    assert pair.mask is not None
    upscale = pair.hr.shape[0] // pair.lr.shape[0]
    random = np.random.default_rng([seed, *pair.name.encode()])
    for scene in recall_scenes(pair, glyph):
        new = random.integers(0, 256, 3, dtype=np.uint8)
        new[2] |= 1  # as all glyphs of the test
        changed = pair.lr.copy()
        changed[scene.values] = new
        # Of a key that stands with two values, the later in reading order counts.
        change = (new.astype(float) - pair.lr[scene.values][-1]) / 255
        own = scene.queries.repeat(upscale, 0).repeat(upscale, 1)
        yield Swap(changed, change, own, pair.mask & ~own)


@torch.inference_mode()
def respond(network: nn.Module, pair: ImagePair, glyph: int, seed: int = 0) -> Response:
    """The mean response of `network`, in evaluation mode, over the keys of an image."""
    swapped = list(swaps(pair, glyph, seed))
    batch = torch.cat([to_batch(lr) for lr in (pair.lr, *(swap.changed for swap in swapped))])
    before, *after = network(batch).double().numpy()
    own, others = [], []
    for swap, changed in zip(swapped, after, strict=True):
        along = np.tensordot(swap.change, changed - before, axes=1) / (swap.change**2).sum()
        own.append(along[swap.own].mean())
        if swap.others.any():
            others.append(along[swap.others].mean())
    return Response(pair.test_set, pair.name, float(np.mean(own)), float(np.mean(others)) if others else np.nan)


def global_layers(network: nn.Module) -> dict[str, GlobalAttention]:
    """The global attention layers of a network, "layer 1", "layer 2", ... in its order; InputError if it has none."""
    # WindowAttention derives from GlobalAttention, but its tokens are those of one window.
    found = [module for module in network.modules() if type(module) is GlobalAttention]
    require(len(found) > 0, "the network", "must have a global attention layer", type(network).__name__)
    return {f"layer {index}": layer for index, layer in enumerate(found, start=1)}


@contextmanager
def uniform_weights(layers: Sequence[GlobalAttention]) -> Iterator[None]:
    """Inside, the weights of every query in each of these layers are uniform and add up to what they did.

    What is left is the mean of all values, times that sum.
    """

    def averaged(kernel: nn.Module, inputs: tuple[Tensor, Tensor, Tensor], out: Tensor) -> Tensor:
        q, k, v = inputs
        sums: Tensor = kernel.forward(q, k, torch.ones_like(v))  # not by calling the kernel, which would come here
        return sums * v.mean(-2, keepdim=True)

    with ExitStack() as stack:
        for layer in layers:
            stack.callback(layer.kernel.register_forward_hook(averaged).remove)
        yield


def losses_without(network: nn.Module, pairs: list[ImagePair], upscale: int) -> dict[str, list[float]]:
    """By layer, and for "all layers", the dB of PSNR-Y that each image loses when its weights are uniform."""
    layers = global_layers(network)
    whole = scores_on(network, pairs, upscale)
    found = {}
    for name, replaced in {
        **{name: [layer] for name, layer in layers.items()},
        "all layers": [*layers.values()],
    }.items():
        with uniform_weights(replaced):
            without = scores_on(network, pairs, upscale)
        found[name] = [before - after for before, after in zip(whole, without, strict=True)]
    return found
