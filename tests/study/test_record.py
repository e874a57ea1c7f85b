"""The columns of a record are its fields: what is recorded reaches the table of cells, what is new as well."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict, fields, make_dataclass
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
import pytest

from grla.errors import InputError
from grla.report import load_results
from grla.spec import RunSpec, with_changes
from grla.study import (
    CELL_COLUMNS,
    COSTS,
    NESTED,
    Factor,
    Layout,
    Outcome,
    Record,
    cell_identity,
    layout_to_json,
    require_no_cells_inside,
    text_columns,
)
from grla.study.record import text_fields

ROOT = Path(__file__).parents[2]


def filled() -> Record:
    """A record with a value of its own in every field that is not a table."""
    texts = text_fields(Record)
    names = [one.name for one in fields(Record) if one.name not in NESTED]
    values = {name: name if name in texts else float(index) for index, name in enumerate(names)}
    return Record(**(values | {"outcome": "ok"}))


def cells(path: Path, record: Record) -> pd.DataFrame:
    """The table of cells of a study in the storage `path` that holds `record` and nothing else."""
    layout = Layout("made_up", "?", "none", "smoke", "one_at_a_time", (Factor("kernel", {"relu": {}}, "relu"),))
    study = optuna.create_study(storage=f"sqlite:///{path}", study_name="s")
    study.set_user_attr("definition", json.dumps(layout_to_json(layout)))
    study.set_user_attr("baselines", "[]")
    kinds: dict[str, optuna.distributions.BaseDistribution] = {
        "kernel": optuna.distributions.CategoricalDistribution(["relu"]),
        "seed": optuna.distributions.IntDistribution(0, 9),
    }
    attributes = {"cell_hash": record.cell_hash, "record": json.dumps(asdict(record))}
    parameters: dict[str, Any] = {"kernel": "relu", "seed": 0}
    study.add_trial(optuna.trial.create_trial(value=1.0, params=parameters, distributions=kinds, user_attrs=attributes))
    return load_results(path, "s").cells


def test_every_field_that_is_no_table_is_a_column_with_its_value(tmp_path: Path) -> None:
    record = filled()
    (row,) = cells(tmp_path / "s.db", record).to_dict("records")
    expected = {name: value for name, value in asdict(record).items() if name not in NESTED}
    assert {name: row[name] for name in expected} == expected
    assert set(CELL_COLUMNS) == set(expected) - {"cell_hash"}


NEW_FIELDS = '    joules: float | None = measured("energy J", 2.0, ".1f")\n    note: str = "none"\n'
MUTANT = """
import sys
from pathlib import Path
import grla
from grla.study import COSTS, text_columns
from tests.study.test_record import cells, filled
assert grla.__file__.startswith(sys.argv[1])
print(cells(Path(sys.argv[1]) / "s.db", filled()).to_csv(index=False), end="")
print(COSTS["joules"].heading, COSTS["joules"].text(3), "note" in text_columns(), "joules" in text_columns(), sep=",")
"""


def test_a_new_field_of_the_record_cannot_be_missed(tmp_path: Path) -> None:
    """In a copy of the project with two fields more and no other change."""
    shutil.copytree(ROOT / "grla", tmp_path / "grla", ignore=shutil.ignore_patterns("__pycache__"))
    path = tmp_path / "grla" / "study" / "record.py"
    before, marker, after = path.read_text(encoding="utf-8").partition('    device: str = "cpu"\n')
    path.write_text(before + NEW_FIELDS + marker + after, encoding="utf-8")
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}"}
    command = [sys.executable, "-c", MUTANT, str(tmp_path)]
    done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    header, values, shown = done.stdout.splitlines()
    row = dict(zip(header.split(","), values.split(","), strict=True))
    assert row["note"] == "note"
    assert float(row["joules"]) > 0
    assert header.index("final_loss") < header.index("joules,note,device")
    assert shown == "energy J,6.0,True,False"


def test_text_columns_follow_the_types_whether_written_as_text_or_not() -> None:
    own = make_dataclass("Own", [("name", str), ("outcome", Outcome), ("count", int), ("loss", float | None)])
    assert text_fields(own) == ["name", "outcome"]
    assert text_fields(Record) == [
        "cell_hash",
        "outcome",
        "reason",
        "device",
        "gpu",
        "execution",
        "attention_path",
        "costs",
        "source",
        "code_version",
    ]
    assert {"test_set", "image", "test_images"} < set(text_columns())


def test_costs_are_shown_in_their_unit() -> None:
    assert (COSTS["macs"].heading, COSTS["macs"].text(78_214_000_000)) == ("MACs G", "78.21")
    assert (COSTS["num_params"].heading, COSTS["num_params"].text(885_300)) == ("params K", "885.3")


@pytest.mark.parametrize(
    ("changes", "same"),
    [
        ({"data.train": "elsewhere", "data.test": ("elsewhere",)}, True),
        ({"data.patch_size": 32}, False),
        ({"seed": 1}, False),
    ],
)
def test_a_cell_is_named_by_its_spec_but_for_the_folders_of_its_images(changes: dict[str, Any], same: bool) -> None:
    named = [
        cell_identity(spec, {"training": "a"}, "cpu", "s") for spec in (RunSpec(), with_changes(RunSpec(), changes))
    ]
    assert (named[0] == named[1]) == same


def test_a_cell_is_named_by_its_images_device_and_source_too() -> None:
    names = {
        cell_identity(RunSpec(), {"training": images}, device, source)
        for images, device, source in (("a", "cpu", "s"), ("b", "cpu", "s"), ("a", "cuda", "s"), ("a", "cpu", ""))
    }
    assert len(names) == 4


def test_only_a_folder_that_says_where_it_comes_from_is_one_of_the_first_layout(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").mkdir()
    require_no_cells_inside(tmp_path)  # as results/reference, which ships a network
    (tmp_path / "provenance.json").write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match="as an earlier version wrote"):
        require_no_cells_inside(tmp_path)
