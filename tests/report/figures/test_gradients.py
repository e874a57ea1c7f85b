from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from grla.report.figures.canvas import save
from grla.report.figures.gradients import gradient_data, gradients_figure
from grla.study import Layout
from tests.shared import factor

LAYOUT = Layout("s", "q?", "none", "quick", "one_at_a_time", (factor("norm", ("batch", "none"), "batch"),))


def curves() -> pd.DataFrame:
    """Two seeds and two validations of the base; the variant has no gradient in its last part."""
    rows = [("base", 0, 1.0, 4.0), ("base", 1, 100.0, 4.0), ("norm=none", 0, 2.0, None), ("norm=none", 1, 8.0, None)]
    columns = ["variant", "seed", "gradient_norm.blocks.0", "gradient_norm.blocks.1"]
    return pd.DataFrame(rows, columns=columns)


def test_norms_are_geometric_means_by_part_in_the_order_of_the_model() -> None:
    data = gradient_data(LAYOUT, curves())
    assert data[["label", "part"]].to_numpy().tolist() == [
        ["batch (base)", "blocks.0"],
        ["batch (base)", "blocks.1"],
        ["none", "blocks.0"],
    ]
    assert data["norm"].tolist() == pytest.approx([10.0, 4.0, 4.0])


def test_the_figure_is_written(tmp_path: Path) -> None:
    png, svg = save(gradients_figure(LAYOUT, curves()), tmp_path / "gradients")
    assert png.stat().st_size > 5000
    text = svg.read_text(encoding="utf-8")
    assert "<!-- blocks.1 -->" in text  # Matplotlib notes the text it draws as paths
    assert "<!-- none -->" in text


def test_parts_stand_in_the_order_of_the_model_where_the_first_level_lacks_some() -> None:
    layout = Layout("s", "?", "none", "quick", "one_at_a_time", (factor("depth", ("1", "2"), "1"),))
    parts = ["head", "blocks.0", "blocks.1", "upsampler"]
    rows = [("base", 1.0, 0.1, np.nan, 1.0), ("depth=2", 1.0, 0.1, 0.2, 1.0)]
    curves = pd.DataFrame(rows, columns=["variant", *(f"gradient_norm.{part}" for part in parts)])
    (panel,) = gradients_figure(layout, curves).axes
    assert [label.get_text() for label in panel.get_xticklabels()] == parts
    assert [list(line.get_xdata()) for line in panel.lines] == [[0, 1, 3], [0, 1, 2, 3]]
