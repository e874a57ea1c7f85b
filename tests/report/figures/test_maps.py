"""Maps over an LR image: what is drawn, and where it is outlined."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes

from grla.errors import InputError
from grla.report.figures.maps import AttributionTile, MapRow, attribution_figure, recall_maps_figure
from tests.report.figures.drawn import check_saved


def boxes(panel: Axes) -> list[list[float]]:
    """[left, top, side] of each outline of a panel."""
    return [[patch.get_x(), patch.get_y(), patch.get_width()] for patch in panel.patches]  # type: ignore[attr-defined]


@pytest.mark.parametrize("num_tiles", [1, 5])
def test_attributions_are_shares_of_the_largest_with_the_target_outlined(tmp_path: Path, num_tiles: int) -> None:
    lr = np.full((20, 30, 3), 200, dtype=np.uint8)
    strengths = np.random.default_rng(0).random((20, 30))
    tiles = [AttributionTile(f"gaussian_rbf\n{i:016x}", strengths * (i > 0), 10.0 * i) for i in range(num_tiles)]
    figure = attribution_figure(lr, (4, 6, 5), tiles)
    first, *others = figure.axes[: num_tiles + 1]
    assert np.asarray(first.images[0].get_array()).tolist() == lr.tolist()
    assert [panel.get_title().splitlines()[-1] for panel in others] == [f"DI {10 * i:.2f}" for i in range(num_tiles)]
    shown = [np.asarray(panel.images[0].get_array()) for panel in others]
    assert (shown[0] == 1e-6).all()  # no attribution at all
    if num_tiles > 1:
        assert shown[1] == pytest.approx(np.maximum(strengths / strengths.max(), 1e-6))
    assert all(boxes(panel) == [[5.5, 3.5, 5], [5.5, 3.5, 5]] for panel in (first, *others))
    check_saved(figure, tmp_path)


def test_recall_maps_mark_the_query_and_the_answers(tmp_path: Path) -> None:
    lr = np.zeros((4, 4, 3), np.uint8)
    answers = np.zeros((4, 4), bool)
    answers[2, 3] = True
    queries = np.zeros((4, 4), bool)
    queries[1, 0] = True
    weights = np.linspace(-1, 3, 16).reshape(4, 4)
    rows = [
        MapRow("softmax", (("layer 1", weights), ("layer 2", 0 * weights))),
        MapRow("relu", (("layer 1", weights),)),
    ]
    figure = recall_maps_figure(lr, queries, answers, rows)
    assert len(figure.axes) == 6
    assert [panel.get_ylabel() for panel in figure.axes[::3]] == ["softmax", "relu"]
    assert [panel.get_title() for panel in figure.axes] == ["", "layer 1", "layer 2", "", "layer 1", ""]
    shown = figure.axes[1].images[0]
    assert np.asarray(shown.get_array()).tolist() == weights.tolist()
    assert shown.get_clim() == (-3, 3)
    for panel in figure.axes[:5]:
        assert boxes(panel) == [[2.5, 1.5, 1], [-0.5, 0.5, 1]]  # the answer at row 2, column 3; the query at row 1
    check_saved(figure, tmp_path)


def test_a_figure_needs_a_map() -> None:
    with pytest.raises(InputError, match="at least one map"):
        attribution_figure(np.zeros((4, 4, 3), dtype=np.uint8), (0, 0, 1), [])
    with pytest.raises(InputError, match="at least one network"):
        recall_maps_figure(np.zeros((4, 4, 3), np.uint8), *np.zeros((2, 4, 4), bool), [])
