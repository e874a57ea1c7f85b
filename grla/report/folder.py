"""A study's folder as a record of its own: its rows as CSV, its definition, and the way back from them to frames.

Tables and figures are made from these files alone, so that they can be made again where the storage is not at hand.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd

from grla.errors import InputError
from grla.files import write_text
from grla.report.results import Results, load_results
from grla.study import layout_from_json, text_columns

ROWS = ("cells", "images", "curves")
DEFINITION, PROVENANCE = "study.json", "provenance.json"
TEXTS = ("study", "variant", *text_columns())


def write_rows(results: Results, folder: Path) -> None:
    """Write cells.csv, images.csv, curves.csv and study.json (what was asked, and the base run)."""
    for name in ROWS:
        write_text(folder / f"{name}.csv", getattr(results, name).to_csv(index=False))
    asked = {name: value for name, value in results.definition.items() if name != "images"}
    write_text(folder / DEFINITION, json.dumps({**asked, "num_looks": results.layout.num_looks}, indent=2) + "\n")


def read_rows(folder: Path) -> Results:
    """What `write_rows` wrote, to the last bit; raises InputError for a file that is missing or torn."""
    definition = read_json(folder / DEFINITION)
    layout = layout_from_json(definition)
    texts = [*TEXTS, *(factor.name for factor in layout.factors)]
    cells, images, curves = (_read(folder / f"{name}.csv", texts) for name in ROWS)
    return Results(layout, cells, images, curves, definition)


def study_results(folder: Path) -> Results:
    """A study's results: from the storage where the folder is one that a run wrote, else from its rows.

    A run writes OUT/STUDY/PROFILE, and its storage lies in OUT. After a run that was stopped it holds more than the
    folder's rows.
    """
    storage = own_storage(folder)
    return load_results(*storage) if storage else read_rows(folder)


def own_storage(folder: Path) -> tuple[Path, str] | None:
    """The storage of the run that wrote `folder` and its study's name there; None where there is none."""
    about = read_json(folder / PROVENANCE)
    path = folder.resolve()
    storage = path.parents[1] / about["storage"]
    is_own = (path.parent.name, path.name) == (about.get("study", about.get("search")), about["profile"])
    return (storage, about["optuna_study"]) if is_own and storage.is_file() else None


def study_folders(root: Path) -> list[Path]:
    """The studies' folders at, in and two below `root`, in alphabetical order."""
    return folders_of("study", root)


def folders_of(kind: str, root: Path) -> list[Path]:
    """The folders at, in and two below `root` whose provenance names a `kind`, in alphabetical order."""
    found = (path.parent for depth in ("", "*/", "*/*/") for path in root.glob(depth + PROVENANCE))
    return sorted(folder for folder in found if kind in read_json(folder / PROVENANCE))


def read_json(path: Path) -> dict[str, Any]:
    """A JSON file that a run or a report wrote; raises InputError for one that is missing or torn."""
    try:
        content: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {error}; write it again with run_ablation.py or report.py") from error
    return content


def _read(path: Path, texts: list[str]) -> pd.DataFrame:
    """A CSV whose columns `texts` are text and whose other columns are numbers, empty where nothing was measured."""
    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {path}: {error}; write it again with run_ablation.py or report.py") from error
    for name in frame.columns.drop(texts, errors="ignore"):
        frame[name] = frame[name].replace("", "nan").astype(float)
    return frame.astype({"seed": "Int64"})
