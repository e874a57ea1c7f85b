"""The results of studies and searches as tidy frames: from the Optuna storage, or from the CSV files of a folder.

A study's rows are one per cell, per test image and per validation; a search's one per trial and per validation. Tables
and figures are made from a folder's files alone, so that they can be made again where the storage is not at hand.
"""

from __future__ import annotations

import functools
import json
import warnings
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
from optuna.trial import FrozenTrial

from grla.errors import InputError, require_choice
from grla.files import sqlite_url, write_text
from grla.report.statistics.equivalence import Equivalence, equivalence, gains_by_variant
from grla.report.statistics.verdicts import Difference, study_differences
from grla.spec import spec_hash
from grla.study import (
    CELL_COLUMNS,
    CURVE_COLUMNS,
    GRADIENT_NORM,
    IMAGE_COLUMNS,
    VALIDATION_PSNR,
    Layout,
    layout_from_json,
    require_no_cells_inside,
    text_columns,
)

DEFINITION, SEARCH_DEFINITION, PROVENANCE = "study.json", "search.json", "provenance.json"
CONFIRMATION = "confirmation.csv"
ROWS, SEARCH_ROWS = ("cells", "images", "curves"), ("trials", "curves", "importances")
TRIAL_COLUMNS = [name for name in CELL_COLUMNS if name not in ("outcome", "reason", "psnr_y", "ssim_y")] + ["cell_hash"]
"""The columns of a trial after its outcome, parameters and validation PSNR-Y: no trial is scored on test images."""
TEXTS = ("study", "variant", "objective", "parameter", "shown", "verdict", *text_columns())
"""The columns that hold text, and each factor; all others but a search's parameters hold numbers."""
FEWEST_FOR_IMPORTANCE = 4  # trials; of fewer nothing can be said


@dataclass(frozen=True)
class Results:
    """All that was measured in one study.

    `cells`: cell_hash, study, variant, a column per factor, seed, then `grla.study.CELL_COLUMNS`; a row per cell, the
    accepted record or, if there is none, the latest failed one. `images`: cell_hash, variant, factors, seed, then
    IMAGE_COLUMNS, the baselines' rows (bicubic, say; they have no seed) first. `curves`: the same keys, then
    CURVE_COLUMNS and a column per part of the model with its gradient norm. `definition` is what the run recorded of
    the study: what its layout holds, the base run's spec, the code of each variant.
    """

    layout: Layout
    cells: pd.DataFrame
    images: pd.DataFrame
    curves: pd.DataFrame
    definition: dict[str, Any]

    @property
    def base(self) -> dict[str, Any]:
        """The base run's spec."""
        base: dict[str, Any] = self.definition["base"]
        return base

    @functools.cached_property
    def differences(self) -> dict[str, Difference]:
        """Every variant's difference to the base of its group, with the study's corrected verdicts; computed once."""
        return study_differences(self.layout, self.images)

    @functools.cached_property
    def equivalences(self) -> dict[str, Equivalence]:
        """By variant, what the study says of its equality with the base within the layout's margin.

        What was not compared is left out: that is not open, it is not known.
        """
        gains, compared = gains_by_variant(self.cells), self.differences.items()
        known = [(name, found) for name, found in compared if found.verdict != "not compared"]
        return {name: equivalence(found, self.layout.margin, gains, name) for name, found in known}


@dataclass(frozen=True)
class TuningResults:
    """All that was measured in one search.

    `about` is its definition (`grla.study.definition_of`). `trials`: trial (number), base (whether it is the base's
    configuration), outcome, reason, a column per parameter (empty where it does not exist), val_psnr_y (dB, at the last
    validation it reached), then TRIAL_COLUMNS; a row per trial that has an outcome. `curves`: trial and a validation's
    columns. `importances`: objective, parameter, importance (each objective's add up to 1; of trained trials, how much
    a parameter tells the best of them from the others, by PED-ANOVA; parameters that every trial has). `changes`: each
    trial's spec fields.
    """

    about: dict[str, Any]
    trials: pd.DataFrame
    curves: pd.DataFrame
    importances: pd.DataFrame
    changes: dict[int, dict[str, Any]]


# From a storage.


def load_results(storage: Path | str, study_name: str) -> Results:
    """Read study `study_name` from `storage`, a SQLite file or a URL; raises InputError when either does not exist."""
    study = load_trials(storage, study_name)
    definition = json.loads(study.user_attrs["definition"])
    layout = layout_from_json({**definition, "num_looks": study.user_attrs.get("num_looks", 1)})
    records = [(trial, json.loads(trial.user_attrs["record"])) for trial in accepted_trials(study)]
    keyed = [(_keys(trial, record, layout), record) for trial, record in records]
    cells = [keys | {name: record.get(name) for name in CELL_COLUMNS} for keys, record in keyed]
    baselines = [{"cell_hash": row["variant"], **row} for row in json.loads(study.user_attrs["baselines"])]
    images = baselines + [keys | row for keys, record in keyed for row in record["images"]]
    curves = [keys | row for keys, record in keyed for row in record["history"]]
    # Longest rows first, so that the parts of a model stand in its order even where others have fewer.
    columns = dict.fromkeys(name for row in sorted(curves, key=len, reverse=True) for name in row)
    norms = [column for column in columns if column.startswith(GRADIENT_NORM)]
    keys = ["cell_hash", "variant", *(factor.name for factor in layout.factors), "seed"]
    return Results(
        layout,
        _frame(cells, ["cell_hash", "study", *keys[1:], *CELL_COLUMNS]),
        _frame(images, keys + IMAGE_COLUMNS),
        _frame(curves, keys + CURVE_COLUMNS + norms),
        definition,
    )


def load_tuning(storage: Path | str, study_name: str) -> TuningResults:
    """Read the search `study_name` from `storage`, a SQLite file or a URL; raises InputError as `load_results` does."""
    study = load_trials(storage, study_name)
    about = json.loads(study.user_attrs["search"])
    ended = [trial for trial in study.get_trials(deepcopy=False) if "outcome" in trial.user_attrs]
    parameters = [parameter["name"] for parameter in about["parameters"]]
    changes = {trial.number: trial.user_attrs["changes"] for trial in ended}
    trials, curves = [], []
    for trial in ended:
        record = json.loads(trial.user_attrs["record"])
        history = record["history"]
        row = {"trial": trial.number, "base": changes[trial.number] == about["start"]}
        row |= {name: trial.user_attrs.get(name, "") for name in ("outcome", "reason")}
        row |= {name: trial.params.get(name) for name in parameters}
        row[VALIDATION_PSNR] = history[-1][VALIDATION_PSNR] if history else None
        trials.append(row | {name: record.get(name) for name in TRIAL_COLUMNS})
        curves += [{"trial": trial.number, **entry} for entry in history]
    columns = ["trial", "base", "outcome", "reason", *parameters, VALIDATION_PSNR, *TRIAL_COLUMNS]
    return TuningResults(
        about,
        pd.DataFrame(trials, columns=columns).astype({"base": bool, VALIDATION_PSNR: float}),
        pd.DataFrame(curves, columns=["trial", *CURVE_COLUMNS]),
        pd.DataFrame(_importances(study, about), columns=["objective", "parameter", "importance"]),
        changes,
    )


def load_trials(storage: Path | str, study_name: str) -> optuna.Study:
    """Optuna's study `study_name` in `storage`, a file or a URL; raises InputError when either does not exist.

    One that was renamed, as the dashboard can, is known by its definition, whose hash ends the name that runs give.
    """
    url = _url(storage)
    try:
        return optuna.load_study(study_name=study_name, storage=url)
    except KeyError as error:
        for summary in optuna.get_all_study_summaries(url, include_best_trial=False):
            definition = summary.user_attrs.get("definition", summary.user_attrs.get("search", "null"))
            if spec_hash(json.loads(definition))[:8] == study_name.rpartition("-")[2]:
                return optuna.load_study(study_name=summary.study_name, storage=url)
        shown = storage if isinstance(storage, Path) else "the storage"
        raise InputError(f"storage {shown} holds no study {study_name!r}") from error


def accepted_trials(study: optuna.Study) -> list[FrozenTrial]:
    """One trial per cell hash: the first that finished, else the latest that failed; in the order of first planning."""
    chosen: dict[str, FrozenTrial] = {}
    for trial in study.get_trials(deepcopy=False):
        if "record" not in trial.user_attrs:
            continue
        cell = trial.user_attrs["cell_hash"]
        if cell not in chosen or chosen[cell].state == optuna.trial.TrialState.FAIL:
            chosen[cell] = trial
    return list(chosen.values())


def export(storage: Path | str, study_name: str, path: Path) -> None:
    """Write a row per cell to `path`: the cells of `load_results` as .csv, or whole records as .jsonl (JSON lines).

    A cell's record is the accepted one or, if there is none, the latest failed one. Raises InputError for another
    suffix, and as `load_results` does.
    """
    require_choice("path: the file's suffix", path.suffix, (".csv", ".jsonl"))
    if path.suffix == ".csv":
        return write_text(path, load_results(storage, study_name).cells.to_csv(index=False))
    rows = []
    for trial in accepted_trials(load_trials(storage, study_name)):
        about = {"study": study_name, "variant": trial.user_attrs["variant"], "levels": trial.params}
        about["worker"] = trial.user_attrs.get("worker")
        rows.append(json.dumps(about | json.loads(trial.user_attrs["record"])) + "\n")
    write_text(path, "".join(rows))


# From and to a folder.


def folders_of(kind: str, root: Path) -> list[Path]:
    """The folders at, in and two below `root` whose provenance names a `kind`, in alphabetical order."""
    found = (path.parent for depth in ("", "*/", "*/*/") for path in root.glob(depth + PROVENANCE))
    return sorted(folder for folder in found if kind in read_json(folder / PROVENANCE))


def study_results(folder: Path) -> Results:
    """A study's results: from the storage where the folder is one that a run wrote, else from its rows.

    A run writes OUT/STUDY/PROFILE, and its storage lies in OUT. After a run that was stopped it holds more than the
    folder's rows.
    """
    storage = own_storage(folder)
    return load_results(*storage) if storage else read_rows(folder)


def search_results(folder: Path) -> TuningResults:
    """A search's results, from the storage or the rows as `study_results` does."""
    storage = own_storage(folder)
    return load_tuning(*storage) if storage else read_search_rows(folder)


def own_storage(folder: Path) -> tuple[Path, str] | None:
    """The storage of the run that wrote `folder` and its study's name there; None where there is none.

    Raises InputError for a folder of the first layout.
    """
    require_no_cells_inside(folder)
    about = read_json(folder / PROVENANCE)
    path = folder.resolve()
    storage = path.parents[1] / about["storage"]
    is_own = (path.parent.name, path.name) == (about.get("study", about.get("search")), about["profile"])
    return (storage, about["optuna_study"]) if is_own and storage.is_file() else None


def cell_folder(folder: Path, cell_hash: str) -> Path:
    """Where the files of a cell lie (pictures, weights, logs) that the study in `folder` holds; it need not exist.

    That is OUT/cells/HASH, for a study in OUT/STUDY/PROFILE whose provenance names no other "cells_folder", absolute or
    seen from `folder`.
    """
    about = read_json(folder / PROVENANCE) if (folder / PROVENANCE).is_file() else {}
    return folder / Path(about.get("cells_folder", folder.resolve().parents[1] / "cells")) / cell_hash


def write_rows(results: Results, folder: Path) -> None:
    """Write cells.csv, images.csv, curves.csv and study.json (what was asked, and the base run)."""
    asked = {name: value for name, value in results.definition.items() if name != "images"}
    _write(results, ROWS, folder / DEFINITION, {**asked, "num_looks": results.layout.num_looks})


def read_rows(folder: Path) -> Results:
    """What `write_rows` wrote, to the last bit; raises InputError for a file that is missing or incomplete."""
    definition = read_json(folder / DEFINITION)
    layout = layout_from_json(definition)
    texts = [*TEXTS, *(factor.name for factor in layout.factors)]
    cells, images, curves = (_read(folder / f"{name}.csv", texts).astype({"seed": "Int64"}) for name in ROWS)
    return Results(layout, cells, images, curves, definition)


def write_search_rows(results: TuningResults, folder: Path) -> None:
    """Write trials.csv, curves.csv, importances.csv and search.json (what was asked, and each trial's spec fields)."""
    definition = {"about": results.about, "changes": results.changes}
    _write(results, SEARCH_ROWS, folder / SEARCH_DEFINITION, definition)


def read_search_rows(folder: Path) -> TuningResults:
    """What `write_search_rows` wrote; raises InputError for a file that is missing or incomplete."""
    about = read_json(folder / SEARCH_DEFINITION)["about"]
    # A parameter and a column of the curves may have the same name, as "loss".
    chosen = {"trials": about["parameters"]}
    trials, curves, importances = (_read(folder / f"{name}.csv", TEXTS, chosen.get(name, ())) for name in SEARCH_ROWS)
    return TuningResults(about, trials, curves, importances, trial_changes(folder))


def trial_changes(folder: Path) -> dict[int, dict[str, Any]]:
    """The spec fields of each trial of the search in `folder`, by number; none where there is no search."""
    path = folder / SEARCH_DEFINITION
    return {int(trial): fields for trial, fields in read_json(path)["changes"].items()} if path.is_file() else {}


def read_confirmation(folder: Path) -> pd.DataFrame | None:
    """What confirming the best trials gave (`confirmation`), None where that was not done."""
    return _read(folder / CONFIRMATION, TEXTS) if (folder / CONFIRMATION).is_file() else None


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file that a command or a report wrote; raises InputError for one that is missing or incomplete."""
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    return content


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError(f"cannot read {path}: {error}; write it again with the command that made it")


def _write(results: Results | TuningResults, names: Sequence[str], path: Path, definition: Mapping[str, Any]) -> None:
    for name in names:
        write_text(path.with_name(f"{name}.csv"), getattr(results, name).to_csv(index=False))
    write_text(path, json.dumps(definition, indent=2) + "\n")


def _read(path: Path, texts: Collection[str], parameters: Sequence[Mapping[str, Any]] = ()) -> pd.DataFrame:
    """A CSV of text, numbers (NaN where nothing was measured) and parameters as they were chosen (None: there is none).

    The column "base" is true or false.
    """
    known = {str(one["name"]): one for one in parameters}
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
        for name in map(str, frame):
            if name in known:
                values = [_chosen(known[name], text) for text in frame[name]]
                frame[name] = pd.Series(values, index=frame.index, dtype=object)
            elif name == "base":
                frame[name] = frame[name] == "True"
            elif name not in texts:
                numbers = frame[name].replace("", "nan").astype(float)
                frame[name] = numbers.astype(int) if frame[name].str.isdecimal().all() else numbers
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error
    return frame


def _chosen(parameter: Mapping[str, Any], text: str) -> Any:
    """The value that a cell of a parameter's column holds; whole numbers beside empty cells were written as floats."""
    if text == "":
        return None
    if parameter["kind"] == "Choice":
        choices = {written: one for one in parameter["choices"] for written in (str(one), f"{one}.0")}
        if text not in choices:
            raise ValueError(f"{parameter['name']} must be one of {parameter['choices']}, got {text!r}")
        return choices[text]
    return float(text) if parameter["kind"] == "Float" else int(float(text))


def _importances(study: optuna.Study, about: dict[str, Any]) -> list[dict[str, Any]]:
    if len(study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))) < FEWEST_FOR_IMPORTANCE:
        return []
    # Of a parameter that few trials have, the evaluator makes much by chance: gamma seemed to decide multiply-adds.
    rated = [parameter["name"] for parameter in about["parameters"] if parameter["when"] is None]
    rows = []
    for index, objective in enumerate([VALIDATION_PSNR, *about["minimise"]]):
        sign = -1 if index == 0 else 1  # the evaluator takes the low values of a target for the good ones
        with warnings.catch_warnings():  # of few trials it warns that all importances are equal
            warnings.simplefilter("ignore", UserWarning)
            target = functools.partial(_objective, index, sign)
            found = optuna.importance.get_param_importances(study, params=rated, target=target)
        rows += [{"objective": objective, "parameter": name, "importance": share} for name, share in found.items()]
    return rows


def _objective(index: int, sign: int, trial: FrozenTrial) -> float:
    return sign * float(trial.values[index])


def _url(storage: Path | str) -> str:
    """Optuna's name of a storage; raises InputError for a file that does not exist."""
    if isinstance(storage, str):
        return storage
    if not storage.is_file():
        raise InputError(f"storage {storage} does not exist; run a study first")
    return sqlite_url(storage.resolve())


def _keys(trial: FrozenTrial, record: dict[str, Any], layout: Layout) -> dict[str, Any]:
    levels = {factor.name: trial.params[factor.name] for factor in layout.factors}
    keys = {"cell_hash": record["cell_hash"], "study": layout.study, "variant": layout.variant(levels)}
    return {**keys, **levels, "seed": trial.params["seed"]}


def _frame(rows: list[dict[str, Any]], columns: list[str]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(dict.fromkeys(columns)))
    unknown = [name for name in frame if name not in TEXTS and frame[name].isna().all()]  # numbers, as read from a file
    return frame.astype({**dict.fromkeys(unknown, float), "seed": "Int64"})
