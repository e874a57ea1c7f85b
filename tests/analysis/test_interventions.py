"""Interventions on networks whose answers are known: one that matches keys, one that averages, one that is blind."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from grla.analysis.interventions import global_layers, losses_without, respond, swaps, uniform_weights
from grla.attention.interface import weigh
from grla.data import ImagePair, RecallSampler
from grla.errors import InputError
from grla.model import build_seeded
from grla.spec import EdsrLiteSpec, KernelSpec, ModelSpec

SAMPLER = RecallSampler(num_pairs=(2, 4), side=16, glyph=2, texture=0.0, band=0, upscale=2)
TINY = {"upscale": 2, "dim": 8, "depth": 1, "layers": ("global",)}


class Oracle(nn.Module):
    """Restores blanked values from the LR image: those of the same key, the mean of all of them, or none."""

    def __init__(self, how: str) -> None:
        super().__init__()
        self.how = how

    def forward(self, lr: Tensor) -> Tensor:
        return torch.cat([self.restored(image) for image in lr.split(1)])

    def restored(self, lr: Tensor) -> Tensor:
        sr = lr.repeat_interleave(2, 2).repeat_interleave(2, 3)
        grid = lr[0].unfold(1, 2, 2).unfold(2, 4, 4).permute(1, 2, 3, 4, 0)  # rows, columns, 2, 4, 3
        keys, values = grid[:, :, 0, 0], grid[:, :, 0, 2]
        blanked = (values == 128 / 255).all(-1)
        for row, column in blanked.nonzero().tolist():
            same = (keys == keys[row, column]).all(-1) & ~blanked
            value = {"match": values[same].mean(0), "average": values[~blanked].mean(0), "blind": torch.zeros(3)}[
                self.how
            ]
            sr[0, :, 4 * row : 4 * row + 4, 8 * column + 4 : 8 * column + 8] = value[:, None, None]
        return sr


@pytest.fixture
def pairs() -> list[ImagePair]:
    return SAMPLER.pairs("test", 3)


def test_a_swap_changes_the_intact_copies_of_one_key_and_nothing_else(pairs: list[ImagePair]) -> None:
    found = list(swaps(pairs[-1], 2, seed=0))
    assert len(found) == 4
    for swap in found:
        differs = (pairs[-1].lr != swap.changed).any(-1)
        assert differs.any()
        assert not differs[pairs[-1].mask[::2, ::2]].any()
        assert not (swap.own & swap.others).any()
        assert ((swap.own | swap.others) == pairs[-1].mask).all()
        colours = np.unique(swap.changed[differs], axis=0)
        assert len(colours) == 1
    again = list(swaps(pairs[-1], 2, seed=0))
    assert all((one.changed == other.changed).all() for one, other in zip(found, again, strict=True))


@pytest.mark.parametrize("index", [0, 3])  # an image with 2 pairs, and one with 4
def test_responses_of_known_networks(pairs: list[ImagePair], index: int) -> None:
    pair = pairs[index]
    matching, averaging, blind = (respond(Oracle(how), pair, 2) for how in ("match", "average", "blind"))
    assert (matching.own, matching.others) == pytest.approx((1, 0), abs=1e-6)
    share = 1 / int(pair.test_set.split()[0])
    assert (averaging.own, averaging.others) == pytest.approx((share, share), abs=1e-6)
    assert (blind.own, blind.others) == pytest.approx((0, 0), abs=1e-6)


def test_uniform_weights_make_any_kernel_the_one_that_averages() -> None:
    lr = torch.rand(1, 3, 6, 8, generator=torch.Generator().manual_seed(0))
    networks = {kernel: build_seeded(ModelSpec(**TINY, kernel=kernel), 0).eval() for kernel in ("softmax", "uniform")}
    with torch.inference_mode():
        before, wanted = networks["softmax"](lr), networks["uniform"](lr)
        with uniform_weights(list(global_layers(networks["softmax"]).values())):
            torch.testing.assert_close(networks["softmax"](lr), wanted)
        torch.testing.assert_close(networks["softmax"](lr), before)
    assert not torch.equal(before, wanted)


@pytest.mark.parametrize(
    "kernel", [KernelSpec("gaussian_rbf", {"gain": True}), *map(KernelSpec, ("mesa", "relu", "polaformer", "none"))]
)
def test_uniform_weights_of_a_query_add_up_to_what_its_weights_did(kernel: KernelSpec) -> None:
    layer = global_layers(build_seeded(ModelSpec(**TINY, kernel=kernel), 0).double().eval())["layer 1"]
    generator = torch.Generator().manual_seed(0)
    q, k, v = (torch.randn(1, 1, 30, 8, generator=generator, dtype=torch.float64) for _ in range(3))
    with torch.inference_mode():
        uniform = layer.kernel.weights(q, k).mean(-1, keepdim=True).expand(-1, -1, -1, 30)
        with uniform_weights([layer]):
            torch.testing.assert_close(layer.kernel(q, k, v), weigh(uniform, v))
        torch.testing.assert_close(layer.kernel(q, k, v), weigh(layer.kernel.weights(q, k), v))


def test_layers_are_replaced_one_by_one_and_together(pairs: list[ImagePair]) -> None:
    network = build_seeded(ModelSpec(**TINY, kernel="softmax"), 0).eval()
    found = losses_without(network, pairs, 2)
    assert list(found) == ["layer 1", "layer 2", "all layers"]
    assert all(len(losses) == len(pairs) for losses in found.values())
    assert any(loss != 0 for loss in found["all layers"])
    averaging = losses_without(build_seeded(ModelSpec(**TINY, kernel="uniform"), 0).eval(), pairs, 2)
    assert all(abs(loss) < 0.02 for losses in averaging.values() for loss in losses)  # nothing to lose but rounding


def test_a_network_without_global_attention_is_refused() -> None:
    with pytest.raises(InputError, match="must have a global attention layer, got 'EdsrLite'"):
        global_layers(build_seeded(EdsrLiteSpec(upscale=2, channels=4, blocks=1), 0))
