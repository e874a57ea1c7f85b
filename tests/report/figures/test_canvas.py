"""What all figures share: saving, placement of labels, ticks."""

from __future__ import annotations

import itertools
import xml.etree.ElementTree
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image

from grla.errors import InputError
from grla.report.figures.canvas import (
    PALETTE,
    bare_panels,
    line_marks,
    list_rows,
    outline,
    panels,
    plain_ticks,
    point_mark,
    point_style,
    save,
    spread,
)
from grla.report.figures.costs import cost_figure
from grla.report.figures.curves import curves_figure
from grla.report.figures.levels import gain_figure, levels_figure


@pytest.mark.parametrize("draw", [levels_figure, gain_figure, cost_figure, curves_figure])
def test_figures_are_saved_whole_twice_alike(made_up: Any, tmp_path: Path, draw: Callable[[Any], Figure]) -> None:
    first, second = save(draw(made_up.results), tmp_path / "a.b"), save(draw(made_up.results), tmp_path / "again")
    assert [path.name for path in first] == ["a.b.png", "a.b.svg"]
    with Image.open(first[0]) as picture:
        assert min(picture.size) > 300
        assert picture.convert("L").getextrema()[0] < 50  # something dark was drawn
    assert xml.etree.ElementTree.parse(first[1]).getroot().tag.endswith("svg")
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]
    assert len(list(tmp_path.iterdir())) == 4  # no temporary file is left


def test_failed_save_leaves_the_old_figure(tmp_path: Path) -> None:
    class Full(Figure):
        def savefig(self, *_: object, **__: object) -> None:
            raise OSError(28, "No space left on device")

    save(Figure(), tmp_path / "figure")
    before = (tmp_path / "figure.png").read_bytes()
    with pytest.raises(InputError, match=r"figure\.png: No space left"):
        save(Full(), tmp_path / "figure")
    assert (tmp_path / "figure.png").read_bytes() == before
    assert len(list(tmp_path.iterdir())) == 2


def test_a_folder_that_cannot_be_is_an_input_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot write .*file/figure\.png"):
        save(Figure(), tmp_path / "file" / "figure")


def test_many_points_all_look_different() -> None:
    assert len({point_style(index) for index in range(110)}) == 110


@given(st.lists(st.floats(0, 1), max_size=30), st.floats(0, 0.2))
def test_spread_keeps_order_distance_and_bounds(wanted: list[float], gap: float) -> None:
    positions = spread(wanted, gap)
    ordered = positions[np.argsort(wanted, kind="stable")]
    assert np.all(np.diff(ordered) >= min(gap, 1 / max(len(wanted) - 1, 1)) - 1e-9)
    assert np.all((positions >= -1e-9) & (positions <= 1 + 1e-9))


def test_spread_leaves_what_is_far_apart() -> None:
    assert spread([0.9, 0.1, 0.5], 0.1) == pytest.approx([0.9, 0.1, 0.5])
    assert spread([0.5, 0.5], 0.1) == pytest.approx([0.45, 0.55])


@pytest.mark.parametrize("limits", [(1.2, 1.9), (3, 40), (1, 300), (8, 25_000)])
def test_labels_of_a_logarithmic_axis_do_not_touch(limits: tuple[float, float]) -> None:
    figure, (panel, _) = panels([1.0], 2, (8, 4))
    panel.set(xscale="log", xlim=limits)
    plain_ticks(panel)
    figure.draw_without_rendering()
    shown = [label for label in panel.get_xticklabels() if limits[0] <= label.get_position()[0] <= limits[1]]
    boxes = [label.get_window_extent() for label in shown]
    assert len(boxes) >= 2
    assert all(left.x1 < right.x0 for left, right in itertools.pairwise(boxes))


def test_images_have_no_ticks_and_outlines_enclose_whole_pixels() -> None:
    _, (panel,) = bare_panels([1.0], 1, (2, 2))
    outline(panel, (3, 5, 2), "black", 1.0)
    assert (list(panel.get_xticks()), list(panel.get_yticks()), panel.get_frame_on()) == ([], [], False)
    (box,) = panel.patches
    assert np.asarray(box.get_extents().transformed(panel.transData.inverted())) == pytest.approx(
        np.array([[4.5, 2.5], [6.5, 4.5]])
    )


def test_marks_of_a_legend_look_like_what_they_name() -> None:
    first, second = line_marks(["a", "b"])
    assert [(mark.get_label(), mark.get_color()) for mark in (first, second)] == [("a", PALETTE[0]), ("b", PALETTE[1])]
    point = point_mark("black", "D", "base", markersize=3)
    assert (point.get_label(), point.get_linestyle(), point.get_marker()) == ("base", "None", "D")
    assert point.get_markersize() == 3


def test_rows_of_a_list_stand_from_top_to_bottom() -> None:
    _, (panel,) = panels([1.0], 1, (4, 3))
    list_rows(panel, "kernel", ["a", "b"])
    assert [label.get_text() for label in panel.get_yticklabels()] == ["a", "b"]
    assert panel.get_ylim() == (1.6, -0.6)
    assert panel.get_title(loc="left") == "kernel"
