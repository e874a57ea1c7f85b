"""The page of a benchmark: counts, times, memory and scaling of networks and kernels, each with its provenance."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd

from grla.report.document import Document, Link, Section, Table, Text
from grla.report.figures.memory import memory_table
from grla.report.figures.scaling import memory_verdict, scaling_table
from grla.report.figures.training import training_notes, training_table
from grla.report.kinds.benchmark_records import Record, record_files, record_pictures
from grla.report.kinds.cost import cost_text
from grla.report.kinds.cost_claims import read_record

TITLES = {
    "cost": "Counts",
    "latency": "Latency",
    "memory": "Memory",
    "training": "Training steps",
    "scaling": "Scaling with the number of tokens",
}
LEAD = "What networks and attention kernels cost on one machine, measured in turns within one run."


def benchmark_page(folder: Path) -> Document:
    """The page of all records of `run_benchmark.py` in `folder` and one below it, made now from the records."""
    records = {path: read_record(path) for path in record_files(folder)}
    sections = [_section(folder, path, record) for path, record in records.items()]
    order = list(TITLES.values())
    sections.sort(key=lambda section: order.index(section.title.partition(",")[0]))
    about = [_provenance(folder, path, record) for path, record in records.items()]
    table = Table(pd.DataFrame(about), "How and where each record was measured.")
    return Document("Benchmark", LEAD, (*sections, Section("Provenance", (table,))))


def benchmark_link(folder: Path, address: str) -> Link:
    """A benchmark's line in an index."""
    names = [TITLES[path.stem].lower() for path in record_files(folder)]
    return Link(address, "benchmark", f"{LEAD} Holds: {', '.join(dict.fromkeys(names))}.")


def _section(folder: Path, path: Path, record: Record) -> Section:
    where = "" if path.parent == folder else f", {path.parent.name}"
    blocks = TABLES[path.stem](record)
    pictures = tuple(record_pictures(path.stem, record))
    return Section(f"{TITLES[path.stem]}{where}", (*blocks, *pictures))


def _latency(record: Record) -> tuple[Text | Table, ...]:
    frame = pd.DataFrame(record["models"])
    shown = {"model": frame["name"]}
    shown |= {
        name.replace("_ms", " ms"): frame[name].map("{:.1f}".format)
        for name in frame.columns.astype(str)
        if name.endswith("_ms")
    }
    ratio = [f"{row.ratio:.2f} [{row.low:.2f}, {row.high:.2f}]" for row in frame.itertuples()]
    shown["ratio to base [95 %]"] = pd.Series(ratio)
    height, width = record["lr_size"]
    caption = f"Forward pass of an LR image of {width}x{height}, x{record['upscale']}, {record['rounds']} rounds. "
    caption += "The base is timed twice: its row 'again' shows the noise."
    return (Table(pd.DataFrame(shown), caption),)


def _scaling(record: Record) -> tuple[Text | Table, ...]:
    table = scaling_table(record)
    caption = "The largest size of each that was measured, and the laws fitted to all sizes."
    return Text(memory_verdict(record)), Table(table.map(_number), caption)


def _number(cell: object) -> str:
    if not isinstance(cell, float | int):
        return str(cell)
    if pd.isna(cell):
        return "-"
    return f"{cell:,.0f}" if cell >= 1000 else f"{cell:.4g}"


TABLES: dict[str, Callable[[Record], tuple[Text | Table, ...]]] = {
    "cost": lambda record: (Text(cost_text(record, tree_depth=0)),),
    "latency": _latency,
    "memory": lambda record: (Text(memory_table(record)),),
    "training": lambda record: (Text(training_table(record)), Text(training_notes(record))),
    "scaling": _scaling,
}


def _provenance(folder: Path, path: Path, record: Record) -> dict[str, object]:
    machine = record["machine"]
    return {
        "record": str(path.relative_to(folder)),
        "code": record["code_version"],
        "protocol": record["protocol"],
        "machine": f"{machine['gpu'] or machine['processor']}, {machine['torch_threads']} threads",
        "command": record["command_line"],
    }
