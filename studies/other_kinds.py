"""Kinds of reports that are not modules of `grla.report.kinds` yet."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import project_root  # noqa: F401  it puts the project on the path

import claims
from grla.benchmark import BENCHMARK_PROTOCOL
from grla.files import write_text
from grla.report import (
    PROVENANCE,
    ROWS,
    Document,
    Kind,
    Link,
    Section,
    Table,
    benchmark_folders,
    benchmark_link,
    benchmark_page,
    benchmark_pictures,
    code_faults,
    fidelity_folders,
    fidelity_link,
    fidelity_page,
    fidelity_pictures,
    fidelity_texts,
    figure_faults,
    find_kinds,
    publish_fidelity,
    read_json,
    read_record,
    read_tables,
    record_files,
    write_figures,
)


@dataclass(frozen=True)
class Other:
    """A kind of record; see `grla.report.Kind`."""

    TITLE: str
    folders: Callable[[Path], list[Path]]
    write: Callable[[Path], None]
    document: Callable[[Path], Document]
    link: Callable[[Path, str], Link]
    faults: Callable[[Path], list[str]]


def ledgers(root: Path) -> list[Path]:
    """The ledgers of claims that `claims.py` wrote at `root` and one below it."""
    return sorted(path for depth in ("", "*/") for path in root.glob(depth + claims.LEDGER))


def ledger_page(path: Path) -> Document:
    """The page of a ledger, judged now from the records beside it; what was not run comes last."""
    ledger = claims.judged(path.parent)
    verdicts = sorted(ledger["verdict"].unique(), key=lambda verdict: (verdict == "not yet run", verdict))
    names = tuple(map(str, ledger))
    tables = {str(name): Table(ledger[ledger["verdict"] == name], "", names) for name in verdicts}
    sections = (Section(name.capitalize(), (table,)) for name, table in tables.items())
    return Document(claims.TITLE, claims.NOTE.replace("`", ""), tuple(sections))


def ledger_link(path: Path, address: str) -> Link:
    """A ledger's line in an index."""
    verdicts = claims.judged(path.parent)["verdict"].value_counts()
    return Link(address, claims.TITLE, ", ".join(f"{number} {verdict}" for verdict, number in verdicts.items()))


def ledger_faults(path: Path) -> list[str]:
    """Whether a ledger says what the records beside it give today."""
    same = path.read_text(encoding="utf-8") == claims.ledger_text(claims.judged(path.parent))
    return [] if same else ["is not what the records give"]


def fidelity_faults(folder: Path) -> list[str]:
    """What does not match in the folder of a fidelity run."""
    texts = fidelity_texts(folder).items()
    changed = [name for name, text in texts if not (folder / name).is_file() or (folder / name).read_text() != text]
    return [
        *code_faults({read_json(folder / PROVENANCE)["code_version"]}),
        *(f"{name}: is not what the rows give" for name in changed),
        *figure_faults(fidelity_pictures(read_tables(folder)), folder),
    ]


def benchmark_faults(folder: Path) -> list[str]:
    """What does not match in the folder of a benchmark."""
    faults = []
    for path in record_files(folder):
        table, rows = path.with_suffix(".csv"), ROWS[path.stem](read_record(path)).to_csv(index=False)
        if not table.is_file() or table.read_text(encoding="utf-8") != rows:
            faults.append(f"{table.relative_to(folder)}: is not what {path.name} gives")
    records = [read_record(path) for path in record_files(folder)]
    old = {record["protocol"] for record in records} - {BENCHMARK_PROTOCOL}
    faults += figure_faults(benchmark_pictures(folder), folder)
    faults += code_faults({record["code_version"] for record in records})
    return faults + [f"protocol: was {name}, numbers now mean {BENCHMARK_PROTOCOL}" for name in sorted(old)]


OTHERS = (
    Other(
        "Claims",
        ledgers,
        lambda path: write_text(path, claims.ledger_text(claims.judged(path.parent))),
        ledger_page,
        ledger_link,
        ledger_faults,
    ),
    Other(
        "Costs",
        benchmark_folders,
        lambda folder: write_figures(benchmark_pictures(folder), folder),
        benchmark_page,
        benchmark_link,
        benchmark_faults,
    ),
    Other("What kernels compute", fidelity_folders, publish_fidelity, fidelity_page, fidelity_link, fidelity_faults),
)

KINDS = sorted([*find_kinds(), *cast("tuple[Kind, ...]", OTHERS)], key=lambda kind: kind.TITLE)
