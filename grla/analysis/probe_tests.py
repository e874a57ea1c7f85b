"""The test images of networks that were trained on the recall probe: those of their study, and of other kinds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from grla.analysis.score import psnr_or_nan
from grla.data import IGNORING_KEYS, ImagePair, RecallSampler
from grla.errors import require
from grla.evaluation import score
from grla.spec import RecallSpec, RunSpec

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Scene:
    """One key of an image of the recall probe with flat glyphs: where it asks and where the answer stands.

    Of the LR image, (p, p): `queries` is True on the blanked values of that key, `answers` on its intact copies, on key
    and value, as convolutions carry each into the other's pixels; `values` on the values among them.
    """

    queries: Mask
    answers: Mask
    values: Mask


def flat_probe(spec: RunSpec) -> RecallSpec:
    """The probe that a run was trained on; raises InputError unless it is the recall probe with flat glyphs."""
    flat = isinstance(spec.data, RecallSpec) and spec.data.texture == 0
    require(flat, "the checkpoint", "must be of the recall probe with flat glyphs", type(spec.data).__name__)
    assert isinstance(spec.data, RecallSpec)
    return spec.data


def probe_images(data: RecallSpec, upscale: int, number: int) -> list[ImagePair]:
    """`number` test images for each number of pairs."""
    return RecallSampler.of(data, upscale).pairs("test", number)


def recall_scenes(pair: ImagePair, glyph: int) -> Iterator[Scene]:
    """The scenes of a test image of the probe, one for each key that has blanked copies."""
    assert pair.mask is not None
    upscale, columns = pair.hr.shape[0] // pair.lr.shape[0], np.arange(pair.lr.shape[1])
    missing = pair.mask[::upscale, ::upscale]
    first = columns // (2 * glyph) * 2 * glyph  # the column of each pixel's cell's key
    keys, blanked = pair.lr[:, first], missing[:, first + glyph]
    for key in np.unique(keys[missing], axis=0):
        mine = (keys == key).all(-1)
        yield Scene(mine & missing, mine & ~blanked, mine & ~blanked & (columns >= first + glyph))


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


def scores_ignoring_keys(data: RecallSpec, upscale: int, number: int) -> list[float]:
    """PSNR-Y in dB of the best guess that ignores keys, for the images of `probe_images`."""
    sampler = RecallSampler.of(data, upscale)
    answers = sampler.baselines("test", number)[IGNORING_KEYS]
    pairs = sampler.pairs("test", number)
    return [psnr_or_nan(score(pair, answer, upscale)) for pair, answer in zip(pairs, answers, strict=True)]
