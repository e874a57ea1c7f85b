"""The self-similarity probe: copies that hold each other's missing samples, and the same patch without them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from grla.data import SimilaritySampler
from grla.data.similarity import ALONE, TOGETHER, textures

SAMPLER = SimilaritySampler(side=32, copies=2, upscale=2)


def test_copies_are_one_patch_displaced_by_less_than_an_lr_pixel() -> None:
    for pair in SAMPLER.pairs("test", 12)[:12]:
        quarters = [pair.hr[top : top + 32, left : left + 32, 0] for top in (0, 32) for left in (0, 32)]
        for other in quarters[1:]:
            matches = [
                np.array_equal(quarters[0][a : 31 + a, b : 31 + b], other[c : 31 + c, d : 31 + d])
                for a in (0, 1)
                for b in (0, 1)
                for c in (0, 1)
                for d in (0, 1)
            ]
            assert any(matches)


def test_alone_shows_the_same_patch_among_others() -> None:
    pairs = SAMPLER.pairs("test", 12)
    assert [pair.test_set for pair in pairs] == [TOGETHER] * 12 + [ALONE] * 12
    for together, alone in zip(pairs[:12], pairs[12:], strict=True):
        assert together.name == alone.name
        np.testing.assert_array_equal(together.hr[:32, :32], alone.hr[:32, :32])
        np.testing.assert_array_equal(together.lr[:16, :16], alone.lr[:16, :16])
        assert not np.array_equal(together.hr[32:, 32:], alone.hr[32:, 32:])
        assert together.mask is not None
        assert together.mask[2:30, 2:30].all()
        assert together.mask.sum() == 28 * 28


def test_aliasing_takes_samples_that_a_displaced_copy_keeps() -> None:
    """Four phases of the LR grid hold every 2x2 mean of HR; one phase holds a quarter of them."""
    patch = textures("test")[2][:33, :33].astype(float)
    phases = [patch[top : top + 32, left : left + 32] for top in (0, 1) for left in (0, 1)]
    means = [phase.reshape(16, 2, 16, 2).mean((1, 3)) for phase in phases]
    assert all(np.abs(means[0] - other).mean() > 1 for other in means[1:])


def test_streams_share_no_pixel_and_batches_are_a_function_of_seed_and_step() -> None:
    sizes = {stream: sum(picture.size for picture in textures(stream)) for stream in ("train", "validation", "test")}
    assert sizes["train"] == 4 * 512 * 256
    assert sizes["validation"] == sizes["test"] == 4 * 256 * 256
    lr, hr = SAMPLER.batch(3, 5, 4)
    assert lr.shape == (4, 3, 32, 32)
    assert hr.shape == (4, 3, 64, 64)
    assert torch.equal(SAMPLER.batch(3, 5, 4)[1], hr)
    assert not torch.equal(SAMPLER.batch(3, 6, 4)[1], hr)
    assert not torch.equal(SAMPLER.batch(4, 5, 4)[1], hr)


def test_the_baseline_is_bicubic_and_blind_to_copies() -> None:
    answers = SAMPLER.baselines("test", 3)["bicubic"]
    assert len(answers) == 6
    for together, alone in zip(answers[:3], answers[3:], strict=True):
        np.testing.assert_array_equal(together[2:28, 2:28], alone[2:28, 2:28])


@pytest.mark.parametrize("stream", ["validation", "test"])
def test_texts_and_textures_all_occur(stream: str) -> None:
    darkest = [pair.hr[:32, :32].min() for pair in SAMPLER.pairs(stream, 32)[:32]]
    assert len(textures(stream)) == 4
    assert len(set(darkest)) > 4
