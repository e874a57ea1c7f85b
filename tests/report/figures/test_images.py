"""Paired differences image by image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from grla.report.figures.images import image_difference_data, image_differences_figure
from grla.report.figures.levels import level_data
from grla.report.results import Results
from grla.study import Layout
from tests.report.figures.drawn import check_saved, legend, marked, points, spans, texts
from tests.shared import factor

LAYOUT = Layout("s", "?", "none", "quick", "one_at_a_time", (factor("k", ("a", "b", "c"), "a"),))


def rows(variant: str, *scores: tuple[int, str, float]) -> list[dict[str, object]]:
    return [{"variant": variant, "seed": s, "test_set": "Set5", "image": i, "psnr_y": p} for s, i, p in scores]


def test_differences_are_paired_by_seed_and_image() -> None:
    base = rows("base", (0, "x", 30.0), (1, "x", 31.0), (0, "y", 20.0), (1, "y", np.inf))
    other = rows("k=b", (0, "x", 30.5), (1, "x", 31.1), (0, "y", 19.0), (1, "y", np.inf), (2, "x", 99.0))
    data = image_difference_data(Results(LAYOUT, pd.DataFrame(), pd.DataFrame(base + other), pd.DataFrame(), {}))
    assert list(data.columns) == ["group", "label", "test_set", "image", "difference", "low", "high"]
    assert data[["label", "image"]].to_numpy().tolist() == [["b", "x"], ["b", "y"]]  # seed 2 has no partner, c no cell
    assert data[["difference", "low", "high"]].to_numpy().tolist() == [
        pytest.approx([0.3, 0.1, 0.5]),
        pytest.approx([-1.0, -1.0, -1.0]),
    ]


def test_nothing_to_compare_gives_no_rows(made_up: Any) -> None:
    images = made_up.images[made_up.images["variant"].isin(["bicubic", "base"])]
    assert image_difference_data(made_up._replace(images=images).results).empty


def test_a_dot_per_image_and_a_diamond_for_the_mean(made_up: Any, tmp_path: Path) -> None:
    data, levels = image_difference_data(made_up.results), level_data(made_up.results)
    figure = image_differences_figure(made_up.results)
    assert [panel.get_title("left") for panel in figure.axes] == ["kernel", "depth"]
    panel = figure.axes[0]
    assert texts(panel.get_yticklabels()) == ["relu", "softmax"]
    mine = data[data["group"] == "kernel"]
    by_set = [
        mine[(mine["label"] == label) & (mine["test_set"] == test_set)]
        for label in ("relu", "softmax")
        for test_set in ("Set5", "Set14")
    ]
    dots = marked(panel, "o")
    assert [list(line.get_xdata()) for line in dots] == [rows["difference"].tolist() for rows in by_set]
    assert len({line.get_color() for line in dots}) == 2  # one colour per test set
    means = levels.set_index("variant").loc[["kernel=relu", "kernel=softmax"]]
    assert points(marked(panel, "D")) == [[gain, y] for y, gain in enumerate(means["difference"])]
    assert spans(panel) == [[row.low, row.high, y] for y, row in enumerate(means.itertuples())]
    seeds = [segment[:, 0].tolist() for lines in panel.collections for segment in lines.get_segments()]
    assert seeds == [[row.low, row.high] for rows in by_set for row in rows.itertuples()]
    relu = mine[mine["label"] == "relu"].sort_values("difference")["image"].tolist()
    assert texts(panel.texts)[:2] == [f" {relu[0]} ", f" {relu[-1]} "]
    assert legend(figure) == ["Set5", "Set14", "mean over images (95 % interval)"]
    check_saved(figure, tmp_path)


def test_many_images_are_not_named() -> None:
    names = [f"{index}.png" for index in range(30)]
    scores = [(seed, name, 30.0 + index) for index, name in enumerate(names) for seed in (0, 1)]
    images = pd.DataFrame(rows("base", *scores) + rows("k=b", *((s, name, p + 0.1) for s, name, p in scores)))
    cells = pd.DataFrame({"variant": ["base", "k=b"], "outcome": "ok"})
    (panel,) = image_differences_figure(Results(LAYOUT, cells, images, pd.DataFrame(), {})).axes
    assert len(panel.texts) == 0
    assert len(points(marked(panel, "o"))) == 30


def test_panels_are_compared_within_themselves(panels: Any) -> None:
    data = image_difference_data(panels.results)
    assert data["difference"].abs().max() < 0.5  # not the 6 dB between upscale factors
    assert "upscale x3: model" not in set(data["group"])  # its base diverged
