"""Paired differences image by image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from grla.report.figures.canvas import save
from grla.report.figures.images import image_difference_data, image_differences_figure
from grla.study import Layout
from tests.shared import factor

LAYOUT = Layout("s", "?", "none", "quick", "one_at_a_time", (factor("k", ("a", "b", "c"), "a"),))


def rows(variant: str, *scores: tuple[int, str, float]) -> list[dict[str, object]]:
    return [{"variant": variant, "seed": s, "test_set": "Set5", "image": i, "psnr_y": p} for s, i, p in scores]


def test_differences_are_paired_by_seed_and_image() -> None:
    base = rows("base", (0, "x", 30.0), (1, "x", 31.0), (0, "y", 20.0), (1, "y", np.inf))
    other = rows("k=b", (0, "x", 30.5), (1, "x", 31.1), (0, "y", 19.0), (1, "y", np.inf), (2, "x", 99.0))
    data = image_difference_data(LAYOUT, pd.DataFrame(base + other))
    assert list(data.columns) == ["group", "label", "test_set", "image", "difference", "low", "high"]
    assert data[["label", "image"]].to_numpy().tolist() == [["b", "x"], ["b", "y"]]  # seed 2 has no partner, c no cell
    assert data[["difference", "low", "high"]].to_numpy().tolist() == [
        pytest.approx([0.3, 0.1, 0.5]),
        pytest.approx([-1.0, -1.0, -1.0]),
    ]


def test_nothing_to_compare_gives_no_rows(made_up: Any) -> None:
    images = made_up.images[made_up.images["variant"].isin(["bicubic", "base"])]
    assert image_difference_data(made_up.layout, images).empty


def test_the_figure_has_a_panel_per_group_and_names_the_extremes(made_up: Any, tmp_path: Path) -> None:
    figure = image_differences_figure(made_up.results)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["relu", "softmax"]
    names = {text.get_text().strip() for panel in figure.axes for text in panel.texts}
    assert names <= {"baby", "bird", "comic"}
    save(figure, tmp_path / "figure")


def test_panels_are_compared_within_themselves(panels: Any) -> None:
    data = image_difference_data(panels.layout, panels.images)
    assert data["difference"].abs().max() < 0.5  # not the 6 dB between upscale factors
    assert "upscale x3: model" not in set(data["group"])  # its base diverged
