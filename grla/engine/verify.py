"""Whether a study's record still is what the study's file, the protocol and the code's history say it is."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any

import pandas as pd

from grla.engine.material import identity
from grla.errors import InputError
from grla.provenance import PROTOCOL, commit_is_known
from grla.spec import RunSpec, from_dict, spec_hash, to_dict
from grla.study import OPEN_FIELDS, Cell, Study

Content = Mapping[str, Any]


def identity_faults(study: Study, definition: Content, about: Content, cells: pd.DataFrame) -> list[str]:
    """What does not match, one line each, of a record that ran `study`.

    `definition` is the record's study.json, `about` its provenance.json, `cells` its cells.csv. Checked: the protocol;
    that the study's file still defines this base and these levels; the definition's hash in the Optuna study's name;
    the hash of every cell, from the study's file, the recorded base, the images' checksums and the device; that every
    cell's code is a commit of this history.
    """
    faults = code_faults(set(cells["code_version"]))
    if about["protocol"] != PROTOCOL:
        faults.append(f"protocol: was {about['protocol']}, numbers now mean {PROTOCOL}")
    named = str(about["optuna_study"]).rpartition("-")[2]
    # How often a study may be looked at is no part of what it asks.
    asked = {name: value for name, value in definition.items() if name != "num_looks"}
    if spec_hash({**asked, "images": about["image_checksums"]})[:8] != named:
        faults.append(f"study.json: its hash is not {named}, which the study's name {about['optuna_study']} carries")
    try:
        faults += _study_faults(study, definition, about.get("base_changes", {}))
        planned = recorded_cells(study, definition, num_seeds=1 + int(cells["seed"].max()))
    except (InputError, TypeError, ValueError) as error:
        return [*faults, f"study.json: the study's file does not give such cells any more: {error}"]
    images = [about["image_checksums"], *about.get("other_images", [])]
    return faults + _cell_faults(planned, images, cells)


def code_faults(versions: Iterable[str]) -> list[str]:
    """The code versions that nobody can look up: changed after the commit, or of another history.

    Outside of a checkout, or with a history cut short, nothing is known and nothing is flagged.
    """
    faults = [f"code {v}: files had been changed after the commit" for v in sorted(versions) if v.endswith("-dirty")]
    clean = sorted(v for v in versions if not v.endswith("-dirty"))
    return faults + [f"code {v}: is no commit of this history" for v in clean if commit_is_known(v) is False]


def recorded_cells(study: Study, definition: Content, num_seeds: int) -> tuple[Cell, ...]:
    """The cells that the study's file gives today around the recorded base."""
    name = definition["profile"]
    base = from_dict(RunSpec, {**definition["base"], "seed": 0})
    profile = dataclasses.replace(study.profile(name), changes={})
    return dataclasses.replace(study, base=base, profiles={name: profile}).cells(name, {}, num_seeds)


def base_faults(recorded: Content, today: RunSpec) -> list[str]:
    """The fields in which a recorded base differs from that which the file gives today; some are open to every run."""
    then, now = (_flat({**spec, "seed": 0}) for spec in (recorded, to_dict(today)))
    return [
        f"{path}: was {then.get(path)!r}, the study's file now says {now.get(path)!r}"
        for path in sorted({*then, *now})
        if then.get(path) != now.get(path) and not path.startswith(OPEN_FIELDS)
    ]


def _study_faults(study: Study, definition: Content, changes: Content) -> list[str]:
    """The base and levels in which the study's file of today, with the run's `changes`, differs from the record."""
    faults = base_faults(definition["base"], study.cells(definition["profile"], changes, seeds=1)[0].spec)
    levels = {factor.name: list(factor.levels) for factor in study.resolved_factors(definition["profile"])}
    for factor in definition["factors"]:
        found = levels.get(factor["name"])
        if found != factor["levels"]:
            faults.append(f"factor {factor['name']}: had the levels {factor['levels']}, now {found}")
    return faults


def _cell_faults(planned: tuple[Cell, ...], images: list[dict[str, str]], cells: pd.DataFrame) -> list[str]:
    specs = {(cell.variant, cell.spec.seed): cell.spec for cell in planned}
    faults = []
    for row in cells.to_dict("records"):
        spec = specs.get((row["variant"], int(row["seed"])))
        name = f"cell {row['cell_hash']} ({row['variant']}, seed {row['seed']})"
        if spec is None:
            faults.append(f"{name}: the study's file does not define it")
        elif row["cell_hash"] not in {identity(spec, checksums, str(row["device"])) for checksums in images}:
            faults.append(f"{name}: is not the hash of its spec, images, protocol and device")
    return faults


def _flat(spec: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """A spec's fields by dotted path."""
    flat: dict[str, Any] = {}
    for name, value in spec.items():
        flat |= _flat(value, f"{prefix}{name}.") if isinstance(value, Mapping) else {f"{prefix}{name}": value}
    return flat
