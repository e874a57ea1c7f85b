"""The kinds of records that a folder of results can hold, and what can be done with each."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from project_root import STUDIES

import claims
from grla.benchmark import BENCHMARK_PROTOCOL
from grla.errors import InputError
from grla.files import write_text
from grla.report import (
    DEFINITION,
    PROVENANCE,
    Link,
    Page,
    Section,
    Table,
    benchmark_faults,
    benchmark_folders,
    benchmark_link,
    benchmark_page,
    benchmark_pictures,
    code_faults,
    confirmed_trials,
    fidelity_faults,
    fidelity_folders,
    fidelity_link,
    fidelity_page,
    identity_faults,
    own_storage,
    publish_fidelity,
    publish_rows,
    publish_search_rows,
    read_json,
    read_record,
    read_rows,
    read_search_rows,
    record_files,
    recorded_study,
    search_folders,
    search_identity_faults,
    search_link,
    search_page,
    search_report_faults,
    search_results,
    study_folders,
    study_link,
    study_page,
    study_report_faults,
    study_results,
    write_pictures,
    write_rows,
    write_search_rows,
)
from grla.study import CONFIRMED, load_search

PUBLISHED = STUDIES / "published.csv"


@dataclass(frozen=True)
class Kind:
    """A kind of record: how its folders, or files, are found, written anew, shown as a page and a link, and checked."""

    title: str
    folders: Callable[[Path], list[Path]]
    write: Callable[[Path], None]
    page: Callable[[Path], Page]
    link: Callable[[Path, str], Link]
    faults: Callable[[Path], list[str]]


def write_study(folder: Path) -> None:
    """A study's rows where there is a storage, tables and figures."""
    results = study_results(folder)
    if own_storage(folder) is not None:
        write_rows(results, folder)
    publish_rows(results, folder, PUBLISHED)


def write_search(folder: Path) -> None:
    """A search's rows where there is a storage, tables and figures."""
    if own_storage(folder) is not None:
        write_search_rows(search_results(folder), folder)
    publish_search_rows(folder)


def ledgers(root: Path) -> list[Path]:
    """The ledgers of claims that `claims.py` wrote at `root` and one below it."""
    return sorted(path for depth in ("", "*/") for path in root.glob(depth + claims.LEDGER))


def ledger_page(path: Path) -> Page:
    """The page of a ledger, judged now from the records beside it; what was not run comes last."""
    ledger = claims.judged(path.parent)
    verdicts = sorted(ledger["verdict"].unique(), key=lambda verdict: (verdict == "not yet run", verdict))
    tables = {str(name): Table(ledger[ledger["verdict"] == name], "Claims, rules and evidence.") for name in verdicts}
    sections = (Section(name.capitalize(), (table,)) for name, table in tables.items())
    return Page(claims.TITLE, claims.NOTE.replace("`", ""), tuple(sections))


def ledger_link(path: Path, address: str) -> Link:
    """A ledger's line in an index."""
    verdicts = claims.judged(path.parent)["verdict"].value_counts()
    return Link(address, claims.TITLE, ", ".join(f"{number} {verdict}" for verdict, number in verdicts.items()))


def ledger_faults(path: Path) -> list[str]:
    """Whether a ledger says what the records beside it give today."""
    same = path.read_text(encoding="utf-8") == claims.ledger_text(claims.judged(path.parent))
    return [] if same else ["is not what the records give"]


def study_faults(folder: Path) -> list[str]:
    """What does not match in a study's folder."""
    about, definition = read_json(folder / PROVENANCE), read_json(folder / DEFINITION)
    try:
        study = recorded_study(definition, confirmed_trials(folder, CONFIRMED))
    except InputError as error:
        return [str(error)]
    return identity_faults(study, definition, about, read_rows(folder).cells) + study_report_faults(folder, PUBLISHED)


def search_faults(folder: Path) -> list[str]:
    """What does not match in a search's folder."""
    results, about = read_search_rows(folder), read_json(folder / PROVENANCE)
    try:
        search = load_search(str(about["search"]))
    except InputError as error:
        return [str(error)]
    found = search_identity_faults(search, results.about, about, results.trials, results.changes)
    return found + search_report_faults(folder)


def fidelity_record_faults(folder: Path) -> list[str]:
    """What does not match in the folder of a fidelity run."""
    return code_faults({read_json(folder / PROVENANCE)["code_version"]}) + fidelity_faults(folder)


def benchmark_record_faults(folder: Path) -> list[str]:
    """What does not match in the folder of a benchmark."""
    records = [read_record(path) for path in record_files(folder)]
    old = {record["protocol"] for record in records} - {BENCHMARK_PROTOCOL}
    faults = benchmark_faults(folder) + code_faults({record["code_version"] for record in records})
    return faults + [f"protocol: was {name}, numbers now mean {BENCHMARK_PROTOCOL}" for name in sorted(old)]


KINDS = (
    Kind(
        "Claims",
        ledgers,
        lambda path: write_text(path, claims.ledger_text(claims.judged(path.parent))),
        ledger_page,
        ledger_link,
        ledger_faults,
    ),
    Kind(
        "Studies",
        study_folders,
        write_study,
        lambda folder: study_page(folder, PUBLISHED),
        study_link,
        study_faults,
    ),
    Kind("Searches", search_folders, write_search, search_page, search_link, search_faults),
    Kind(
        "Costs",
        benchmark_folders,
        lambda folder: write_pictures(benchmark_pictures(folder), folder),
        benchmark_page,
        benchmark_link,
        benchmark_record_faults,
    ),
    Kind(
        "What kernels compute",
        fidelity_folders,
        publish_fidelity,
        fidelity_page,
        fidelity_link,
        fidelity_record_faults,
    ),
)
