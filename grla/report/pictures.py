"""Figures with the data they show: drawn, kept beside their data, and compared with what rows give today."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from grla.files import write_text
from grla.report.figures.canvas import rendered, save
from grla.report.folder import read_json

FILE_NAME = "figures.json"
DIGITS = 6
TOLERANCE = 1e-4
"""Relative; the last digits of an interval differ from machine to machine."""


@dataclass(frozen=True)
class Picture:
    """A figure by file name (without suffix): what it shows in a sentence, its data, and how it is drawn."""

    name: str
    caption: str
    data: tuple[pd.DataFrame, ...]
    draw: Callable[[], Figure]

    def _repr_png_(self) -> bytes:
        """How a notebook shows it."""
        return rendered(self.draw(), "png")


def write_pictures(pictures: Sequence[Picture], folder: Path) -> None:
    """Write each picture as PNG and SVG, and its data and the files' checksums into figures.json."""
    if not pictures:
        return
    path = folder / FILE_NAME
    kept = read_json(path) if path.is_file() else {}
    for picture in pictures:
        files = save(picture.draw(), folder / picture.name)
        kept[picture.name] = {"files": {file.name: _checksum(file) for file in files}, "data": _plain(picture.data)}
    entries = [f"{json.dumps(name)}: {json.dumps(kept[name])}" for name in sorted(kept)]
    write_text(path, "{\n" + ",\n".join(entries) + "\n}\n")


def picture_faults(pictures: Sequence[Picture], folder: Path) -> list[str]:
    """What is wrong with the pictures in `folder`: one not drawn, of other data than the rows give, or changed by hand.

    A picture of figures.json that is not among `pictures` is only checked for changes.
    """
    kept = read_json(folder / FILE_NAME) if (folder / FILE_NAME).is_file() else {}
    faults = [f"{picture.name}: is not in {FILE_NAME}" for picture in pictures if picture.name not in kept]
    for picture in pictures:
        if picture.name in kept and not _same(_plain(picture.data), kept[picture.name]["data"]):
            faults.append(f"{picture.name}: shows other data than the rows give")
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
