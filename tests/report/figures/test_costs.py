"""PSNR-Y against cost: the frame, and what is drawn of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from grla.report.figures.costs import cost_data, cost_figure, pareto_front
from grla.report.figures.levels import level_data
from grla.study import Layout
from tests.report.figures.drawn import legend, points
from tests.shared import factor


def test_cost_data_has_the_finished_variants_in_order(made_up: Any) -> None:
    data = cost_data(made_up.results)
    assert list(data["variant"]) == ["base", "kernel=relu", "kernel=softmax", "depth=1"]
    assert list(data.loc[0, ["macs_g", "latency_ms", "params_k"]]) == [3.0, 12.34, 20.5]


def test_cost_data_has_intervals_from_the_mean_of_the_base(made_up: Any) -> None:
    data = cost_data(made_up.results).set_index("variant")
    levels = level_data(made_up.results).set_index("variant")
    low, high = data.loc["depth=1", "low"], data.loc["depth=1", "high"]
    assert [low, high] == pytest.approx(levels.loc["depth=1", ["low", "high"]] + data.loc["base", "psnr_y"])
    assert low < data.loc["depth=1", "psnr_y"] < high < data.loc["base", "psnr_y"]
    assert data.loc["base", ["low", "high"]].isna().all()
    assert data["on_front_macs_g"].sum() == 1  # all cost the same: only the best is on the front


def test_pareto_front_by_hand() -> None:
    """4 is beaten by 1 (cheaper, as good), 2 by 3 (as cheap, better); what has no cost is not on it."""
    cost, quality = [1.0, 2.0, 2.0, 3.0, 5.0, np.nan], [30.0, 30.5, 31.0, 30.0, 32.0, 40.0]
    assert pareto_front(cost, quality).tolist() == [True, False, True, False, True, False]
    assert pareto_front([1.0, 1.0], [2.0, 2.0]).tolist() == [True, True]


def test_every_variant_is_a_mark_with_its_interval_and_the_front_is_joined(
    layout: Layout, invent: Callable[[Layout], Any]
) -> None:
    many = (factor("kernel", tuple(f"a_kernel_{index}" for index in range(15)), "a_kernel_3"),)
    study = invent(dataclasses.replace(layout, factors=many))
    data = cost_data(study.results)
    figure = cost_figure(study.results)
    figure.draw_without_rendering()
    for panel, column in zip(figure.axes, ("macs_g", "latency_ms", "params_k"), strict=True):
        front, *others = panel.lines
        expected = data[data[f"on_front_{column}"]].sort_values(column)
        assert points([front]) == expected[[column, "psnr_y"]].to_numpy().tolist()
        intervals, marks = others[::2], others[1::2]
        assert points(marks) == data[[column, "psnr_y"]][::-1].to_numpy().tolist()
        ends = [[row.low, row.high] for row in data[::-1].itertuples()]
        assert [list(line.get_ydata()) for line in intervals] == [pytest.approx(end, nan_ok=True) for end in ends]
        assert marks[-1].get_color() == "black"  # the base, on top
        assert len({(mark.get_color(), mark.get_marker()) for mark in marks}) == 15
        assert panel.get_xscale() == "log"
    assert legend(figure) == [*data["name"], "Pareto front", "95 % interval of the\ndifference to the base"]


def test_equal_costs_have_a_wide_axis(made_up: Any) -> None:
    macs, *_ = cost_figure(made_up.results).axes
    assert macs.get_xlim() == pytest.approx((0.7 * 3, 1.4 * 3))


def test_where_nothing_finished_there_is_no_mark(made_up: Any) -> None:
    cells, images, curves = made_up[1:]
    only = images[images["variant"] == "bicubic"]
    study = made_up._replace(cells=cells[cells["outcome"] != "ok"], images=only, curves=curves.iloc[:0])
    figure = cost_figure(study.results)
    assert [points(panel.lines) for panel in figure.axes] == [[], [], []]
    assert len(legend(figure)) == 2


def test_panels_are_apart_and_say_what_they_refer_to(panels: Any) -> None:
    data = cost_data(panels.results).set_index("variant")
    assert data.loc["upscale=x2, model=EDSR-lite", ["panel", "name"]].tolist() == ["upscale x2", "model=EDSR-lite"]
    assert data.loc["upscale=x2", "name"] == data.loc["base", "name"] == "base"
    axes = cost_figure(panels.results).axes
    titles = [panel.get_title() for panel in axes]
    assert titles == [name for name in ("upscale x2", "upscale x3", "upscale x4") for _ in range(3)]
    assert axes[0].get_xlabel() == "G MACs for an output of 1280x720"
    assert axes[7].get_xlabel() == "latency (ms), LR input 64x48"
    mine = data[data["panel"] == "upscale x3"]
    assert points(axes[3].lines[2::2]) == mine[["macs_g", "psnr_y"]][::-1].to_numpy().tolist()
