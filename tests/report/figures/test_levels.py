"""PSNR-Y and differences by level: the frames, and what is drawn of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from matplotlib.colors import to_rgb

from grla.report.figures.canvas import PALETTE
from grla.report.figures.levels import baseline_data, gain_figure, level_data, levels_figure, seed_data
from grla.study import Layout
from tests.report.figures.drawn import legend, marked, points, spans, texts, upright
from tests.shared import factor


def test_level_data(made_up: Any) -> None:
    data = level_data(made_up.results).set_index(["group", "label"])
    assert list(data.loc["kernel"].index) == ["gaussian_rbf", "relu", "softmax"]
    base, half, failed = data.loc[("depth", "4")], data.loc[("kernel", "softmax")], data.loc[("depth", "2")]
    assert (base["verdict"], base["difference"], base["num_seeds"]) == ("base", 0.0, 2)
    assert half["num_seeds"] == 1
    assert half["difference"] == pytest.approx(-0.15, abs=0.005)  # paired: the lucky seed 1 does not count
    assert half["low"] < half["difference"] < half["high"]
    assert (failed["verdict"], failed["failures"]) == ("not compared", "2 of 2 diverged at steps 220, 220")
    assert np.isnan(failed["mean"])


def test_seed_data_leaves_bicubic_out(made_up: Any) -> None:
    data = seed_data(made_up.images)
    assert len(data) == 7
    assert "bicubic" not in set(data["variant"])


def test_baselines_are_those_of_each_panel(panels: Any) -> None:
    data = baseline_data(panels.results)
    assert data["psnr_y"].tolist() == [35.0, 35.0, 31.5, 31.5, 29.0, 29.0]
    assert set(data["variant"]) == {"bicubic"}


def test_levels_are_drawn_from_the_mean_of_the_base(made_up: Any) -> None:
    data, seeds = level_data(made_up.results), seed_data(made_up.images)
    figure = levels_figure(made_up.results)
    kernel, depth = figure.axes
    assert [kernel.get_title("left"), depth.get_title("left")] == ["kernel", "depth"]
    assert texts(kernel.get_yticklabels()) == ["gaussian_rbf (base)", "relu", "softmax\n1 of 2 diverged at step 220"]
    base = seeds.loc[seeds["variant"] == "base", "psnr_y"]
    assert upright(kernel) == pytest.approx([29.0, base.mean()])
    mine = data[data["group"] == "kernel"]
    expected = [[base.mean() + gain, place] for place, gain in enumerate(mine["difference"])]
    assert points(marked(kernel, "D")) == [pytest.approx(point) for point in expected]
    by_seed = [(seeds.loc[seeds["variant"] == name, "psnr_y"], y) for y, name in enumerate(mine["variant"])]
    assert points(marked(kernel, "o")) == [[score, y + 0.25] for scores, y in by_seed for score in scores]
    compared = mine[mine["verdict"] != "base"]
    assert [span[:2] for span in spans(kernel)] == [
        pytest.approx([base.mean() + row.low, base.mean() + row.high]) for row in compared.itertuples()
    ]
    assert len(marked(depth, "D")) == 2  # depth 2 never finished
    assert legend(figure)[-3:] == ["one seed", "bicubic", "base, mean over seeds"]


def test_gains_are_coloured_by_verdict_and_hollow_from_one_seed(made_up: Any) -> None:
    data = level_data(made_up.results)
    figure = gain_figure(made_up.results)
    kernel, depth = figure.axes
    assert upright(kernel) == [0]
    mine = data[data["group"] == "kernel"]
    assert points(marked(kernel, "D")) == [[gain, place] for place, gain in enumerate(mine["difference"])]
    assert spans(kernel) == [[row.low, row.high, index] for index, row in enumerate(mine.itertuples()) if index]
    base, relu, softmax = marked(kernel, "D")
    assert [mark.get_markerfacecolor() for mark in (base, softmax)] == ["black", "white"]
    assert to_rgb(relu.get_color()) == to_rgb("0.45")
    worse, _ = marked(depth, "D")
    assert (data.set_index("variant").loc["depth=1", "verdict"], worse.get_color()) == ("worse", PALETTE[3])
    assert legend(figure) == [
        "worse (95 % interval)",
        "not distinguishable (95 % interval)",
        "base",
        "hollow: one seed, seeds not sampled",
    ]


def test_without_baselines_only_the_base_has_a_line(made_up: Any) -> None:
    study = made_up._replace(images=made_up.images[made_up.images["variant"] != "bicubic"])
    figure = levels_figure(study.results)
    assert [len(upright(panel)) for panel in figure.axes] == [1, 1]
    assert "bicubic" not in legend(figure)


def test_where_nothing_finished_the_failures_are_named(made_up: Any) -> None:
    cells, images, curves = made_up[1:]
    only = images[images["variant"] == "bicubic"]
    study = made_up._replace(cells=cells[cells["outcome"] != "ok"], images=only, curves=curves.iloc[:0])
    for figure in (levels_figure(study.results), gain_figure(study.results)):
        kernel, depth = figure.axes
        assert marked(kernel, "D") == marked(depth, "D") == []
        assert spans(kernel) == []
        assert texts(kernel.get_yticklabels())[1:] == ["relu\nnot run yet", "softmax\n1 of 1 diverged at step 220"]


def test_a_grid_is_one_panel(made_up: Any) -> None:
    study = made_up._replace(layout=dataclasses.replace(made_up.layout, design="grid"))
    (panel,) = gain_figure(study.results).axes
    assert panel.get_title("left") == "kernel x depth"
    labels = texts(panel.get_yticklabels())
    assert (len(labels), labels[2]) == (9, "gaussian_rbf, 4 (base)")
    assert points(marked(panel, "D"))[1] == [0, 2]


def test_of_one_seed_all_marks_but_the_base_s_are_hollow(made_up: Any) -> None:
    study = made_up._replace(
        cells=made_up.cells[made_up.cells["seed"] == 0], images=made_up.images[made_up.images["seed"] != 1]
    )
    kernel, _ = levels_figure(study.results).axes
    assert [mark.get_markerfacecolor() for mark in marked(kernel, "D")] == ["black", "white", "white"]
    assert len(points(marked(kernel, "o"))) == 3


def test_panels_have_their_own_bicubic_base_and_axis(panels: Any) -> None:
    axes = levels_figure(panels.results).axes
    lines = [upright(panel)[:2] for panel in axes]
    assert [bicubic for bicubic, _ in lines] == [35.0, 35.0, 31.5, 31.5, 29.0, 29.0]
    assert [base for _, base in lines] == pytest.approx([35.41, 35.41, np.nan, np.nan, 29.41, 29.41], 1e-3, nan_ok=True)
    assert axes[0].get_xlim() == axes[1].get_xlim() != axes[2].get_xlim()
    gains = gain_figure(panels.results).axes
    assert len({panel.get_xlim() for panel in gains}) == 1
    assert len(gains[2].lines) == 1  # the base diverged: no mark, only the line at 0


@pytest.mark.parametrize("draw", [levels_figure, gain_figure])
def test_many_levels_with_long_names_keep_their_places(
    layout: Layout, invent: Callable[[Layout], Any], draw: Callable[[Any], Any]
) -> None:
    names = tuple(f"a_kernel_{index}({', '.join(f'option_{i}=value' for i in range(5))})" for index in range(15))
    study = invent(dataclasses.replace(layout, factors=(factor("kernel", names, names[3]),)))
    figure = draw(study.results)
    figure.draw_without_rendering()  # the layout holds: otherwise a warning, which is an error here
    (panel,) = figure.axes
    assert texts(panel.get_yticklabels()) == [
        name if index != 3 else f"{name} (base)" for index, name in enumerate(names)
    ]
    assert [y for _, y in points(marked(panel, "D"))] == list(range(15))
    assert panel.get_ylim() == (14.6, -0.6)
