"""Figures are kept with their data, and what no longer matches is found."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
from matplotlib.figure import Figure

from grla.report.pictures import FILE_NAME, Picture, picture_faults, write_pictures


def picture(value: float = 1.0, name: str = "line", label: str = "a") -> Picture:
    data = pd.DataFrame({"label": [label, None], "value": [value, float("nan")], "on": [True, False]})

    def draw() -> Figure:
        figure = Figure((2, 2))
        figure.subplots().plot([0, value])
        return figure

    return Picture(name, "A line.", (data,), draw)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    write_pictures([picture()], tmp_path)
    return tmp_path


def test_what_was_just_drawn_matches(folder: Path) -> None:
    assert sorted(path.name for path in folder.iterdir()) == [FILE_NAME, "line.png", "line.svg"]
    assert picture_faults([picture()], folder) == []
    assert picture_faults([picture(1.0 + 1e-9)], folder) == []  # another machine's last digits


@pytest.mark.parametrize("other", [picture(1.01), picture(label="b"), picture(float("inf"))])
def test_other_data_is_found(folder: Path, other: Picture) -> None:
    assert picture_faults([other], folder) == ["line: shows other data than the rows give"]


def test_a_row_more_is_found(folder: Path) -> None:
    (data,) = picture().data
    more = Picture("line", "", (pd.concat([data, data]),), picture().draw)
    assert picture_faults([more], folder) == ["line: shows other data than the rows give"]


def test_a_changed_or_missing_file_is_found(folder: Path) -> None:
    (folder / "line.png").write_bytes(b"painted over")
    (folder / "line.svg").unlink()
    assert picture_faults([picture()], folder) == ["line.png: is not the file that was drawn", "line.svg: is missing"]


def test_a_picture_that_was_never_drawn_is_found(folder: Path, tmp_path: Path) -> None:
    assert picture_faults([picture(), picture(name="other")], folder) == ["other: is not in figures.json"]
    assert picture_faults([picture()], tmp_path / "empty") == ["line: is not in figures.json"]


def test_pictures_of_several_commands_share_the_file(folder: Path) -> None:
    write_pictures([picture(2.0, "other")], folder)
    write_pictures([], folder / "nothing")
    assert list(json.loads((folder / FILE_NAME).read_text())) == ["line", "other"]
    assert picture_faults([picture(), picture(2.0, "other")], folder) == []
    assert not (folder / "nothing").exists()


def test_a_notebook_shows_it_as_png() -> None:
    assert picture()._repr_png_()[:4] == b"\x89PNG"
