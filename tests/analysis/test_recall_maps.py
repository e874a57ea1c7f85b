"""Where a network looks, on scenes worked out from the LR picture alone and on kernels whose weights are known."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from grla.analysis.probe_tests import Scene, probe_images, recall_scenes
from grla.analysis.recall_maps import layer_weights, look
from grla.data import ImagePair
from grla.model import build_seeded
from grla.spec import RecallSpec, with_changes
from grla.study import RECALL

GRAY = 128
DATA = RECALL.data
assert isinstance(DATA, RecallSpec)


def images() -> dict[str, ImagePair]:
    """The first test image of each number of pairs."""
    return {pair.test_set: pair for pair in probe_images(DATA, 2, 1)}


@pytest.mark.parametrize("num_pairs", [2, 4, 8, 16])
def test_a_scene_per_key_asks_at_blanked_values_and_answers_on_intact_copies(num_pairs: int) -> None:
    pair = images()[f"{num_pairs} pairs"]
    scenes = list(recall_scenes(pair, 2))
    assert len(scenes) == num_pairs
    assert (sum(scene.queries.astype(int) for scene in scenes) == pair.mask[::2, ::2]).all()
    for scene in scenes:
        assert (pair.lr[scene.queries] == GRAY).all()
        row, column = np.argwhere(scene.queries)[0]
        key = pair.lr[row, column - 2]
        cells = scene.answers.reshape(8, 2, 4, 4)
        assert (cells.all((1, 3)) == cells.any((1, 3))).all()  # whole cells, key and value
        values = set()
        for top, left in np.argwhere(cells.any((1, 3))) * (2, 4):
            assert (pair.lr[top, left] == key).all()
            values.add(tuple(pair.lr[top, left + 2]))
        assert (
            scene.values.reshape(8, 2, 4, 4) == scene.answers.reshape(8, 2, 4, 4) & [False, False, True, True]
        ).all()
        assert len(values) == 1
        assert values != {(GRAY, GRAY, GRAY)}


def test_uniform_finds_the_answers_by_their_share_and_none_nothing() -> None:
    pair = images()["4 pairs"]
    scene = next(recall_scenes(pair, 2))
    for kernel in ("uniform", "none"):
        spec = with_changes(RECALL.model, {"kernel": kernel, "dim": 8, "num_global_heads": 2})
        layers = layer_weights(build_seeded(spec, 0).eval(), pair.lr)
        assert list(layers) == ["layer 1", "layer 2"]
        for weights in layers.values():
            found = look(weights, scene)
            assert found.weights.shape == (16, 16)
            if kernel == "uniform":
                assert (found.signed, found.absolute) == pytest.approx((scene.answers.mean(), scene.answers.mean()))
            else:
                assert (found.signed, found.absolute) == (0, 0)


def test_a_query_without_weights_counts_as_one_that_looks_elsewhere() -> None:
    """As ReLU's can be: of two queries one has all its weight on the answer, the other none at all."""
    queries, answers = (np.zeros((2, 2), bool) for _ in range(2))
    queries[0], answers[1, 1] = True, True
    weights: NDArray[np.float64] = np.zeros((1, 4, 4))
    weights[0, 0, 3] = 1
    found = look(weights, Scene(queries, answers, answers))
    assert (found.signed, found.absolute) == (0.5, 0.5)


def test_negative_weights_cannot_hide_in_the_absolute_share() -> None:
    """2 on the answer and -1 on another pixel sum to 1: all of the signed weights twice, two thirds of the absolute."""
    queries, answers = (np.zeros((2, 2), bool) for _ in range(2))
    queries[0, 0], answers[1, 1] = True, True
    weights: NDArray[np.float64] = np.zeros((1, 4, 4))
    weights[0, 0] = [0, -1, 0, 2]
    found = look(weights, Scene(queries, answers, answers))
    assert (found.signed, found.absolute) == pytest.approx((2, 2 / 3))
    assert found.weights.tolist() == [[0, -1], [0, 2]]
    both = look(
        np.concatenate([weights, 0 * weights + 0.25]), Scene(queries, answers, answers)
    )  # a second head, which is even
    assert (both.signed, both.absolute) == pytest.approx(((2 + 0.25) / 2, (2 / 3 + 0.25) / 2))
