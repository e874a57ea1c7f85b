"""The records of `run_benchmark.py` in a folder: their rows as CSV, and their figures."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd

from grla.report.document import Figure
from grla.report.figures.memory import memory_figure
from grla.report.figures.scaling import roofline_data, roofline_figure, scaling_figure
from grla.report.figures.training import training_figure
from grla.report.kinds.cost import cost_frame
from grla.report.kinds.cost_claims import read_record

Record = dict[str, Any]


def models_frame(record: Record) -> pd.DataFrame:
    """A row per network."""
    return pd.DataFrame(record["models"])


def points_frame(record: Record) -> pd.DataFrame:
    """A row per subject, kind of pass and number of tokens."""
    return pd.DataFrame(record["points"])


ROWS: dict[str, Callable[[Record], pd.DataFrame]] = {
    "cost": cost_frame,
    "latency": models_frame,
    "memory": models_frame,
    "training": models_frame,
    "scaling": points_frame,
}
"""From the name of a record's file to the rows of its CSV."""


def benchmark_folders(root: Path) -> list[Path]:
    """The folders called "benchmark" at, in and one below `root`: each with all records of a machine."""
    found = [root] if root.name == "benchmark" else [*root.glob("benchmark"), *root.glob("*/benchmark")]
    return sorted(folder for folder in found if record_files(folder))


def record_files(folder: Path) -> list[Path]:
    """The JSON records in `folder` and one below it."""
    paths = sorted([*folder.glob("*.json"), *folder.glob("*/*.json")])
    return [path for path in paths if path.stem in ROWS]


def benchmark_pictures(folder: Path) -> list[Figure]:
    """The figures of the records in `folder` itself."""
    records = {name: folder / f"{name}.json" for name in ROWS}
    return [
        picture
        for name, path in records.items()
        if path.is_file()
        for picture in record_pictures(name, read_record(path))
    ]


def record_pictures(name: str, record: Record) -> list[Figure]:
    """The figures of a `record` called `name`; costs and latencies have none."""
    if name == "memory":
        caption = "The growth of memory at its peak, median of several processes; whiskers from lowest to highest."
        return [Figure("memory", caption, (models_frame(record),), lambda: memory_figure(record))]
    if name == "training":
        caption = "Where the time of a training step goes."
        return [Figure("training", caption, (models_frame(record),), lambda: training_figure(record))]
    return _scaling_pictures(record) if name == "scaling" else []


def _scaling_pictures(record: Record) -> list[Figure]:
    points = points_frame(record)
    found = [
        Figure(
            f"scaling-{kind}s",
            f"Time and memory of the {kind}s against the number of tokens; a straight line is a power law.",
            (points[points["kind"] == kind],),
            lambda kind=kind: scaling_figure(record, kind),  # type: ignore[misc]
        )
        for kind in dict.fromkeys(points["kind"])
    ]
    caption = "What each forward pass reaches, under the roofs that this machine's memory and arithmetic set."
    return [*found, Figure("roofline", caption, (roofline_data(record),), lambda: roofline_figure(record))]
