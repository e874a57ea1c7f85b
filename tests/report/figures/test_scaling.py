"""Table and figures of a sweep, on a made-up record."""

from __future__ import annotations

import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from grla.report.figures.canvas import save
from grla.report.figures.scaling import memory_verdict, roofline_data, roofline_figure, scaling_figure, scaling_table

SIZES = (4096, 16_384, 65_536)
LINES = [("kernel", "softmax"), ("kernel", "relu"), ("kernel", "none"), ("network", "relu")]
PASSES = ("forward", "forward + backward")


@pytest.fixture(autouse=True)
def no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        yield


def point(kind: str, name: str, passes: str, tokens: int) -> dict[str, Any]:
    """One point; softmax is stopped at the last size, the network does not fit in memory there."""
    row = {"kind": kind, "name": name, "passes": passes, "tokens": tokens, "outcome": "ok", "reason": ""}
    empty = ("median_ms", "memory_mib", "macs", "useful_bytes", "gflop_per_s", "times_roof")
    if tokens == SIZES[-1] and (name == "softmax" or kind == "network"):
        outcome = "out_of_memory" if kind == "network" else "stopped at the time limit"
        return row | {"outcome": outcome, "reason": "why", **dict.fromkeys(empty)}
    row |= dict.fromkeys(empty) | {"median_ms": tokens / 1000, "memory_mib": tokens / 2000}
    if passes == "forward":
        macs = 0 if name == "none" else 100 * tokens
        row |= {"macs": macs, "useful_bytes": 16 * tokens, "gflop_per_s": macs / 1e6, "times_roof": 2.5}
    return row


@pytest.fixture
def record() -> dict[str, Any]:
    """A whole record of three kernels and a network."""
    about = [{"kind": kind, "name": name, "passes": passes} for kind, name in LINES for passes in PASSES]
    law = {"exponent": 1.01, "low": 0.98, "high": 1.04, "points": 3}
    crossing = {"kind": "kernel", "name": "relu"}
    return {
        "linear_kernels": ["relu", "none"],
        "roofs": {"copy_gb_per_s": 12.0, "sgemm_gflop_per_s": 90.0},
        "points": [point(**row, tokens=tokens) for row in about for tokens in SIZES],
        "exponents": [{**row, "quantity": quantity, **law} for row in about for quantity in ("time", "memory")],
        "crossovers": [
            {**crossing, "passes": PASSES[0], "tokens": 5123.4, "where": "within"},
            {**crossing, "passes": PASSES[1], "tokens": None, "where": "below"},
        ],
    }


def test_table_has_a_row_per_line_with_its_largest_size(record: dict[str, Any]) -> None:
    record["exponents"][0] |= {"low": None, "high": None, "points": 2}
    record["exponents"][1] |= {"exponent": None, "low": None, "high": None, "points": 1}
    table = scaling_table(record)
    assert len(table) == 8
    softmax, relu = table.iloc[0], table.iloc[2]
    assert list(softmax[["tokens", "ms", "then"]]) == [16_384, 16.384, "stopped at the time limit"]
    assert list(softmax[["time exponent", "memory exponent"]]) == ["1.01 (2 points)", "-"]
    assert list(relu[["tokens", "ms", "MiB", "then"]]) == [65_536, 65.536, 32.768, ""]
    assert relu["time exponent"] == "1.01 [0.98, 1.04]"
    assert list(table["faster than softmax from"][2:4]) == ["5,123 tokens", "the smallest size"]
    # 16 bytes a token at 12 GB/s would take 0.0874 ms, and took 65.5.
    assert relu["times copy"] == pytest.approx(750)
    assert "nan" not in table.drop(columns=["times roof", "times copy"]).to_markdown()


def test_a_line_without_any_measured_point_is_in_the_table_and_in_the_figure(record: dict[str, Any]) -> None:
    for row in record["points"]:
        if row["name"] == "softmax":
            row |= {"outcome": "error", "median_ms": None, "memory_mib": None, "gflop_per_s": None}
    assert list(scaling_table(record)["then"][:2]) == ["error", "error"]
    scaling_figure(record, "kernel").draw_without_rendering()


def test_verdict_on_memory_names_what_is_off(record: dict[str, Any]) -> None:
    assert memory_verdict(record) == "Memory of linear kernels grows linearly, exponent at most 1.05: all are."
    for row in record["exponents"]:
        if row["name"] in ("relu", "softmax"):  # nothing is asked of networks, of softmax, or of time
            row["exponent"] = 1.2
    assert "not relu (forward: 1.20 [0.98, 1.04]), relu (forward + backward: " in memory_verdict(record)
    assert memory_verdict(record).count("relu") == 2
    assert memory_verdict(record | {"linear_kernels": []}) == "No linear kernel was measured."


def test_lines_have_labelled_logarithmic_axes_and_marks_where_they_end(record: dict[str, Any], tmp_path: Path) -> None:
    figure = scaling_figure(record, "kernel")
    assert [panel.get_ylabel() for panel in figure.axes] == ["time (ms)"] * 2 + ["growth of memory (MiB)"] * 2
    assert {panel.get_xlabel() for panel in figure.axes} == {"tokens"}
    assert {(panel.get_xscale(), panel.get_yscale()) for panel in figure.axes} == {("log", "log")}
    legend = [text.get_text() for text in figure.legends[0].get_texts()]
    assert legend == ["softmax", "relu", "none", "next size: stopped at the time limit"]
    (mark,) = figure.axes[0].collections
    assert np.asarray(mark.get_offsets()).tolist() == [[16_384, 16.384]]
    check_saved(save(figure, tmp_path / "figure"))
    networks = scaling_figure(record, "network")
    assert networks.axes[0].get_xlabel() == "LR pixels"
    assert networks.legends[0].get_texts()[-1].get_text() == "next size: out of memory"


def test_roofline_by_hand(record: dict[str, Any], tmp_path: Path) -> None:
    """Roofs meet at 90 / 12 = 7.5 FLOP per byte; 200 FLOP for 16 bytes are 12.5; what has no MACs is left out."""
    figure = roofline_figure(record)
    (panel,) = figure.axes
    roofs, kernels, networks = panel.lines
    assert np.asarray(roofs.get_xydata())[1].tolist() == [7.5, 90.0]
    assert np.asarray(roofs.get_ydata())[0] == pytest.approx(12 * panel.get_xlim()[0])
    assert np.asarray(kernels.get_xydata()).tolist() == [[12.5, 1.6384], [12.5, 6.5536]]
    assert np.asarray(networks.get_xydata()).tolist() == [[12.5, 1.6384]]
    assert (panel.get_xlabel(), panel.get_ylabel()) == ("FLOP per byte of useful traffic", "GFLOP/s")
    assert "relu, 65,536 tokens: 2.5" in [text.get_text() for text in panel.texts]
    check_saved(save(figure, tmp_path / "figure"))


def test_roofline_data_by_hand(record: dict[str, Any]) -> None:
    """200 FLOP a token over 16 bytes a token; softmax and the network stop a size earlier; none multiplies nothing."""
    data = roofline_data(record)
    assert data[["kind", "name", "tokens", "intensity"]].to_numpy().tolist() == [
        ["kernel", "softmax", SIZES[1], 12.5],
        ["kernel", "relu", SIZES[2], 12.5],
        ["network", "relu", SIZES[1], 12.5],
    ]


def check_saved(written: list[Path]) -> None:
    """Both files are written, and the picture is not empty."""
    assert [path.suffix for path in written] == [".png", ".svg"]
    with Image.open(written[0]) as picture:
        assert min(picture.size) > 300
        assert picture.convert("L").getextrema()[0] < 50
