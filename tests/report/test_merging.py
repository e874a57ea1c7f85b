"""Sets of results become one; what cannot be merged is named, and nothing is written."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest

from grla.errors import InputError
from grla.report import merge_sets
from grla.report.kinds import study
from grla.report.results import PROVENANCE, read_json, read_rows

REFERENCE = Path(__file__).parents[2] / "results" / "reference"
NAME = "recall-photos-quick"


def part(folder: Path, *seeds: int) -> Path:
    """A set with the cells of these seeds of a reference study, in `folder`."""
    shutil.copytree(REFERENCE / NAME, folder / NAME)
    for name in ("cells", "images", "curves"):
        rows = pd.read_csv(folder / NAME / f"{name}.csv", dtype=str, keep_default_na=False)
        kept = rows[rows["seed"].isin(["", *map(str, seeds)])]
        kept.to_csv(folder / NAME / f"{name}.csv", index=False)
    return folder


def change(folder: Path, name: str, column: str, value: str, **where: str) -> str:
    """Change a column of the rows that are meant; returns the hash of the first row's cell."""
    path = folder / NAME / f"{name}.csv"
    rows = pd.read_csv(path, dtype=str, keep_default_na=False)
    meant = pd.Series(True, rows.index)
    for key, wanted in where.items():
        meant &= rows[key] == wanted
    rows.loc[meant, column] = value
    rows.to_csv(path, index=False)
    return str(rows.loc[meant, "cell_hash"].iloc[0])


@pytest.fixture
def first(tmp_path: Path) -> Path:
    return part(tmp_path / "a", 0, 1)


@pytest.fixture
def second(tmp_path: Path) -> Path:
    return part(tmp_path / "b", 1, 2)


def test_seeds_of_two_machines_give_the_whole_study(first: Path, second: Path, tmp_path: Path) -> None:
    change(second, "cells", "latency_ms", "1.5", seed="1")  # what a machine measured may differ
    assert merge_sets(first, second, tmp_path / "c") == []
    merged, whole = read_rows(tmp_path / "c" / NAME), read_rows(REFERENCE / NAME)
    for mine, theirs in ((merged.cells, whole.cells), (merged.images, whole.images), (merged.curves, whole.curves)):
        keys = ["cell_hash", *(name for name in ("test_set", "image", "step") if name in theirs)]
        pd.testing.assert_frame_equal(
            mine.sort_values(keys, ignore_index=True), theirs.sort_values(keys, ignore_index=True), check_dtype=False
        )
    assert merged.cells["seed"].tolist() == [seed for seed in range(3) for _ in merged.layout.variants()]
    assert study.faults(tmp_path / "c" / NAME) == []
    tables = [(folder / NAME / "tables" / "kernel.csv").read_text() for folder in (tmp_path / "c", REFERENCE)]
    assert tables[0] == tables[1]
    about = read_json(tmp_path / "c" / NAME / PROVENANCE)
    assert [run["command_line"] for run in about["merged"]] == [about["command_line"]]
    assert "run 2" in study.document(tmp_path / "c" / NAME).html()


def test_studies_of_one_set_and_other_records_are_taken_over(first: Path, tmp_path: Path) -> None:
    other = tmp_path / "b"
    for name in ("attention-quick", "benchmark"):
        shutil.copytree(REFERENCE / name, other / name)
    shutil.copytree(REFERENCE / "benchmark", first / "benchmark")
    left = merge_sets(first, other, tmp_path / "c")
    assert left == [f"{other / 'benchmark'} is left where it is: only studies are merged"]
    assert sorted(path.name for path in (tmp_path / "c").iterdir()) == ["attention-quick", "benchmark", NAME]
    assert study.faults(tmp_path / "c" / "attention-quick") == []


def test_a_cell_that_failed_on_one_machine_is_taken_from_the_other(first: Path, second: Path, tmp_path: Path) -> None:
    chosen = {"seed": "1", "variant": "kernel=uniform"}
    change(first, "cells", "psnr_y", "", **chosen)
    change(first, "cells", "outcome", "out_of_memory", **chosen)
    merge_sets(first, second, tmp_path / "c")
    assert (read_rows(tmp_path / "c" / NAME).cells["outcome"] == "ok").all()


def test_conflicts_are_named_and_nothing_is_written(first: Path, second: Path, tmp_path: Path) -> None:
    cell = change(second, "cells", "macs", "5.0", seed="1", variant="kernel=uniform")
    change(second, "images", "psnr_y", "33.5", seed="1", variant="kernel=uniform", image="bird")
    change(second, "images", "psnr_y", "30.5", seed="", image="baby")
    change(second, "cells", "cell_hash", "0" * 16, seed="1", variant="base")
    with pytest.raises(InputError, match="the two sets cannot be merged") as found:
        merge_sets(first, second, tmp_path / "c")
    faults = [line.partition("tested on Set5, Set14: ")[2] for line in str(found.value).splitlines()[1:]]
    assert len(faults) == 4
    assert faults[0].endswith(f"seed 1): is {'0' * 16} in the second set, of other code or device (cpu and cpu)")
    assert faults[1].startswith(f"cell {cell} (kernel=uniform, seed 1): macs is ")
    assert faults[2].startswith("bicubic, Set5/baby: psnr_y is ")
    assert faults[3].startswith(f"cell {cell} (kernel=uniform, seed 1), Set5/bird: psnr_y is ")
    assert faults[3].endswith(" and 33.5")
    assert not (tmp_path / "c").exists()


def test_other_questions_are_not_merged(first: Path, second: Path, tmp_path: Path) -> None:
    path = second / NAME / "study.json"
    definition = json.loads(path.read_text())
    definition["base"]["train"]["budget"]["amount"] = 1
    path.write_text(json.dumps(definition))
    with pytest.raises(InputError, match=r"was asked differently, base\.train\.budget\.amount: 4000 and 1"):
        merge_sets(first, second, tmp_path / "c")


def test_a_folder_in_use_and_a_set_without_studies_are_refused(first: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="out must be a folder that is empty or not there yet"):
        merge_sets(first, first, first)
    with pytest.raises(InputError, match="holds no results of a study"):
        merge_sets(first, tmp_path / "nothing", tmp_path / "c")


def test_of_two_records_of_one_study_that_of_the_run_is_meant(first: Path, second: Path, tmp_path: Path) -> None:
    own = first / "recall_photos" / "quick"
    shutil.copytree(second / NAME, own)
    merge_sets(first, second, tmp_path / "c")
    assert set(read_rows(tmp_path / "c" / "recall_photos" / "quick").cells["seed"]) == {1, 2}
    shutil.copytree(first / NAME, first / "copy")
    shutil.rmtree(first / "recall_photos")
    with pytest.raises(InputError, match="name a folder that holds one of them"):
        merge_sets(first, second, tmp_path / "d")
