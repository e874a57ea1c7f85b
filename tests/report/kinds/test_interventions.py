"""Interventions in the report of the study whose networks they are about."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest

from grla.report.document import Document
from grla.report.figures.interventions import BEYOND, LOST, MORE, OTHERS, OWN, SCORE
from grla.report.folder import document_faults, write_document
from grla.report.kinds.interventions import intervention_faults, intervention_figures, intervention_sections

VALUES = {OWN: 0.9, OTHERS: 0.1, f"{LOST}layer 1": 3.0, f"{SCORE}larger": 20.0}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    rows = [
        ("softmax", seed, "2 pairs", f"{image:03d}", what, value + 0.1 * seed + 0.01 * image)
        for what, value in VALUES.items()
        for seed in range(2)
        for image in range(3)
    ]
    frame = pd.DataFrame(rows, columns=["network", "seed", "test_set", "image", "what", "value"])
    frame.to_csv(tmp_path / "interventions.csv", index=False)
    return tmp_path


def report(folder: Path) -> Document:
    sections = intervention_sections(folder)
    return Document("t", "d", sections, "s")


def test_a_study_shows_means_with_intervals_and_says_by_which_code(folder: Path) -> None:
    text = report(folder).markdown()
    assert "code that was not recorded" in text
    table = {row[1][0]: row[2][0] for row in intervention_sections(folder)[0].blocks[1].rows}
    assert list(table) == [OWN, OTHERS, f"{LOST}layer 1", MORE]
    assert table[OWN].startswith("+0.960 [")
    assert table[MORE] == "+0.800 [+0.800, +0.800]"
    assert table[f"{LOST}layer 1"].startswith("+3.060 [")
    (folder / "interventions.json").write_text(json.dumps({"code_version": "abc"}), encoding="utf-8")
    assert "code abc" in report(folder).markdown()
    assert intervention_faults(folder) == ["code abc: is no commit of this history"]


def test_beside_networks_that_average_others_show_what_they_do_beyond(folder: Path) -> None:
    path = folder / "interventions.csv"
    rows = pd.read_csv(path, dtype={"image": str})
    averaging = rows[rows["what"].isin([OWN, OTHERS])].assign(network="uniform", value=0.25)
    averaging.loc[(averaging["what"] == OWN) & (averaging["seed"] == 1), "value"] = 0.35
    pd.concat([rows, averaging]).to_csv(path, index=False)
    found = {
        (network, what): shown
        for (network, *_), (what, *_), (shown, *_) in intervention_sections(folder)[0].blocks[1].rows
        if what in (MORE, BEYOND)
    }
    assert found.keys() == {("softmax", MORE), ("softmax", BEYOND), ("uniform", MORE)}
    assert found["softmax", BEYOND].startswith("+0.750 [")  # 0.8 less 0 with one seed and 0.1 with the other
    assert "with weights that sum to one" in report(folder).markdown()  # of code that was not recorded


def test_a_row_that_is_changed_is_found(folder: Path) -> None:
    write_document(report(folder), folder)
    assert document_faults(report(folder), folder) == []
    assert [figure.name for figure in intervention_figures(folder)] == ["interventions", "other_tests"]
    path = folder / "interventions.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("0.9,", "0.5,", 1).replace("0.9\n", "0.5\n", 1))
    assert "summary.md: is not what the rows give" in document_faults(report(folder), folder)


def test_a_study_without_interventions_says_nothing_of_them(tmp_path: Path) -> None:
    assert intervention_sections(tmp_path) == ()
    assert intervention_figures(tmp_path) == []
    assert intervention_faults(tmp_path) == []
