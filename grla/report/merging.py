"""Two sets of results become one: the cells of both, each once, and the reports on all of them.

A cell's hash names all that its scores and counts depend on, so cells of one hash must agree in them; what was
measured on a machine (times, memory) may differ, and stays as the first set has it.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd

from grla.errors import InputError, require
from grla.files import write_text
from grla.report.kinds import find_kinds, study
from grla.report.results import PROVENANCE, TEXTS, Results, write_rows
from grla.report.sets import StudyRecord, asked_differently, studies_in

FINISHED = ("ok", "diverged")
"""Outcomes that stay; a cell that failed otherwise is one that nobody has run yet."""
EQUAL_CELLS = (
    "outcome", "psnr_y", "ssim_y", "num_params", "macs", "hook_flops", "elementwise_ops", "num_features", "steps",
    "gain_db", "final_loss",
)  # fmt: skip
"""The columns in which cells of one hash must agree."""
PLACES = ["cell_hash", "test_images", "test_set", "image"]


def merge_sets(first: Path, second: Path, out: Path) -> list[str]:
    """Write the studies of both folders to `out`, with their reports; returns what was not merged, one line each.

    A study lies where the first set that has it keeps it. Records of other kinds are taken over from the first set that
    has them. Raises InputError, and writes nothing, if `out` is not empty, if a study was asked differently, or if
    equal cells differ.
    """
    free = not out.exists() or (out.is_dir() and not any(out.iterdir()))
    require(free, "out", "must be a folder that is empty or not there yet", str(out))
    sets = {root: studies_in(root) for root in (first, second)}
    targets: dict[Path, list[StudyRecord]] = {}
    for key in dict.fromkeys(key for studies in sets.values() for key in studies):
        records = [studies[key] for studies in sets.values() if key in studies]
        root = next(root for root, studies in sets.items() if key in studies)
        targets.setdefault(out / _place(records[0], root), []).extend(records)
    faults = [f"{records[0].title}: {fault}" for records in targets.values() for fault in merge_faults(records)]
    if faults:
        raise InputError("the two sets cannot be merged:\n" + "\n".join(f"  {fault}" for fault in faults))
    left = _take_over((first, second), out)
    for folder, records in targets.items():
        write_rows(merged_results(records), folder)
        write_text(folder / PROVENANCE, json.dumps(merged_provenance(records), indent=2) + "\n")
        study.write(folder)
    return left


def merge_faults(records: Sequence[StudyRecord]) -> list[str]:
    """What keeps records of one study apart: other questions, or conflicts between cells; one line each."""
    if len(records) == 1:
        return []
    differing = [line for other in records[1:] for line in asked_differently(records[0], other)]
    return [f"was asked differently, {line}" for line in differing] or _conflicts(*(one.results for one in records))


def merged_results(records: Sequence[StudyRecord]) -> Results:
    """The results of records without `merge_faults`: every cell once, by seed and then in the order of the variants."""
    parts = [record.results for record in records]
    layout = replace(parts[0].layout, num_looks=max(part.layout.num_looks for part in parts))
    cells = pd.concat([part.cells for part in parts])
    order = {variant: index for index, variant in enumerate(layout.variants())}
    # Of one variant and seed: a finished cell before a failed one, then that of the first set.
    ranked = cells.assign(failed=~cells["outcome"].isin(FINISHED)).sort_values("failed", kind="stable")
    chosen = ranked.drop_duplicates(["variant", "seed"]).drop(columns="failed")
    chosen = chosen.sort_values(["seed", "variant"], key=lambda one: one.map(order) if one.name == "variant" else one)
    rows = {name: _rows_of(chosen, [getattr(part, name) for part in parts]) for name in ("images", "curves")}
    texts = {*TEXTS, *(factor.name for factor in layout.factors)}
    frames = {name: _numbers(frame, texts) for name, frame in {"cells": chosen, **rows}.items()}
    return Results(layout, **frames, definition=parts[0].definition)


def merged_provenance(records: Sequence[StudyRecord]) -> dict[str, Any]:
    """The first record's provenance with the cells of all; "merged" says how and where the others were run."""
    first, *others = (record.about for record in records)
    names = ("command_line", "code_version", "machine", "packages")
    merged = [{name: about[name] for name in names} for about in others]
    further = [one for about in (first, *others) for one in about.get("merged", [])]
    cells = {cell: variant for record in records for cell, variant in record.about.get("cells", {}).items()}
    kept = {name: value for name, value in first.items() if name not in ("cells_folder", "merged")}
    return {**kept, "cells": cells} | ({"merged": merged + further} if merged or further else {})


def _conflicts(first: Results, second: Results) -> list[str]:
    """Cells of one hash that differ, and cells of one variant and seed that are different cells."""
    mine, theirs = (one.cells[one.cells["outcome"].isin(FINISHED)] for one in (first, second))
    columns = [column for column in EQUAL_CELLS if column in mine and column in theirs]
    others = {(row["variant"], row["seed"]): row for row in _rows(theirs)}
    faults = []
    for row in _rows(mine):
        name, other = _name(row), others.get((row["variant"], row["seed"]), row)
        if row["cell_hash"] == other["cell_hash"]:
            faults += [fault for column in columns for fault in _unequal(name, column, row[column], other[column])]
        else:
            devices = f"{row['device']} and {other['device']}"
            faults.append(f"{name}: is {other['cell_hash']} in the second set, of other code or device ({devices})")
    return faults + _image_conflicts(first.images, second.images)


def _image_conflicts(mine: pd.DataFrame, theirs: pd.DataFrame) -> list[str]:
    """Images, those of baselines included, whose scores differ in equal cells."""
    scores = {tuple(row[name] for name in PLACES): row["psnr_y"] for row in _rows(theirs)}
    faults = []
    for row in _rows(mine):
        place = tuple(row[name] for name in PLACES)
        name = f"{_name(row)}, {row['test_set']}/{row['image']}"
        faults += _unequal(name, "psnr_y", row["psnr_y"], scores.get(place, row["psnr_y"]))
    return faults


def _name(row: dict[Any, Any]) -> str:
    return (
        str(row["variant"])
        if pd.isna(row["seed"])
        else f"cell {row['cell_hash']} ({row['variant']}, seed {row['seed']})"
    )


def _rows(frame: pd.DataFrame) -> list[dict[Any, Any]]:
    return frame.to_dict("records")


def _unequal(name: str, column: str, mine: Any, theirs: Any) -> list[str]:
    """That two values differ, unless neither is known."""
    same = mine == theirs or (pd.isna(mine) and pd.isna(theirs))
    return [] if same else [f"{name}: {column} is {mine} and {theirs}"]


def _rows_of(cells: pd.DataFrame, frames: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """The rows of baselines, which have no seed, then those of `cells` in their order; each from the first with it."""
    known: dict[str, pd.DataFrame] = {}
    for frame in frames:
        for name, rows in frame.groupby("cell_hash", sort=False):
            known.setdefault(str(name), rows)
    baselines = [name for name, rows in known.items() if rows["seed"].isna().all()]
    return pd.concat([known[name] for name in [*baselines, *cells["cell_hash"]] if name in known], ignore_index=True)


def _numbers(frame: pd.DataFrame, texts: Iterable[str]) -> pd.DataFrame:
    """Numbers as numbers in every column that holds no text: a storage's columns may hold None, and files NaN."""
    known = {*texts, "cell_hash", "seed"}
    numbers = {str(name): pd.to_numeric(frame[name]) for name in frame if name not in known}
    return frame.assign(**numbers).astype({"seed": "Int64"}).reset_index(drop=True)


def _place(record: StudyRecord, root: Path) -> Path:
    """Where a study lies in its set, seen from its `root`; STUDY/PROFILE for a set that is one study's folder."""
    return Path(*record.key[:2]) if record.folder == root else record.folder.relative_to(root)


def _take_over(roots: Sequence[Path], out: Path) -> list[str]:
    """Copy folders of other kinds, each from the first of `roots` that has it; what is left, in words."""
    left = []
    for kind in find_kinds().values():
        for root in roots if kind.TITLE != study.TITLE else ():
            for folder in kind.folders(root):
                target = out / folder.relative_to(root)
                if folder.is_file() or target.exists():
                    left.append(f"{folder} is left where it is: only studies are merged")
                else:
                    shutil.copytree(folder, target, symlinks=True)
    return left
