"""Whether the tables and figures in a folder are still those that its raw rows give."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from grla.report.folder import ROWS as ROW_FILES
from grla.report.folder import own_storage, read_rows, study_results
from grla.report.kinds.benchmark_records import ROWS, benchmark_pictures, record_files
from grla.report.kinds.cost_claims import read_record
from grla.report.kinds.fidelity_folder import fidelity_pictures, fidelity_texts, read_tables
from grla.report.kinds.publish import study_texts
from grla.report.kinds.publish_tuning import search_pictures, search_texts
from grla.report.kinds.study_pictures import study_pictures
from grla.report.pictures import picture_faults
from grla.report.search_folder import read_search_rows


def study_report_faults(folder: Path, published: Path | None = None) -> list[str]:
    """What does not match in a study's folder, one line each: rows and storage, rows and tables, rows and figures.

    Tables must be equal to the letter; figures must show data that agree to four digits, and be the files that were
    drawn. `published` is the CSV of the paper's numbers. Raises InputError for a file that cannot be read.
    """
    results = read_rows(folder)
    faults = _row_faults(folder) + _text_faults(study_texts(results, folder, published), folder)
    return faults + picture_faults(study_pictures(results, folder), folder)


def search_report_faults(folder: Path) -> list[str]:
    """What does not match in a search's folder, as `study_report_faults`."""
    results = read_search_rows(folder)
    return _text_faults(search_texts(results, folder), folder) + picture_faults(search_pictures(results), folder)


def fidelity_faults(folder: Path) -> list[str]:
    """What does not match in the folder of a fidelity run, as `study_report_faults`."""
    return _text_faults(fidelity_texts(folder), folder) + picture_faults(fidelity_pictures(read_tables(folder)), folder)


def benchmark_faults(folder: Path) -> list[str]:
    """What does not match in a benchmark's folder: each record's CSV, and the figures."""
    faults = []
    for path in record_files(folder):
        table = path.with_suffix(".csv")
        if not table.is_file() or table.read_text(encoding="utf-8") != ROWS[path.stem](read_record(path)).to_csv(
            index=False
        ):
            faults.append(f"{table.relative_to(folder)}: is not what {path.name} gives")
    return faults + picture_faults(benchmark_pictures(folder), folder)


def _text_faults(texts: Mapping[str, str], folder: Path) -> list[str]:
    """Files that are missing, or hold another text than `texts` says."""
    faults = []
    for name, text in texts.items():
        path = folder / name
        if not path.is_file():
            faults.append(f"{name}: is missing")
        elif path.read_text(encoding="utf-8") != text:
            faults.append(f"{name}: is not what the rows give")
    return faults


def _row_faults(folder: Path) -> list[str]:
    """Rows that are not those of the storage, where there is one."""
    if own_storage(folder) is None:
        return []
    stored = study_results(folder)
    return [
        f"{name}.csv: is not what the storage holds"
        for name in ROW_FILES
        if (folder / f"{name}.csv").read_text(encoding="utf-8") != getattr(stored, name).to_csv(index=False)
    ]
