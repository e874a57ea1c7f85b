"""The test images of networks that were trained on the recall probe: those of their study, and of other kinds."""

from __future__ import annotations

from dataclasses import replace

from torch import nn

from grla.data import ImagePair, RecallSampler
from grla.errors import require
from grla.evaluation import evaluate, network_upscaler, score
from grla.spec import RecallSpec, RunSpec

IGNORING = "best guess that ignores keys"


def flat_probe(spec: RunSpec) -> RecallSpec:
    """The probe that a run was trained on; raises InputError unless it is the recall probe with flat glyphs."""
    flat = isinstance(spec.data, RecallSpec) and spec.data.texture == 0
    require(flat, "the checkpoint", "must be of the recall probe with flat glyphs", type(spec.data).__name__)
    assert isinstance(spec.data, RecallSpec)
    return spec.data


def probe_images(data: RecallSpec, upscale: int, number: int) -> list[ImagePair]:
    """`number` test images for each number of pairs."""
    return RecallSampler.of(data, upscale).pairs("test", number)


def other_tests(data: RecallSpec) -> dict[str, RecallSpec]:
    """By name the probe as it was trained, and tests that ask for more than training did.

    Those have images twice as wide and high, with the numbers of pairs of training and up to four times as many; or, of
    that size, with a quarter of the cells showing pairs that stand nowhere else; or with keys that stand with two
    values, of which the later in reading order counts.
    """
    side, most = 2 * data.patch_size, max(data.num_pairs)
    larger = replace(data, patch_size=side, test_size=0)
    return {
        f"{data.patch_size}x{data.patch_size}, as trained": data,
        f"{side}x{side}": replace(larger, test_pairs=(2 * most, 4 * most)),
        f"{side}x{side}, a quarter of cells unrelated": replace(larger, distractors=0.25),
        f"{side}x{side}, keys with an earlier value": replace(larger, overwritten=True),
    }


def scores_on(network: nn.Module, pairs: list[ImagePair], upscale: int) -> list[float]:
    """PSNR-Y in dB of each image, of the blanked pixels where there are any."""
    return [found.psnr_y for found in evaluate(network_upscaler(network, upscale), pairs, upscale)[0]]


def scores_ignoring_keys(data: RecallSpec, upscale: int, number: int) -> list[float]:
    """The same of the best guess that ignores keys, for the images of `probe_images`."""
    sampler = RecallSampler.of(data, upscale)
    answers = sampler.baselines("test", number)[IGNORING]
    pairs = sampler.pairs("test", number)
    return [score(pair, answer, upscale).psnr_y for pair, answer in zip(pairs, answers, strict=True)]
