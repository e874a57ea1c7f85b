"""Whether a record still agrees with the file of its study or search, the protocol, and the history of the code."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from grla.errors import InputError
from grla.provenance import PROTOCOL, commit_is_known
from grla.report.results import (
    DEFINITION,
    PROVENANCE,
    ROWS,
    TuningResults,
    own_storage,
    read_json,
    study_results,
    trial_changes,
)
from grla.spec import Budget, RunSpec, as_tuples, from_dict, spec_hash, to_dict, with_changes
from grla.study import (
    COMPARE,
    CONFIRMED,
    DIM,
    OPEN_FIELDS,
    RATES,
    TUNING_SEED,
    Cell,
    Changes,
    Factor,
    Search,
    Size,
    Study,
    cell_identity,
    confirming_study,
    definition_of,
    layout_from_json,
    layout_to_json,
    load_search,
    load_study,
    rates_study,
    recompared_study,
    trial_label,
)

Content = Mapping[str, Any]


def identity_faults(study: Study, definition: Content, about: Content, cells: pd.DataFrame) -> list[str]:
    """What does not match, one line each, of a record that ran `study`.

    `definition` is the record's study.json, `about` its provenance.json, `cells` its cells.csv. Checked: the protocol;
    that the study's file still defines this base and these levels; the definition's hash in the Optuna study's name;
    the hash of every cell, from the study's file, the recorded base, the images' checksums, the device and the source;
    that every cell's code is a commit of this history.
    """
    # The number of looks is not part of what a study asks.
    asked = {name: value for name, value in definition.items() if name != "num_looks"}
    faults = _record_faults({**asked, "images": about["image_checksums"]}, about, set(cells["code_version"]))
    try:
        faults += _study_faults(study, definition, _base_changes(about))
        planned = recorded_cells(study, definition, num_seeds=1 + int(cells["seed"].max()))
    except (InputError, TypeError, ValueError) as error:
        return [*faults, f"study.json: the study's file does not give such cells any more: {error}"]
    images = [about["image_checksums"], *about.get("other_images", [])]
    return faults + _cell_faults(planned, images, cells)


def search_identity_faults(search: Search, results: TuningResults, about: Content) -> list[str]:
    """What does not match, one line each, of the record `results` that ran `search`; `about` is its provenance.json.

    Checked as in `identity_faults`, and that the search's file still gives this base, these parameters, limits and
    aims.
    """
    definition, trials = results.about, results.trials
    faults = _record_faults(definition, about, set(trials["code_version"]) - {""})
    try:
        space = search.space(definition["profile"], {})
        base = from_dict(RunSpec, {**definition["base"], "seed": TUNING_SEED})
    except (InputError, TypeError, ValueError) as error:
        return [*faults, f"search.json: the search's file does not give such trials any more: {error}"]
    today = definition_of(search, definition["profile"], space, definition["images"], definition.get("code", ()))
    faults += base_faults(definition["base"], space.base)
    for name in ("parameters", "limits", "minimise", "start"):
        if to_dict(today[name]) != definition[name]:
            faults.append(f"{name}: were {definition[name]}, the search's file now says {to_dict(today[name])}")
    for row in trials[trials["cell_hash"] != ""].to_dict("records"):
        spec = with_changes(base, results.changes[int(row["trial"])])
        if row["cell_hash"] != _identity(spec, definition["images"], row):
            faults.append(f"trial {row['trial']}: {row['cell_hash']} is not the hash of its spec, images and protocol")
    return faults


def row_faults(folder: Path) -> list[str]:
    """Rows of a study's `folder` that are not those of its storage, where it has one."""
    if own_storage(folder) is None:
        return []
    stored = study_results(folder)
    return [
        f"{name}.csv: is not what the storage holds"
        for name in ROWS
        if (folder / f"{name}.csv").read_text(encoding="utf-8") != getattr(stored, name).to_csv(index=False)
    ]


def code_faults(versions: Iterable[str]) -> list[str]:
    """Code versions that cannot be looked up: files were changed after the commit, or it is of another history.

    Outside of a checkout, or with a history cut short, nothing is known and nothing is flagged.
    """
    faults = [f"code {v}: files had been changed after the commit" for v in sorted(versions) if v.endswith("-dirty")]
    clean = sorted(v for v in versions if not v.endswith("-dirty"))
    return faults + [f"code {v}: is no commit of this history" for v in clean if commit_is_known(v) is False]


def recorded_study(folder: Path) -> Study:
    """The study recorded in `folder`, made from the files of today, with what the run chose for itself.

    Of a study at equal cost these are the recorded widths; of one that tries learning rates the rates; of a comparison,
    which has no file, the models; of a confirmation the configurations, which must be among the trials of the search,
    whose folder lies beside this one. Each variant's own rate is one of any study's. Raises InputError when there is no
    such file, or when what was recorded cannot come from it.
    """
    layout = layout_from_json(read_json(folder / DEFINITION))
    file = layout.file or layout.study.removesuffix(CONFIRMED)
    if layout.study.endswith(CONFIRMED):
        # The path is the search's but for the ending of the search's name.
        before, _, after = str(folder.resolve()).rpartition(CONFIRMED)
        trials = trial_changes(Path(before + after))
        chosen = {number: trials[number] for number in _confirmed(layout.factors[0], trials)}
        return confirming_study(load_search(file), layout.profile, chosen)
    asked = recompared_study(layout) if file == COMPARE else load_study(file)
    study = dataclasses.replace(asked, rates=layout.rates, sizes=layout.sizes)
    if layout.study.endswith(RATES):
        tried = [float(label) for label in layout.factors[-1].levels]
        name = layout.study.removesuffix(RATES)
        dims = {label: changes[DIM] for label, changes in layout.factors[0].levels.items() if DIM in changes}
        # At equal cost; otherwise it is the file that gives the dims.
        sizes = {variant: Size(int(str(dim)), 1.0) for variant, dim in dims.items() if name != file}
        study = dataclasses.replace(study, name=name, sizes=sizes)
        base = study.cells(layout.profile, _base_changes(read_json(folder / PROVENANCE)), seeds=1)[0].spec
        return rates_study(study, layout.profile, base, tried)
    return dataclasses.replace(study, name=layout.study) if layout.sizes else study


def recorded_cells(study: Study, definition: Content, num_seeds: int) -> tuple[Cell, ...]:
    """The cells that the study's file gives today around the recorded base."""
    name = definition["profile"]
    base = from_dict(RunSpec, {**definition["base"], "seed": 0})
    profile = dataclasses.replace(study.profile(name), changes={})
    return dataclasses.replace(study, base=base, profiles={name: profile}).cells(name, {}, num_seeds)


def base_faults(recorded: Content, today: RunSpec) -> list[str]:
    """The fields in which a recorded base differs from that of today; every run may choose OPEN_FIELDS as it likes."""
    then, now = (flat({**spec, "seed": 0}) for spec in (recorded, to_dict(today)))
    return [
        f"{path}: was {then.get(path)!r}, the study's file now says {now.get(path)!r}"
        for path in sorted({*then, *now})
        if then.get(path) != now.get(path) and not path.startswith(OPEN_FIELDS)
    ]


def flat(content: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A spec's fields, or those of any nested content, by dotted path."""
    found: dict[str, Any] = {}
    for name, value in content.items():
        found |= flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return found


def _base_changes(about: Content) -> dict[str, object]:
    """What a run changed in its study's base, by its provenance.json."""
    return {path: as_tuples(value) for path, value in about.get("base_changes", {}).items()}


def _record_faults(definition: Content, about: Content, versions: set[str]) -> list[str]:
    """What does not match of the code, the protocol, and the definition's hash in the Optuna study's name."""
    faults = code_faults(versions)
    if about["protocol"] != PROTOCOL:
        faults.append(f"protocol: was {about['protocol']}, numbers now mean {PROTOCOL}")
    named = str(about["optuna_study"]).rpartition("-")[2]
    if spec_hash(definition)[:8] != named:
        faults.append(f"definition: its hash is not {named}, which the study's name {about['optuna_study']} carries")
    return faults


def _study_faults(study: Study, definition: Content, changes: Content) -> list[str]:
    """The base and levels in which the study's file of today, with the run's `changes`, differs from the record."""
    # The budget is open, and what else was changed may not go with that of the file.
    budget = Budget(**definition["base"]["train"]["budget"])
    base = study.cells(definition["profile"], {**changes, "train.budget": budget}, seeds=1)[0].spec
    faults = base_faults(definition["base"], base)
    today = {one["name"]: one for one in layout_to_json(study.layout(definition["profile"], base))["factors"]}
    for factor in definition["factors"]:
        then, now = factor["levels"], today.get(factor["name"], {}).get("levels", {})
        if list(then) != list(now):
            faults.append(f"factor {factor['name']}: had the levels {list(then)}, now {list(now)}")
        elif isinstance(then, dict) and then != now:  # records of the first format name their levels only
            faults.append(f"factor {factor['name']}: its levels changed {then}, now {now}")
    return faults


def _cell_faults(planned: tuple[Cell, ...], images: list[dict[str, str]], cells: pd.DataFrame) -> list[str]:
    specs = {(cell.variant, cell.spec.seed): cell.spec for cell in planned}
    faults = []
    for row in cells.to_dict("records"):
        spec = specs.get((row["variant"], int(row["seed"])))
        name = f"cell {row['cell_hash']} ({row['variant']}, seed {row['seed']})"
        if spec is None:
            faults.append(f"{name}: the study's file does not define it")
        elif row["cell_hash"] not in {_identity(spec, checksums, row) for checksums in images}:
            faults.append(f"{name}: is not the hash of its spec, images, protocol, device and source")
    return faults


def _identity(spec: RunSpec, images: Mapping[str, str], row: Mapping[Any, Any]) -> str:
    return cell_identity(spec, images, str(row["device"]), str(row.get("source", "")))


def _confirmed(factor: Factor, trials: Mapping[int, Changes]) -> list[int]:
    """The numbers of the trials that a study of confirmation has as levels; InputError for one that is not there."""
    levels = dict(factor.levels)
    levels.pop(factor.base)
    # Records of the first format name their levels only: there the label is all that is known.
    named = {trial_label(number): changes for number, changes in trials.items()}
    wanted = {label: changes or named.get(label) for label, changes in levels.items()}
    known = {spec_hash(changes): number for number, changes in trials.items()}
    missing = [label for label, changes in wanted.items() if spec_hash(changes) not in known]
    if missing:
        raise InputError(f"the search's record must hold the confirmed trials {missing}; keep both side by side")
    return [known[spec_hash(changes)] for changes in wanted.values()]
