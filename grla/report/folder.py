"""A report in its folder: its files are written, and compared with what the raw rows give today."""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from grla.files import write_text
from grla.report.document import Document, Figure
from grla.report.figures.canvas import save
from grla.report.results import read_json

FIGURES = "figures.json"
DIGITS = 6
TOLERANCE = 1e-4
"""Relative; the last digits of an interval differ from machine to machine."""


def write_document(document: Document, folder: Path) -> None:
    """Write a report's texts and tables, and its figures; raises InputError when `folder` cannot be written."""
    for name, text in document.files().items():
        write_text(folder / name, text)
    write_figures(document.figures, folder)


def document_faults(document: Document, folder: Path) -> list[str]:
    """What does not match in a report's folder, one line each: files that are missing or hold something else.

    Texts and tables must be equal to the letter; figures must show data that agree to four digits, and be the files
    that were drawn.
    """
    faults = []
    for name, text in document.files().items():
        path = folder / name
        if not path.is_file():
            faults.append(f"{name}: is missing")
        elif path.read_text(encoding="utf-8") != text:
            faults.append(f"{name}: is not what the rows give")
    return faults + figure_faults(document.figures, folder)


def write_figures(figures: Sequence[Figure], folder: Path) -> None:
    """Write each figure as PNG and SVG, and its data and the files' checksums into figures.json."""
    if not figures:
        return
    logging.getLogger("matplotlib").setLevel(logging.WARNING)  # it reports on fonts at INFO level
    path = folder / FIGURES
    kept = read_json(path) if path.is_file() else {}
    for figure in figures:
        files = save(figure.draw(), folder / figure.name)
        kept[figure.name] = {"files": {file.name: _checksum(file) for file in files}, "data": _plain(figure.data)}
    entries = [f"{json.dumps(name)}: {json.dumps(kept[name])}" for name in sorted(kept)]
    write_text(path, "{\n" + ",\n".join(entries) + "\n}\n")


def figure_faults(figures: Sequence[Figure], folder: Path) -> list[str]:
    """What is wrong with the figures in `folder`: one not drawn, of other data than the rows give, or changed by hand.

    A figure of figures.json that is not among `figures` is only checked for changes.
    """
    kept = read_json(folder / FIGURES) if (folder / FIGURES).is_file() else {}
    faults = [f"{figure.name}: is not in {FIGURES}" for figure in figures if figure.name not in kept]
    for figure in figures:
        if figure.name in kept and not _same(_plain(figure.data), kept[figure.name]["data"]):
            faults.append(f"{figure.name}: shows other data than the rows give")
    for entry in kept.values():
        for name, checksum in entry["files"].items():
            path = folder / name
            if not path.is_file():
                faults.append(f"{name}: is missing")
            elif _checksum(path) != checksum:
                faults.append(f"{name}: is not the file that was drawn")
    return faults


def _checksum(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _plain(frames: Iterable[pd.DataFrame]) -> list[dict[str, Any]]:
    """Frames as JSON: columns and rows, numbers of DIGITS digits; None where nothing was measured."""
    return [
        {"columns": list(frame), "rows": [[_value(value) for value in row] for row in frame.itertuples(index=False)]}
        for frame in frames
    ]


def _value(value: Any) -> Any:
    if pd.isna(value):
        return None
    return value if isinstance(value, str) else float(f"{float(value):.{DIGITS}g}")


def _same(mine: Any, theirs: Any) -> bool:
    """Whether two contents of JSON agree, numbers within TOLERANCE."""
    if isinstance(mine, dict) and isinstance(theirs, dict):
        return mine.keys() == theirs.keys() and all(_same(mine[key], theirs[key]) for key in mine)
    if isinstance(mine, list) and isinstance(theirs, list):
        return len(mine) == len(theirs) and all(map(_same, mine, theirs))
    if isinstance(mine, float) and isinstance(theirs, float):
        return math.isclose(mine, theirs, rel_tol=TOLERANCE, abs_tol=1e-9)
    return bool(mine == theirs)
