"""Training curves: the frame, and what is drawn of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from grla.report.figures.curves import cell_figure, curve_data, curves_figure
from grla.study import Layout
from tests.report.figures.drawn import points, texts
from tests.shared import factor


def test_curve_data_is_mean_and_band_over_seeds(made_up: Any) -> None:
    data = curve_data(made_up.results)
    line = data[(data["group"] == "kernel") & (data["label"] == "relu")]
    assert list(line["step"]) == [100, 200, 300, 400]
    assert list(line["mean"]) == pytest.approx([22.5, 24.5, 26.5, 28.5])
    assert list(line["high"] - line["low"]) == pytest.approx([1.0] * 4)
    diverged = data[(data["group"] == "depth") & (data["label"] == "2")]
    assert list(diverged["step"]) == [100, 200]
    assert data["seconds"].tolist() == pytest.approx((data["step"] / 10).tolist())


def test_curves_of_unequal_steps_are_joined_by_validation(made_up: Any) -> None:
    curves = made_up.curves.copy()
    curves["step"] += 10 * curves["seed"]
    data = curve_data(made_up._replace(curves=curves).results)
    line = data[(data["group"] == "kernel") & (data["label"] == "relu")]
    assert list(line["step"]) == [105, 205, 305, 405]


def test_a_line_and_a_band_per_level_by_step_and_by_time(made_up: Any) -> None:
    data = curve_data(made_up.results)
    axes = curves_figure(made_up.results).axes
    assert [panel.get_xlabel() for panel in axes] == ["training step", "training time (s)"] * 2
    assert [panel.get_title() for panel in axes] == ["kernel", "kernel", "depth", "depth"]
    for index, panel in enumerate(axes):
        rows = data[data["group"] == panel.get_title()]
        time = ("step", "seconds")[index % 2]
        assert points(panel.lines) == rows[[time, "mean"]].to_numpy().tolist()
        assert [line.get_label() for line in panel.lines] == list(dict.fromkeys(rows["label"]))
        for band, (_, mine) in zip(panel.collections, rows.groupby("label", sort=False), strict=True):
            heights = band.get_paths()[0].vertices[:, 1]
            assert (heights.min(), heights.max()) == pytest.approx((mine["low"].min(), mine["high"].max()))
    assert texts(axes[1].get_legend().get_texts()) == ["gaussian_rbf", "relu", "softmax"]
    # The steep start, before a quarter of the training, does not set the scale; all validations here come later.
    assert axes[0].get_ylim() == axes[1].get_ylim() == pytest.approx((22 - 0.05 * 7, 29 + 0.05 * 7))


def test_the_scale_is_that_of_the_last_three_quarters(layout: Layout, invent: Callable[[Layout], Any]) -> None:
    many = (factor("kernel", tuple(f"a_kernel_{index}" for index in range(15)), "a_kernel_3"),)
    study = invent(dataclasses.replace(layout, factors=many))
    start = study.curves[study.curves["step"] == 100].assign(step=50, val_psnr_y=3.0)
    study = study._replace(curves=pd.concat([start, study.curves]))
    panel, beside = curves_figure(study.results).axes
    assert min(y for _, y in points(panel.lines)) == 3
    assert panel.get_ylim()[0] > 20
    assert len({(line.get_color(), line.get_linestyle()) for line in panel.lines}) == 15
    assert len(beside.get_legend().get_texts()) == 15


def test_without_a_validation_the_panel_is_empty(made_up: Any) -> None:
    figure = curves_figure(made_up._replace(curves=made_up.curves.iloc[:0]).results)
    assert curve_data(made_up._replace(curves=made_up.curves.iloc[:0]).results).empty
    assert all(not panel.lines for panel in figure.axes)


def test_a_grid_has_a_row_and_panels_have_one_each(made_up: Any, panels: Any) -> None:
    grid = made_up._replace(layout=dataclasses.replace(made_up.layout, design="grid"))
    assert [panel.get_title() for panel in curves_figure(grid.results).axes] == ["kernel x depth"] * 2
    titles = [panel.get_title() for panel in curves_figure(panels.results).axes[::2]]
    assert titles == [f"upscale {name}: {part}" for name in ("x2", "x3", "x4") for part in ("model", "width")]


def test_a_cell_has_its_validations_and_its_loss() -> None:
    history = pd.DataFrame({"step": [10, 20], "val_psnr_y": [25.0, 26.0], "loss": [0.2, 0.1]})
    psnr, loss = cell_figure(history).axes
    assert points(psnr.lines) == [[10, 25.0], [20, 26.0]]
    assert points(loss.lines) == [[10, 0.2], [20, 0.1]]
    assert (psnr.get_ylabel(), loss.get_ylabel()) == ("validation PSNR-Y (dB)", "training loss")
