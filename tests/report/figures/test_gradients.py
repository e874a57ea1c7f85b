from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from grla.report.figures.gradients import gradient_data, gradients_figure
from grla.report.results import Results
from grla.study import Layout
from tests.report.figures.drawn import check_saved, points, texts
from tests.shared import factor


def results(levels: tuple[str, str], rows: list[tuple[object, ...]], parts: list[str]) -> Results:
    """A study of one factor; `rows` are (variant, seed, the norm of each part)."""
    layout = Layout("s", "q?", "none", "quick", "one_at_a_time", (factor("norm", levels, levels[0]),))
    curves = pd.DataFrame(rows, columns=["variant", "seed", *(f"gradient_norm.{part}" for part in parts)])
    return Results(layout, pd.DataFrame(), pd.DataFrame(), curves, {})


@pytest.fixture
def study() -> Results:
    """Two seeds of the base and of a variant that has no gradient in its last part."""
    rows = [("base", 0, 1.0, 4.0), ("base", 1, 100.0, 4.0), ("norm=none", 0, 2.0, None), ("norm=none", 1, 8.0, None)]
    return results(("batch", "none"), rows, ["blocks.0", "blocks.1"])


def test_norms_are_geometric_means_by_part_in_the_order_of_the_model(study: Results) -> None:
    data = gradient_data(study)
    assert data[["label", "part"]].to_numpy().tolist() == [
        ["batch (base)", "blocks.0"],
        ["batch (base)", "blocks.1"],
        ["none", "blocks.0"],
    ]
    assert data["norm"].tolist() == pytest.approx([10.0, 4.0, 4.0])


def test_a_line_per_level_over_the_parts(study: Results, tmp_path: Path) -> None:
    figure = gradients_figure(study)
    (panel,) = figure.axes
    assert panel.get_title() == "norm"
    assert [points([line]) for line in panel.lines] == [
        [[0, pytest.approx(10.0)], [1, pytest.approx(4.0)]],
        [[0, pytest.approx(4.0)]],
    ]
    assert texts(panel.get_xticklabels()) == ["blocks.0", "blocks.1"]
    assert texts(panel.get_legend().get_texts()) == ["batch (base)", "none"]
    assert panel.get_yscale() == "log"
    check_saved(figure, tmp_path)


def test_parts_stand_in_the_order_of_the_model_where_the_first_level_lacks_some() -> None:
    parts = ["head", "blocks.0", "blocks.1", "upsampler"]
    rows = [("base", 0, 1.0, 0.1, np.nan, 1.0), ("norm=2", 0, 1.0, 0.1, 0.2, 1.0)]
    (panel,) = gradients_figure(results(("1", "2"), rows, parts)).axes
    assert texts(panel.get_xticklabels()) == parts
    assert [list(line.get_xdata()) for line in panel.lines] == [[0, 1, 3], [0, 1, 2, 3]]


def test_without_gradient_norms_there_is_no_data() -> None:
    assert gradient_data(results(("1", "2"), [("base", 0)], [])).empty
