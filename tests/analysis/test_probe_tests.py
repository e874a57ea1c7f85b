"""The tests that trained networks of the recall probe are put to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from torch import Tensor, nn

from grla.analysis.probe_tests import flat_probe, other_tests, probe_images, scores_ignoring_keys
from grla.analysis.score import scores_on
from grla.errors import InputError
from grla.spec import RecallSpec, RunSpec
from grla.study import RECALL

DATA = RecallSpec()


def test_the_other_tests_ask_for_more_than_training_did() -> None:
    tests = other_tests(DATA)
    assert list(tests) == [
        "16x16, as trained", "32x32", "32x32, a quarter of cells unrelated", "32x32, keys with an earlier value",
    ]  # fmt: skip
    trained, larger, unrelated, overwritten = (probe_images(test, 2, 1) for test in tests.values())
    assert {pair.lr.shape for pair in trained} == {(16, 16, 3)}
    assert {pair.lr.shape for pair in (*larger, *unrelated, *overwritten)} == {(32, 32, 3)}
    numbers = [2, 4, 8, 16]
    sets = [[int(pair.test_set.split()[0]) for pair in pairs] for pairs in (trained, larger, unrelated, overwritten)]
    assert sets == [numbers, [*numbers, 32, 64], numbers, numbers]


class Gray(nn.Module):
    """Enlarges by repeating pixels, and so leaves blanked values gray."""

    def forward(self, lr: Tensor) -> Tensor:
        return lr.repeat_interleave(2, 2).repeat_interleave(2, 3)


def test_scores_are_those_of_the_blanked_pixels() -> None:
    pairs = probe_images(DATA, 2, 2)
    blind, ignoring = scores_on(Gray(), pairs, 2), scores_ignoring_keys(DATA, 2, 2)
    errors = [(np.float64(pair.hr[pair.mask]) / 255 - 128 / 255) @ [65.481, 128.553, 24.966] / 255 for pair in pairs]
    assert blind == pytest.approx([-10 * np.log10(np.mean(error**2)) for error in errors], abs=0.05)  # Y is rounded
    assert np.mean(ignoring) > np.mean(blind)


def test_other_runs_are_refused() -> None:
    with pytest.raises(InputError, match="must be of the recall probe with flat glyphs, got 'DataSpec'"):
        flat_probe(RunSpec())
    with pytest.raises(InputError, match="flat glyphs"):
        flat_probe(replace(RECALL, data=replace(DATA, texture=0.5)))
