"""Rows that are written and read are the same rows."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from grla.errors import InputError
from grla.report.kinds.study import folders, study_document
from grla.report.results import Results, cell_folder, read_json, read_rows, study_results, write_rows


@pytest.fixture
def results(made_up: Any) -> Results:
    """The made-up study with what a CSV could spoil: names like numbers and like nothing, infinity, long fractions."""
    cells, images = made_up.cells.copy(), made_up.images.copy()
    cells.insert(4, "depth", "010")
    cells["code_version"], cells["device"] = "1234567", "cpu"
    cells["kernel"] = "None"
    images["image"] = images["image"].map({"baby": "000", "bird": "007", "comic": "None"})
    images["psnr_y_outside"] = np.where(images["seed"].isna(), np.inf, 41.0)
    images["mse"] = 1 / np.arange(3, 3 + len(images))
    seeds = {"seed": "Int64"}
    curves = made_up.curves.astype(seeds)
    found: Results = made_up._replace(cells=cells.astype(seeds), images=images.astype(seeds), curves=curves).results
    return found


def test_rows_come_back_to_the_last_bit(results: Results, tmp_path: Path) -> None:
    write_rows(results, tmp_path)
    again = read_rows(tmp_path)
    assert again.layout == results.layout
    assert again.base == results.base
    for name in ("cells", "images", "curves"):
        mine, theirs = getattr(results, name), getattr(again, name)
        assert list(mine) == list(theirs)
        for column in mine:
            if pd.api.types.is_numeric_dtype(mine[column]):
                np.testing.assert_array_equal(mine[column].to_numpy(float), theirs[column].to_numpy(float))
            else:
                assert mine[column].fillna("").tolist() == theirs[column].tolist(), column


def test_rows_give_the_same_texts_as_the_storage(results: Results, tmp_path: Path) -> None:
    write_rows(results, tmp_path)
    assert study_document(read_rows(tmp_path), tmp_path).files() == study_document(results, tmp_path).files()


def test_a_missing_or_incomplete_file_is_named(results: Results, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"study\.json"):
        read_rows(tmp_path)
    write_rows(results, tmp_path)
    (tmp_path / "images.csv").unlink()
    with pytest.raises(InputError, match=r"images\.csv.*write it again"):
        read_rows(tmp_path)
    (tmp_path / "study.json").write_text('{"study": ')
    with pytest.raises(InputError, match=r"study\.json"):
        read_json(tmp_path / "study.json")


def test_only_a_folder_that_a_run_wrote_uses_the_storage_above_it(results: Results, tmp_path: Path) -> None:
    """results/reference/attention-quick must not show the records of the storage in results/."""
    about = {"study": "attention", "profile": "quick", "storage": "studies.db", "optuna_study": "attention-quick-1"}
    (tmp_path / "studies.db").write_text("not a storage")
    for place in ("reference/attention-quick", "attention/quick"):
        write_rows(results, tmp_path / place)
        (tmp_path / place / "provenance.json").write_text(json.dumps(about))
    assert len(study_results(tmp_path / "reference/attention-quick").cells) == len(results.cells)
    with pytest.raises(Exception, match="not a database"):
        study_results(tmp_path / "attention/quick")


def test_folders_of_studies_are_found(tmp_path: Path) -> None:
    other = {"fidelity": {}, "search_recipe/quick": {"search": "search_recipe", "optuna_study": "x"}}
    for place in ("attention/quick", "reference/recall-quick", "a/b/c/too-deep", *other):
        (tmp_path / place).mkdir(parents=True)
        about = other.get(place, {"study": "x", "optuna_study": "x"})
        (tmp_path / place / "provenance.json").write_text(json.dumps(about))
    assert [str(path.relative_to(tmp_path)) for path in folders(tmp_path)] == [
        "attention/quick",
        "reference/recall-quick",
    ]
    assert folders(tmp_path / "attention" / "quick") == [tmp_path / "attention" / "quick"]


def test_the_folder_of_a_cell_lies_beside_the_studies_unless_the_run_says_where(tmp_path: Path) -> None:
    folder = tmp_path / "attention" / "quick"
    for place in (folder, tmp_path / "cells" / "abc", tmp_path / "elsewhere" / "abc"):
        place.mkdir(parents=True)
    assert cell_folder(folder, "abc") == tmp_path / "cells" / "abc"
    (folder / "provenance.json").write_text(json.dumps({"cells_folder": str(tmp_path / "elsewhere")}))
    assert cell_folder(folder, "abc") == tmp_path / "elsewhere" / "abc"
    (folder / "provenance.json").write_text(json.dumps({"cells_folder": "../../elsewhere"}))
    assert cell_folder(folder, "abc").resolve() == (tmp_path / "elsewhere" / "abc").resolve()
