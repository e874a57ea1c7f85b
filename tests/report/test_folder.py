"""A report in its folder: figures are kept with their data, and what no longer matches is found."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure as Drawing

from grla.report.document import Document, Figure, Section, Table, Text
from grla.report.folder import FIGURES, document_faults, figure_faults, write_document, write_figures


def figure(value: float = 1.0, name: str = "line", label: str = "a") -> Figure:
    data = pd.DataFrame({"label": [label, None], "value": [value, float("nan")], "on": [True, False]})

    def draw() -> Drawing:
        drawing = Drawing((2, 2))
        drawing.subplots().plot([0, value])
        return drawing

    return Figure(name, "A line.", (data,), draw)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_figures([figure()], tmp_path)
    return tmp_path


def test_what_was_just_drawn_matches(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [FIGURES, "line.png", "line.svg"]
    assert figure_faults([figure()], folder) == []
    assert figure_faults([figure(1.0 + 1e-9)], folder) == []  # another machine's last digits


@pytest.mark.parametrize("other", [figure(1.01), figure(label="b"), figure(float("inf"))])
def test_other_data_is_found(folder: Path, other: Figure) -> None:
    assert figure_faults([other], folder) == ["line: shows other data than the rows give"]


def test_a_row_more_is_found(folder: Path) -> None:
    (data,) = figure().data
    more = Figure("line", "", (pd.concat([data, data]),), figure().draw)
    assert figure_faults([more], folder) == ["line: shows other data than the rows give"]


def test_a_changed_or_missing_file_is_found(folder: Path) -> None:
    (folder / "line.png").write_bytes(b"painted over")
    (folder / "line.svg").unlink()
    assert figure_faults([figure()], folder) == ["line.png: is not the file that was drawn", "line.svg: is missing"]


def test_a_figure_that_was_never_drawn_is_found(folder: Path, tmp_path: Path) -> None:
    assert figure_faults([figure(), figure(name="other")], folder) == ["other: is not in figures.json"]
    assert figure_faults([figure()], tmp_path / "empty") == ["line: is not in figures.json"]


def test_figures_of_several_commands_share_the_file(folder: Path) -> None:
    write_figures([figure(2.0, "other")], folder)
    write_figures([], folder / "nothing")
    assert list(json.loads((folder / FIGURES).read_text())) == ["line", "other"]
    assert figure_faults([figure(), figure(2.0, "other")], folder) == []
    assert not (folder / "nothing").exists()


def report(value: float) -> Document:
    table = Table(pd.DataFrame({"x": ["a"], "y": [value]}), file="x")
    return Document("", "", (Section("", (Text(f"It is {value}."), table, figure(value))),), "Title", {"x.json": "{}"})


def test_a_report_is_written_whole_and_each_file_is_compared(tmp_path: Path) -> None:
    write_document(report(1.0), tmp_path)
    names = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*") if path.is_file()}
    assert names == {"summary.md", "tables/x.csv", "tables/x.tex", "x.json", "line.png", "line.svg", "figures.json"}
    assert document_faults(report(1.0), tmp_path) == []
    (tmp_path / "x.json").unlink()
    assert document_faults(report(2.0), tmp_path) == [
        "summary.md: is not what the rows give",
        "tables/x.csv: is not what the rows give",
        "tables/x.tex: is not what the rows give",
        "x.json: is missing",
        "line: shows other data than the rows give",
    ]
