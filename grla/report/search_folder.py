"""A search's folder as a record of its own: its trials as CSV, its definition, and the way back from them to frames."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from grla.errors import InputError
from grla.files import write_text
from grla.report.folder import folders_of, own_storage, read_json
from grla.report.results import TuningResults, load_tuning

ROWS = ("trials", "curves", "importances")
DEFINITION, CONFIRMATION = "search.json", "confirmation.csv"
TEXTS = ("outcome", "reason", "cell_hash", "code_version", "device", "objective", "parameter", "shown", "verdict")


def write_search_rows(results: TuningResults, folder: Path) -> None:
    """Write trials.csv, curves.csv, importances.csv and search.json (what was asked, and each trial's spec fields)."""
    for name in ROWS:
        write_text(folder / f"{name}.csv", getattr(results, name).to_csv(index=False))
    write_text(folder / DEFINITION, json.dumps({"about": results.about, "changes": results.changes}, indent=2) + "\n")


def read_search_rows(folder: Path) -> TuningResults:
    """What `write_search_rows` wrote; raises InputError for a file that is missing or torn."""
    definition = read_json(folder / DEFINITION)
    about = definition["about"]
    # A parameter and a column of the curves may have the same name, as "loss".
    chosen = {"trials": about["parameters"]}
    trials, curves, importances = (_read(folder / f"{name}.csv", chosen.get(name, ())) for name in ROWS)
    changes = {int(trial): fields for trial, fields in definition["changes"].items()}
    return TuningResults(about, trials, curves, importances, changes)


def read_confirmation(folder: Path) -> pd.DataFrame | None:
    """What confirming the best trials gave (`confirmation`), None where that was not done."""
    return _read(folder / CONFIRMATION, ()) if (folder / CONFIRMATION).is_file() else None


def search_results(folder: Path) -> TuningResults:
    """A search's results: from the storage where the folder is one that a run wrote, else from its rows."""
    storage = own_storage(folder)
    return load_tuning(*storage) if storage else read_search_rows(folder)


def search_folders(root: Path) -> list[Path]:
    """The searches' folders at, in and two below `root`, in alphabetical order."""
    return folders_of("search", root)


def confirmed_trials(folder: Path, ending: str) -> dict[int, dict[str, Any]]:
    """The spec fields of a search's trials, for the folder of the study that confirms some of them.

    That folder's path is the search's but for `ending` after the search's name. Without a search there: none.
    """
    before, _, after = str(folder.resolve()).rpartition(ending)
    path = Path(before + after) / DEFINITION
    return {int(trial): fields for trial, fields in read_json(path)["changes"].items()} if path.is_file() else {}


def _read(path: Path, parameters: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """A CSV of a search, its parameters as they were chosen, None where one does not exist."""
    known = {str(one["name"]): one for one in parameters}
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
        for name in frame.columns.difference(list(TEXTS)):
            if name in known:
                values = [_value(known[name], text) for text in frame[name]]
                frame[name] = pd.Series(values, index=frame.index, dtype=object)
            elif name == "base":
                frame[name] = frame[name] == "True"
            else:
                frame[name] = pd.to_numeric(frame[name].where(frame[name] != ""))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {error}; write it again with run_tuning.py or report.py") from error
    return frame


def _value(parameter: Mapping[str, Any], text: str) -> Any:
    """The value that a cell of a parameter's column holds; whole numbers beside empty cells were written as floats."""
    if text == "":
        return None
    if parameter["kind"] == "Choice":
        choices = {written: one for one in parameter["choices"] for written in (str(one), f"{one}.0")}
        if text not in choices:
            raise ValueError(f"{parameter['name']} must be one of {parameter['choices']}, got {text!r}")
        return choices[text]
    return float(text) if parameter["kind"] == "Float" else int(float(text))
