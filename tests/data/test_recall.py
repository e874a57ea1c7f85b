"""The recall probe itself: solvable from what it shows, not solvable otherwise, and the same on every draw."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from grla.data import ImagePair, RecallSampler
from grla.data.probes import Pixels
from grla.data.recall import GRAY
from grla.evaluation import score

FLAT = RecallSampler(num_pairs=(2, 4, 8, 16), side=16, glyph=2, texture=0.0, band=0, upscale=2)
TEXTURED = RecallSampler(num_pairs=(4,), side=32, glyph=4, texture=0.4, band=0, upscale=2)
APART = RecallSampler(num_pairs=(4, 16), side=32, glyph=2, texture=0.0, band=2, upscale=2)


def cells(image: Pixels, side: int) -> Pixels:
    """(rows, columns, side, 2 * side, 3): the cells of an image, keys left, values right."""
    height, width, channels = image.shape
    grid = image.reshape(height // side, side, width // (2 * side), 2 * side, channels)
    return grid.transpose(0, 2, 1, 3, 4)


def matched(pair: ImagePair, glyph: int) -> Pixels:
    """A hand-built attention: each blanked value is copied from a cell with exactly the same key. Sees LR only."""
    sr = pair.lr.repeat(2, axis=0).repeat(2, axis=1)
    shown, restored = cells(pair.lr, glyph), cells(sr, 2 * glyph).copy()
    keys, values = shown[..., 0, 0, :], shown[..., 0, -1, :]
    blanked = (shown[..., glyph:, :] == GRAY).all((2, 3, 4))
    for row, column in np.argwhere(blanked):
        same = (keys == keys[row, column]).all(-1) & ~blanked
        restored[row, column, :, 2 * glyph :] = values[same][0]
    return restored.transpose(0, 2, 1, 3, 4).reshape(sr.shape)


NOISY = replace(FLAT, num_pairs=(2, 4, 8), distractors=0.25)
OVERWRITTEN = replace(FLAT, num_pairs=(2, 4), overwritten=True)


@pytest.mark.parametrize("sampler", [FLAT, APART, NOISY], ids=["mixed", "apart", "with distractors"])
def test_matching_keys_exactly_is_perfect_recall(sampler: RecallSampler) -> None:
    for pair in sampler.pairs("test", 8):
        found = score(pair, matched(pair, sampler.glyph), border=2)
        assert (found.mse, found.psnr_y, found.psnr_y_outside) == (0.0, None, None)


def test_baselines_are_what_a_blind_guess_can_reach() -> None:
    """Values are uniform in 0..255: a variance of 1/12; the image's mean leaves (n - 1) / n of it."""
    pairs, answers = FLAT.pairs("test", 500), FLAT.baselines("test", 500)
    for name, shares in (("no look", [1, 1, 1, 1]), ("best guess that ignores keys", [1 / 2, 3 / 4, 7 / 8, 15 / 16])):
        errors = [score(pair, answer, 2).mse for pair, answer in zip(pairs, answers[name], strict=True)]
        means = np.reshape(np.array(errors, float), (4, 500)).mean(1)
        np.testing.assert_allclose(means, np.array(shares) / 12, rtol=0.06)


def test_nothing_leaks_where_all_copies_are_blanked() -> None:
    """A linear map from keys to missing values, fitted to many images, is no better than the bound."""
    drawn = FLAT.draw("train", 0, 0, 4000, 2)
    keys = np.stack([cells(image, 2)[..., 0, 0, :].ravel() for image in drawn.lr]) / 255
    first = [np.argwhere(mask)[0] for mask in drawn.mask]
    truth = np.stack([image[tuple(place)] for image, place in zip(drawn.hr, first, strict=True)]) / 255
    design = np.concatenate([keys, np.array(first) / 32, np.ones((4000, 1))], axis=1)
    weights = np.linalg.lstsq(design[:3000], truth[:3000], rcond=None)[0]
    error = np.mean((design[3000:] @ weights - truth[3000:]) ** 2)
    assert error > 0.98 / 12


def test_lr_is_the_mean_of_hr_with_gray_for_what_is_missing() -> None:
    for sampler in (FLAT, TEXTURED, APART):
        drawn = sampler.draw("test", 0, 0, 4, 4)
        shown = np.where(drawn.mask[..., None], GRAY, drawn.hr)
        side = sampler.side
        means = shown.reshape(4, side, 2, side, 2, 3).mean((2, 4))
        np.testing.assert_array_equal(drawn.lr, np.rint(means))
        assert (drawn.lr[drawn.mask[:, ::2, ::2]] == GRAY).all()


def test_places_tell_nothing() -> None:
    """Every cell is blanked as often as any other, so that copies can be shuffled without any change."""
    drawn = FLAT.draw("train", 0, 0, 4000, 8)
    often = drawn.mask[:, ::4, 4::8].reshape(4000, -1).mean(0)
    assert np.abs(often - 0.5).max() < 4 * 0.5 / np.sqrt(4000)


def test_apart_keeps_copies_apart_and_changes_sides() -> None:
    drawn = APART.draw("train", 0, 0, 50, 16)
    sides = set()
    for lr, mask in zip(drawn.lr, drawn.mask, strict=True):
        columns = np.flatnonzero(mask.any(0)) // 8  # columns of cells, of 8 HR pixels
        sides.add(int(columns.min()) == 0)
        assert columns.max() - columns.min() == 2
        keys = cells(lr, 2)[..., 0, 0, :]
        blanked = {tuple(key) for key in keys[:, columns.min() : columns.max() + 1].reshape(-1, 3)}
        others = np.delete(keys, range(columns.min(), columns.max() + 1), axis=1)
        far = others[:, 2:] if columns.min() == 0 else others[:, :-2]
        near = others[:, :2] if columns.min() == 0 else others[:, -2:]
        assert blanked <= {tuple(key) for key in far.reshape(-1, 3)}
        assert not blanked & {tuple(key) for key in near.reshape(-1, 3)}
    assert sides == {True, False}


def test_texture_holds_more_than_lr_shows() -> None:
    """The exact LR pixels of what is missing, enlarged, leave an error; the copies show them from different phases."""
    pairs, answers = TEXTURED.pairs("test", 16), TEXTURED.baselines("test", 16)
    errors = {
        name: np.mean([score(pair, answer, 2).mse for pair, answer in zip(pairs, images, strict=True)])
        for name, images in answers.items()
    }
    assert 0 < errors["LR copied"] < 0.5 * errors["best guess that ignores keys"] < 0.5 * errors["no look"]
    image = pairs[0]
    shown = cells(image.lr, 4).reshape(-1, 4, 8, 3)
    flat = shown[:, :, :4].mean((1, 2))
    twins = np.flatnonzero(np.abs(flat - flat[0]).max(1) < 3)
    assert len(twins) == 8
    assert len({shown[twin, :, :4].tobytes() for twin in twins}) > 1


def test_no_glyph_of_the_test_was_seen_in_training() -> None:
    for sampler in (FLAT, TEXTURED):
        blue = {stream: sampler.draw(stream, 0, 0, 8, 4).hr[..., 2] % 2 for stream in ("train", "validation", "test")}
        assert not blue["train"].any()
        assert blue["validation"].all()
        assert blue["test"].all()


@settings(deadline=None, max_examples=20)
@given(seed=st.integers(0, 2**32), step=st.integers(0, 2**40))
def test_a_batch_is_a_function_of_seed_and_step(seed: int, step: int) -> None:
    lr, hr = FLAT.batch(seed, step, 3)
    assert lr.shape == (3, 3, 16, 16)
    assert hr.shape == (3, 3, 32, 32)
    assert 0 <= lr.min() <= hr.max() <= 1
    assert torch.equal(FLAT.batch(seed, step, 3)[1], hr)
    assert not torch.equal(FLAT.batch(seed, step + 4, 3)[1], hr)
    assert not torch.equal(FLAT.batch(seed + 1, step, 3)[1], hr)


def test_batches_take_the_numbers_of_pairs_in_turn() -> None:
    for step, num_pairs in enumerate((2, 4, 8, 16, 2)):
        hr = FLAT.batch(0, step, 1)[1][0]
        keys = hr[:, ::4, ::8].reshape(3, -1).unique(dim=1)
        assert keys.shape[1] == num_pairs


def test_distractors_stand_once_and_have_their_share() -> None:
    for pair in NOISY.pairs("test", 4):
        keys = cells(pair.hr, 4)[..., 0, 0, :].reshape(-1, 3)
        _, counts = np.unique(keys, axis=0, return_counts=True)
        assert (counts == 1).sum() == 8  # a quarter of 32 cells
        assert (counts > 1).sum() == int(pair.test_set.split()[0])


def test_of_an_overwritten_key_the_later_value_counts() -> None:
    """By hand, cell by cell in reading order: the last intact copy has what is missing, the first something else."""
    for pair in OVERWRITTEN.pairs("test", 8):
        grid, shown = cells(pair.hr, 4).reshape(32, 4, 8, 3), cells(pair.lr, 2).reshape(32, 2, 4, 3)
        blanked = (shown[:, :, 2:] == GRAY).all((1, 2, 3))
        for key in np.unique(grid[:, 0, 0], axis=0):
            mine = (grid[:, 0, 0] == key).all(1)
            values = grid[mine & ~blanked, 0, 4]
            missing = grid[mine & blanked, 0, 4]
            assert len(missing) > 0
            assert (missing == values[-1]).all()
            assert (values[0] != values[-1]).any()
            assert len(np.unique(values, axis=0)) == 2


def test_longer_tests_have_pairs_and_sizes_that_training_has_not() -> None:
    longer = replace(FLAT, num_pairs=(2, 4), test_pairs=(64,), test_size=32)
    assert longer.batch(0, 0, 2)[0].shape == (2, 3, 16, 16)
    pairs = longer.pairs("test", 2)
    assert [pair.test_set for pair in pairs] == ["2 pairs"] * 2 + ["4 pairs"] * 2 + ["64 pairs"] * 2
    assert {pair.hr.shape for pair in pairs} == {(64, 64, 3)}
    assert len(np.unique(cells(pairs[-1].hr, 4)[..., 0, 0, :].reshape(-1, 3), axis=0)) == 64
    assert {pair.hr.shape for pair in longer.pairs("validation", 2)} == {(32, 32, 3)}
    assert len(longer.baselines("test", 2)["no look"]) == 6


def test_streams_of_tests_are_independent_and_the_first_is_what_it_was() -> None:
    first, second = (replace(FLAT, stream=number) for number in (0, 1))
    assert all((a.hr == b.hr).all() for a, b in zip(FLAT.pairs("test", 2), first.pairs("test", 2), strict=True))
    assert not any((a.hr == b.hr).all() for a, b in zip(first.pairs("test", 2), second.pairs("test", 2), strict=True))
    assert (first.pairs("validation", 2)[0].hr == second.pairs("validation", 2)[0].hr).all()
    assert torch.equal(first.batch(3, 5, 2)[0], second.batch(3, 5, 2)[0])
