"""Where a network looks, on scenes worked out from the LR picture alone and on kernels whose weights are known."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from grla.analysis.recall_maps import recall_scene, weight_maps
from grla.errors import InputError
from grla.model import build_model
from grla.spec import RunSpec, with_changes
from grla.study import RECALL

GRAY = 128


@pytest.mark.parametrize("num_pairs", [2, 4, 8, 16])
def test_the_answers_are_the_intact_copies_of_the_querys_pair(num_pairs: int) -> None:
    scene = recall_scene(RECALL, num_pairs, 3)
    row, column = scene.query
    assert (scene.lr[row, column] == GRAY).all()
    assert not scene.answers[row, column]
    key = scene.lr[row, column - 2]
    cells = scene.answers.reshape(8, 2, 4, 4)
    assert (cells.all((1, 3)) == cells.any((1, 3))).all()  # whole cells, key and value
    values = set()
    for top, left in np.argwhere(cells.any((1, 3))) * (2, 4):
        assert (scene.lr[top, left] == key).all()
        values.add(tuple(scene.lr[top, left + 2]))
    assert len(values) == 1
    assert values != {(GRAY, GRAY, GRAY)}


def test_uniform_finds_the_answers_by_their_share_and_none_nothing() -> None:
    scene = recall_scene(RECALL, 4, 0)
    for kernel, share in (("uniform", scene.answers.mean()), ("none", 0.0)):
        torch.manual_seed(0)
        spec = with_changes(RECALL.model, {"kernel": kernel, "dim": 8, "num_global_heads": 2})
        maps = weight_maps(build_model(spec).eval(), scene)
        assert [found.layer for found in maps] == ["layer 1", "layer 2", "layer 3", "layer 4"]
        assert all(found.weights.shape == (16, 16) for found in maps)
        assert [found.found for found in maps] == pytest.approx([share] * 4)


def test_other_runs_have_no_scene() -> None:
    with pytest.raises(InputError, match="must be of the recall probe with flat glyphs, got 'DataSpec'"):
        recall_scene(RunSpec(), 4, 0)
    with pytest.raises(InputError, match="flat glyphs"):
        recall_scene(replace(RECALL, data=replace(RECALL.data, texture=0.5)), 4, 0)
    with pytest.raises(InputError, match=r"pairs must be one of \(2, 4, 8, 16\), got 3"):
        recall_scene(RECALL, 3, 0)
