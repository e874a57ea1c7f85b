"""Figures of a sweep, on a made-up record."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from grla.report.figures.scaling import roofline_data, roofline_figure, scaling_figure
from tests.report.figures.drawn import check_saved, legend, points, texts
from tests.report.records import SIZES, scaling_record


def test_a_line_without_any_measured_point_keeps_its_name_only() -> None:
    record = scaling_record()
    for row in record["points"]:
        if row["name"] == "softmax":
            row |= {"outcome": "error", "median_ms": None, "memory_mib": None, "gflop_per_s": None}
    figure = scaling_figure(record, "kernel")
    assert points(figure.axes[0].lines[:1]) == []
    assert legend(figure) == ["softmax", "relu", "none", "next size: error"]
    assert np.asarray(figure.axes[0].collections[0].get_offsets()).tolist() == []


def test_lines_have_labelled_logarithmic_axes_and_marks_where_they_end(tmp_path: Path) -> None:
    record = scaling_record()
    figure = scaling_figure(record, "kernel")
    assert [panel.get_title() for panel in figure.axes] == ["forward", "forward + backward"] * 2
    assert [panel.get_ylabel() for panel in figure.axes] == ["time (ms)"] * 2 + ["growth of memory (MiB)"] * 2
    assert {panel.get_xlabel() for panel in figure.axes} == {"tokens"}
    assert {(panel.get_xscale(), panel.get_yscale()) for panel in figure.axes} == {("log", "log")}
    assert texts(figure.axes[0].get_xticklabels()) == ["4,096", "16,384", "65,536"]
    assert legend(figure) == ["softmax", "relu", "none", "next size: stopped at the time limit"]
    softmax, relu, _ = figure.axes[0].lines
    assert points([softmax]) == [[size, size / 1000] for size in SIZES[:2]]
    assert points([relu]) == [[size, size / 1000] for size in SIZES]
    assert points(figure.axes[2].lines[1:2]) == [[size, size / 2000] for size in SIZES]
    (mark,) = figure.axes[0].collections
    assert np.asarray(mark.get_offsets()).tolist() == [[16_384, 16.384]]
    check_saved(figure, tmp_path)
    networks = scaling_figure(record, "network")
    assert networks.axes[0].get_xlabel() == "LR pixels"
    assert legend(networks)[-1] == "next size: out of memory"


def test_roofline_by_hand(tmp_path: Path) -> None:
    """Roofs meet at 90 / 12 = 7.5 FLOP per byte; 200 FLOP for 16 bytes are 12.5; what has no MACs is left out."""
    figure = roofline_figure(scaling_record())
    (panel,) = figure.axes
    roofs, kernels, networks = panel.lines
    assert points([roofs])[1] == [7.5, 90.0]
    assert points([roofs])[0][1] == pytest.approx(12 * panel.get_xlim()[0])
    assert points([kernels]) == [[12.5, 1.6384], [12.5, 6.5536]]
    assert points([networks]) == [[12.5, 1.6384]]
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("FLOP per byte of useful traffic", "GFLOP/s")
    assert "relu, 65,536 tokens: 2.5" in texts(panel.texts)
    check_saved(figure, tmp_path)


def test_roofline_data_by_hand() -> None:
    """200 FLOP a token over 16 bytes a token; softmax and the network stop a size earlier; none multiplies nothing."""
    data = roofline_data(scaling_record())
    assert data[["kind", "name", "tokens", "intensity"]].to_numpy().tolist() == [
        ["kernel", "softmax", SIZES[1], 12.5],
        ["kernel", "relu", SIZES[2], 12.5],
        ["network", "relu", SIZES[1], 12.5],
    ]
