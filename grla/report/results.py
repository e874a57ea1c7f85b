"""From the Optuna storage to tidy frames: one row per cell or trial, per image, and per validation."""

from __future__ import annotations

import json
import warnings
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import optuna
import pandas as pd
from optuna.trial import FrozenTrial

from grla.errors import InputError
from grla.study import (
    CELL_COLUMNS,
    CURVE_COLUMNS,
    GRADIENT_NORM,
    IMAGE_COLUMNS,
    VALIDATION_PSNR,
    Layout,
    layout_from_json,
)

TRIAL_COLUMNS = (
    "num_params macs hook_flops latency_ms peak_memory_mib train_seconds steps final_loss device code_version cell_hash"
).split()
FEWEST_FOR_IMPORTANCE = 4  # trials; of fewer nothing can be said


@dataclass(frozen=True)
class Results:
    """All that a storage holds of one study.

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


def load_results(storage: Path | str, study_name: str) -> Results:
    """Read study `study_name` from `storage`, a SQLite file or a URL; raises InputError when either does not exist."""
    study = load_trials(storage, study_name)
    definition = json.loads(study.user_attrs["definition"])
    layout = layout_from_json({**definition, "num_looks": study.user_attrs.get("num_looks", 1)})
    records = [(trial, json.loads(trial.user_attrs["record"])) for trial in accepted_trials(study)]
    keys = [_keys(trial, record, layout) for trial, record in records]
    cells = [
        key | {name: record.get(name) for name in CELL_COLUMNS} for key, (_, record) in zip(keys, records, strict=True)
    ]
    baselines = [{"cell_hash": row["variant"], **row} for row in json.loads(study.user_attrs["baselines"])]
    images = baselines + _rows(keys, records, "images")
    curves = _rows(keys, records, "history")
    # Longest rows first, so that the parts of a model stand in its order even where others have fewer.
    columns = dict.fromkeys(name for row in sorted(curves, key=len, reverse=True) for name in row)
    norms = [column for column in columns if column.startswith(GRADIENT_NORM)]
    names = ["cell_hash", "study", "variant", *(factor.name for factor in layout.factors), "seed"]
    return Results(
        layout,
        _frame(cells, names + CELL_COLUMNS),
        _frame(images, [name for name in names if name != "study"] + IMAGE_COLUMNS),
        _frame(curves, [name for name in names if name != "study"] + CURVE_COLUMNS + norms),
        definition,
    )


def load_trials(storage: Path | str, study_name: str) -> optuna.Study:
    """Optuna's study `study_name` in `storage`, a file or a URL; raises InputError when either does not exist."""
    try:
        return optuna.load_study(study_name=study_name, storage=_url(storage))
    except KeyError as error:
        shown = storage if isinstance(storage, Path) else "the storage"
        raise InputError(f"storage {shown} holds no study {study_name!r}") from error


@dataclass(frozen=True)
class TuningResults:
    """All that a storage holds of one search.

    `about` is its definition (`grla.study.search_text`). `trials`: trial (number), base (whether it is the base's
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


def load_tuning(storage: Path | str, study_name: str) -> TuningResults:
    """Read the search `study_name` from `storage`, a SQLite file or a URL; raises InputError as `load_results` does."""
    study = load_trials(storage, study_name)
    about = json.loads(study.user_attrs["search"])
    ended = [trial for trial in study.get_trials(deepcopy=False) if "outcome" in trial.user_attrs]
    parameters = [parameter["name"] for parameter in about["parameters"]]
    records = {trial.number: json.loads(trial.user_attrs["record"]) for trial in ended}
    changes = {trial.number: trial.user_attrs["changes"] for trial in ended}
    trials, curves = [], []
    for trial in ended:
        history = records[trial.number]["history"]
        row = {"trial": trial.number, "base": changes[trial.number] == about["start"]}
        row |= {name: trial.user_attrs.get(name, "") for name in ("outcome", "reason")}
        row |= {name: trial.params.get(name) for name in parameters}
        row[VALIDATION_PSNR] = history[-1][VALIDATION_PSNR] if history else None
        trials.append(row | {name: records[trial.number][name] for name in TRIAL_COLUMNS})
        curves += [{"trial": trial.number, **entry} for entry in history]
    columns = ["trial", "base", "outcome", "reason", *parameters, VALIDATION_PSNR, *TRIAL_COLUMNS]
    return TuningResults(
        about,
        pd.DataFrame(trials, columns=columns),
        pd.DataFrame(curves, columns=["trial", *CURVE_COLUMNS]),
        pd.DataFrame(_importances(study, about), columns=["objective", "parameter", "importance"]),
        changes,
    )


def stored_studies(storage: Path | str) -> list[tuple[str, dict[str, Any]]]:
    """Name and definition of every study in `storage`, in order of creation; others are left out."""
    summaries = optuna.get_all_study_summaries(_url(storage), include_best_trial=False)
    attributes = [(summary.study_name, summary.user_attrs) for summary in summaries]
    return [(name, json.loads(values["definition"])) for name, values in attributes if "definition" in values]


def _importances(study: optuna.Study, about: dict[str, Any]) -> list[dict[str, Any]]:
    if len(study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))) < FEWEST_FOR_IMPORTANCE:
        return []
    # Of a parameter that few trials have, the evaluator makes much by chance: gamma seemed to decide multiply-adds.
    rated = [parameter["name"] for parameter in about["parameters"] if parameter["when"] is None]
    rows = []
    for index, objective in enumerate([VALIDATION_PSNR, *about["minimise"]]):
        sign = -1 if index == 0 else 1  # the evaluator takes the low values of a target for the good ones
        with warnings.catch_warnings():  # it says so
            warnings.simplefilter("ignore", UserWarning)
            target = partial(_objective, index, sign)
            found = optuna.importance.get_param_importances(study, params=rated, target=target)
        rows += [{"objective": objective, "parameter": name, "importance": share} for name, share in found.items()]
    return rows


def _objective(index: int, sign: int, trial: FrozenTrial) -> float:
    return sign * float(trial.values[index])


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


def _url(storage: Path | str) -> str:
    """Optuna's name of a storage; raises InputError for a file that does not exist."""
    if isinstance(storage, str):
        return storage
    if not storage.is_file():
        raise InputError(f"storage {storage} does not exist; run a study first")
    return f"sqlite:///{storage.resolve()}"


def _keys(trial: FrozenTrial, record: dict[str, Any], layout: Layout) -> dict[str, Any]:
    levels = {factor.name: trial.params[factor.name] for factor in layout.factors}
    keys = {"cell_hash": record["cell_hash"], "study": layout.study, "variant": layout.variant(levels)}
    return {**keys, **levels, "seed": trial.params["seed"]}


def _rows(
    keys: list[dict[str, Any]], records: list[tuple[FrozenTrial, dict[str, Any]]], name: str
) -> list[dict[str, Any]]:
    """The rows of a nested table of all records, each with the keys of its cell."""
    return [{**key, **row} for key, (_, record) in zip(keys, records, strict=True) for row in record[name]]


def _frame(rows: list[dict[str, Any]], columns: list[str]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=list(dict.fromkeys(columns)))
    return frame.astype({"seed": "Int64"})
