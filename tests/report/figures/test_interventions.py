"""Means of interventions with their intervals, and what the figure shows of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from grla.report.figures.interventions import (
    LOST,
    MORE,
    OTHERS,
    OWN,
    SCORE,
    intervals_table,
    interventions_figure,
    other_tests_figure,
)
from grla.report.statistics.bootstrap import crossed_interval
from tests.report.figures.drawn import check_saved, legend

MEANS = {OWN: 0.9, OTHERS: 0.1, f"{LOST}layer 1": 2.0, f"{LOST}all layers": 5.0}


@pytest.fixture
def rows() -> pd.DataFrame:
    """Two networks of 3 seeds on 5 images of 2 test sets; the second responds half as much."""
    random = np.random.default_rng(0)
    found = [
        (network, seed, what, test_set, f"{image}", factor * mean + random.normal(0, 0.01))
        for network, factor in (("softmax", 1.0), ("gaussian_rbf", 0.5))
        for seed in range(3)
        for what, mean in MEANS.items()
        for test_set in ("2 pairs", "4 pairs")
        for image in range(5)
    ]
    return pd.DataFrame(found, columns=["network", "seed", "what", "test_set", "image", "value"])


def test_the_table_has_means_over_seeds_and_images_with_intervals(rows: pd.DataFrame) -> None:
    table = intervals_table(rows).set_index(["network", "what", "test_set"])
    assert len(table) == 2 * 5 * 2
    assert table.loc[("softmax", MORE, "2 pairs"), "mean"] == pytest.approx(0.8, abs=0.01)
    row = table.loc[("gaussian_rbf", OWN, "4 pairs")]
    assert row["mean"] == pytest.approx(0.45, abs=0.01)
    assert (row["seeds"], row["images"]) == (3, 5)
    mine = rows[(rows["network"] == "gaussian_rbf") & (rows["what"] == OWN) & (rows["test_set"] == "4 pairs")]
    values = mine["value"].to_numpy().reshape(3, 5)
    assert (row["low"], row["high"]) == pytest.approx(crossed_interval(values))


def test_what_is_followed_more_is_paired_by_image(rows: pd.DataFrame) -> None:
    """Its interval is that of the differences, which images and seeds that vary alike do not widen."""
    alike = rows.assign(value=rows["value"] + rows["image"].astype(int) + rows["seed"])
    table = intervals_table(alike).set_index(["network", "what", "test_set"])
    widths = table["high"] - table["low"]
    assert widths["softmax", OWN, "2 pairs"] > 1
    assert widths["softmax", MORE, "2 pairs"] < 0.1


def test_the_figure_shows_every_mean_by_test_set_and_kind(rows: pd.DataFrame, tmp_path: Path) -> None:
    figure = interventions_figure(rows)
    assert len(figure.axes) == 4
    first = figure.axes[0]
    drawn = [line.get_xdata() for line in first.get_lines() if len(line.get_xdata()) == 2 and line.get_marker() == "o"]
    assert [list(values) for values in drawn] == [
        pytest.approx([0.9, 0.45], abs=0.02),
        pytest.approx([0.1, 0.05], abs=0.02),
    ]
    assert [axes.get_title(loc="left") for axes in figure.axes[:2]] == ["2 pairs", "4 pairs"]
    assert figure.axes[2].get_xlabel() == "dB lost with uniform weights"
    check_saved(figure, tmp_path)


def test_networks_of_photographs_have_losses_alone(rows: pd.DataFrame) -> None:
    losses = rows[rows["what"].str.startswith(LOST)]
    assert len(interventions_figure(losses).axes) == 2


def test_other_tests_have_a_panel_each_and_a_line_per_network(rows: pd.DataFrame, tmp_path: Path) -> None:
    first = rows[rows["what"] == OWN].assign(what=f"{SCORE}as trained")
    second = first.assign(what=f"{SCORE}larger", test_set=first["test_set"].str.replace("4 pairs", "32 pairs"))
    figure = other_tests_figure(pd.concat([rows, first, second]))
    assert [panel.get_title(loc="left") for panel in figure.axes] == ["as trained", "larger"]
    for panel, ticks in zip(figure.axes, ([2, 4], [2, 32]), strict=True):
        assert panel.get_xticks().tolist() == ticks
        assert [line.get_xdata().tolist() for line in panel.lines] == [ticks, ticks]
        assert panel.lines[1].get_ydata() == pytest.approx([0.45, 0.45], abs=0.02)
    assert legend(figure) == ["softmax", "gaussian_rbf"]
    check_saved(figure, tmp_path)
    assert len(interventions_figure(pd.concat([rows, second])).axes) == 4  # scores are not among the interventions
