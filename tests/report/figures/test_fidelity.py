"""Figures of what kernels compute, on made-up frames."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from grla.report.figures.fidelity import MEASURES, distance_figure, margin_figure, profile_figure, taylor_figure
from tests.report.fidelity_tables import KERNELS, NORMS, fidelity_tables
from tests.report.figures.drawn import check_saved, legend, marked, points, texts, upright


@pytest.fixture(scope="module")
def tables() -> dict[str, pd.DataFrame]:
    return fidelity_tables()


def test_profiles_are_lines_over_angle_and_cosine(tables: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    profiles = tables["profiles"]
    figure = profile_figure(profiles)
    assert [panel.get_title() for panel in figure.axes] == ["|q| = |k| = 1", "|q| = |k| = 1"] + ["|q| = |k| = 7.42"] * 2
    for index, panel in enumerate(figure.axes):
        x = ("angle", "cosine")[index % 2]
        mine = profiles[profiles["norm"] == (1.0, 7.416)[index // 2]]
        expected = [rows[[x, "value"]].to_numpy().tolist() for _, rows in mine.groupby("kernel", sort=False)]
        assert [points([line]) for line in panel.lines[1:]] == expected
    widths = [line.get_linewidth() for line in figure.axes[0].lines[1:]]
    assert widths == sorted(widths, reverse=True)  # kernels that coincide stay visible
    assert legend(figure) == KERNELS
    check_saved(figure, tmp_path)


def test_taylor_histograms_are_shares_of_their_largest(tables: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    figure = taylor_figure(tables["taylor_histogram"])
    assert [panel.get_xscale() for panel in figure.axes] == ["linear"] * 3 + ["log"] * 3
    for panel in figure.axes:
        assert len(panel.patches) == 2  # random tokens and a layer
        heights, edges, _ = panel.patches[0].get_data()  # type: ignore[attr-defined]
        assert heights == pytest.approx([0.25, 1.0, 0.75, 0.5])
        assert (len(edges), edges[-1]) == (5, 1)
    assert upright(figure.axes[0]) == [-0.2, 0.2]
    assert upright(figure.axes[3]) == [0.0042]
    assert legend(figure) == ["random", "layer 1", "stated: 98 % within 0.2; mean error 0.0042"]
    check_saved(figure, tmp_path)


def test_distances_are_marks_beside_those_of_averaging(tables: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    distances = tables["distances"]
    rows = distances[(distances["source"] == "layer 1") & (distances["reference"] == "same temperature")]
    figure = distance_figure(distances[distances["source"] == "layer 1"])
    assert texts(figure.axes[0].get_yticklabels()) == KERNELS
    for index, (panel, (measure, title)) in enumerate(zip(figure.axes, MEASURES.items(), strict=True)):
        assert panel.get_title() == title
        (kernel,) = marked(panel, "o")
        values = rows[measure].clip(lower=1e-9) if index < 3 else rows[measure]
        assert list(kernel.get_xdata()) == pytest.approx(values.tolist(), nan_ok=True)
        assert list(kernel.get_ydata()) == [0, 1, 2, 3]
        other = {0: "uniform", 1: "uniform", 2: "uniform", 4: "softmax", 5: "softmax"}.get(index)
        crosses = [list(line.get_xdata()) for line in marked(panel, "x")]
        assert crosses == ([rows[f"{other}_{measure}"].tolist()] if other else [])
    assert min(np.asarray(marked(figure.axes[0], "o")[0].get_xdata())) == 1e-9  # softmax's own distance, 0
    check_saved(figure, tmp_path)


def test_margins_are_heat_maps_with_their_numbers(tables: dict[str, pd.DataFrame], tmp_path: Path) -> None:
    margins = tables["margins"]
    figure = margin_figure(margins)
    panels = figure.axes[:6]
    assert [panel.get_title().splitlines()[1] for panel in panels[::3]] == [
        "mean cosine of keys 0",
        "mean cosine of keys 0.5",
    ]
    mine = margins[(margins["dtype"] == "float32") & (margins["alignment"] == 0.5) & (margins["qk_norm"] == NORMS[1])]
    grid = mine.pivot(index="length", columns="gamma", values="margin")
    assert np.asarray(panels[4].images[0].get_array()).tolist() == grid.to_numpy().tolist()
    assert texts(panels[0].get_xticklabels()) == ["1/16", "1", "2"]
    assert texts(panels[0].get_yticklabels()) == ["0.5", "8"]
    assert texts(panels[0].texts) == ["0.97", "0.50", "0.00", "0.50", "-7.00", "-15"]
    check_saved(figure, tmp_path)
