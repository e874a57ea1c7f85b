"""The report of a benchmark: what networks and kernels cost, from the records of `run_benchmark.py` in a folder.

Each record NAME.json has its rows in NAME.csv and its figures beside it.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from grla.files import write_text
from grla.provenance import BENCHMARK_PROTOCOL
from grla.report.document import Block, Document, Figure, Link, Section, Table, Text
from grla.report.figures.bars import memory_figure, training_figure
from grla.report.figures.scaling import roofline_data, roofline_figure, scaling_figure
from grla.report.folder import figure_faults, write_figures
from grla.report.kinds.benchmark_tables import (
    cost_frame,
    cost_text,
    latency_table,
    memory_table,
    memory_verdict,
    scaling_table,
    throughput_table,
    training_notes,
    training_table,
)
from grla.report.machines import machine_of
from grla.report.results import read_json
from grla.report.verify import code_faults

Record = dict[str, Any]

TITLE = "Costs"
LEAD = "What networks and attention kernels cost on one machine, measured in turns within one run."
LATENCY = (
    "Forward pass of an LR image of {width}x{height}, x{upscale}, {rounds} rounds. The base is timed twice: its row "
    "'again' shows the noise."
)
THROUGHPUT = "Median, lowest and highest of {rounds} rounds in random order, {steps} steps of each."
SCALING = "The largest size of each that was measured, and the laws fitted to all sizes."
TITLES = {
    "cost": "Counts",
    "latency": "Latency",
    "memory": "Memory",
    "training": "Training steps",
    "throughput": "Throughput of training by how cores or a GPU are shared out",
    "scaling": "Scaling with the number of tokens",
}
"""From the name of a record's file to the title of its section, in the order of a page."""


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
    "throughput": models_frame,
    "scaling": points_frame,
}
"""From the name of a record's file to the rows of its CSV."""


def folders(root: Path) -> list[Path]:
    """The folders called "benchmark" at, in and one below `root`: each with all records of a machine."""
    found = [root] if root.name == "benchmark" else [*root.glob("benchmark"), *root.glob("*/benchmark")]
    return sorted(folder for folder in found if _records(folder))


def write(folder: Path) -> None:
    """Write the rows and figures of every record beside it."""
    for path, record in _records(folder).items():
        write_text(path.with_suffix(".csv"), _csv(path, record))
        write_figures(record_figures(path.stem, record), path.parent)


def document(folder: Path) -> Document:
    """The report of all records in `folder` and one below it, made now from the records."""
    records = _records(folder)
    ordered = sorted(records.items(), key=lambda item: list(TITLES).index(item[0].stem))
    sections = [_section(folder, path, record) for path, record in ordered]
    about = pd.DataFrame([_provenance(folder, path, record) for path, record in records.items()])
    table = Table(about, "How and where each record was measured.", left=list(map(str, about)))
    return Document("Benchmark", LEAD, (*sections, Section("Provenance", (table,))))


def link(folder: Path, address: str) -> Link:
    """A benchmark's line in an index."""
    names = dict.fromkeys(TITLES[path.stem].lower() for path in _records(folder))
    return Link(address, "benchmark", f"{LEAD} Holds: {', '.join(names)}.")


def faults(folder: Path) -> list[str]:
    """What does not match in a benchmark's folder, one line each: rows, figures, code, protocol."""
    records = _records(folder)
    found = []
    for path, record in records.items():
        table = path.with_suffix(".csv")
        if not table.is_file() or table.read_text(encoding="utf-8") != _csv(path, record):
            found.append(f"{table.relative_to(folder)}: is not what {path.name} gives")
    for place in dict.fromkeys(path.parent for path in records):
        mine = [
            figure for path in records if path.parent == place for figure in record_figures(path.stem, records[path])
        ]
        found += figure_faults(mine, place)
    old = {record["protocol"] for record in records.values()} - {BENCHMARK_PROTOCOL}
    found += code_faults({record["code_version"] for record in records.values()})
    return found + [f"protocol: was {name}, numbers now mean {BENCHMARK_PROTOCOL}" for name in sorted(old)]


def record_figures(name: str, record: Record) -> list[Figure]:
    """The figures of a `record` called `name`; costs and latencies have none."""
    if name == "memory":
        caption = "The growth of memory at its peak, median of several processes; whiskers from lowest to highest."
        return [Figure("memory", caption, (models_frame(record),), partial(memory_figure, record))]
    if name == "training":
        caption = "Where the time of a training step goes."
        return [Figure("training", caption, (models_frame(record),), partial(training_figure, record))]
    return _scaling_figures(record) if name == "scaling" else []


def _scaling_figures(record: Record) -> list[Figure]:
    points = points_frame(record)
    found = [
        Figure(
            f"scaling-{kind}s",
            f"Time and memory of the {kind}s against the number of tokens; a straight line is a power law.",
            (points[points["kind"] == kind],),
            partial(scaling_figure, record, kind),
        )
        for kind in dict.fromkeys(points["kind"])
    ]
    caption = "What each forward pass reaches, under the roofs that this machine's memory and arithmetic set."
    return [*found, Figure("roofline", caption, (roofline_data(record),), partial(roofline_figure, record))]


def _records(folder: Path) -> dict[Path, Record]:
    """The JSON records in `folder` and one below it, by path."""
    paths = sorted([*folder.glob("*.json"), *folder.glob("*/*.json")])
    return {path: read_json(path) for path in paths if path.stem in ROWS}


def _csv(path: Path, record: Record) -> str:
    return ROWS[path.stem](record).to_csv(index=False)


def _section(folder: Path, path: Path, record: Record) -> Section:
    where = "" if path.parent == folder else f", {path.parent.name}"
    return Section(f"{TITLES[path.stem]}{where}", (*BLOCKS[path.stem](record), *record_figures(path.stem, record)))


def _latency(record: Record) -> tuple[Block, ...]:
    height, width = record["lr_size"]
    caption = LATENCY.format(width=width, height=height, upscale=record["upscale"], rounds=record["rounds"])
    return (Table(latency_table(record), caption, left=("model",)),)


def _scaling(record: Record) -> tuple[Block, ...]:
    table = scaling_table(record).map(_number)
    words = ("kind", "name", "passes", "then", "faster than softmax from")
    return Text(memory_verdict(record)), Table(table, SCALING, left=words)


def _number(cell: object) -> str:
    if not isinstance(cell, float | int):
        return str(cell)
    if pd.isna(cell):
        return "-"
    return f"{cell:,.0f}" if cell >= 1000 else f"{cell:.4g}"


BLOCKS: dict[str, Callable[[Record], tuple[Block, ...]]] = {
    "cost": lambda record: (Text(cost_text(record, tree_depth=0)),),
    "latency": _latency,
    "memory": lambda record: (Text(memory_table(record)),),
    "training": lambda record: (Text(training_table(record)), Text(training_notes(record))),
    "throughput": lambda record: (Text(throughput_table(record)), Text(THROUGHPUT.format(**record))),
    "scaling": _scaling,
}


def _provenance(folder: Path, path: Path, record: Record) -> dict[str, object]:
    return {
        "record": str(path.relative_to(folder)),
        "code": record["code_version"],
        "protocol": record["protocol"],
        "machine": machine_of(record),
        "command": record["command_line"],
    }
