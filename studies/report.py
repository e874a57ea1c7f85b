"""Tables, figures and pages of recorded results, made from their raw rows; and whether those on disk still match.

    python studies/report.py all --html pages             a page per study below results/, an index.html
    python studies/report.py recall --html pages          the pages of one study
    python studies/report.py results/reference            write tables and figures of a folder's records anew
    python studies/report.py results/reference --verify   what does not match is listed, and the exit status is 1

Works on what `run_ablation.py` and `run_benchmark.py` write and on results/reference. About 15 seconds a study.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from project_root import STUDIES

from grla.errors import InputError, require
from grla.files import write_text
from grla.report.benchmark_page import benchmark_link, benchmark_page
from grla.report.benchmark_records import benchmark_folders, benchmark_pictures, record_files
from grla.report.cost_claims import read_record
from grla.report.folder import DEFINITION, PROVENANCE, read_json, read_rows, study_folders, study_results, write_rows
from grla.report.page import Link, Links, Page, Section
from grla.report.pictures import write_pictures
from grla.report.publish import publish_rows
from grla.report.study_page import study_link, study_page
from grla.report.verify import benchmark_faults, study_report_faults
from grla.study.benchmark import BENCHMARK_PROTOCOL
from grla.study.definition import load_study
from grla.study.verify import code_faults, identity_faults

RESULTS = Path("results")
PUBLISHED = STUDIES / "published.csv"


@dataclass(frozen=True)
class Arguments:
    """Write tables and figures anew, or pages with --html, or check what is there with --verify."""

    what: tyro.conf.Positional[str] = "all"
    """A study's name or "all", looked for below results/; or a folder of results."""
    html: Path | None = None
    """Folder for the pages; what is in the results' folders stays as it is."""
    verify: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Recompute everything from the raw rows, write nothing, and list what does not match."""


@dataclass(frozen=True)
class Found:
    """The folders of studies and of benchmarks that are meant."""

    root: Path
    studies: Sequence[Path]
    benchmarks: Sequence[Path]

    def page_name(self, folder: Path) -> str:
        """The file of a folder's page: the path from the root, joined by hyphens."""
        parts = folder.resolve().relative_to(self.root.resolve()).parts or (folder.resolve().name,)
        return f"{'-'.join(parts)}.html"


def main(arguments: Arguments) -> None:
    """Do what the arguments say."""
    found = find(arguments.what)
    if arguments.verify:
        check(found)
    elif arguments.html is not None:
        write_pages(found, arguments.html)
    else:
        write_reports(found)


def find(what: str) -> Found:
    """The records that `what` names; an InputError where there are none."""
    root = Path(what) if Path(what).is_dir() else RESULTS
    studies, benchmarks = study_folders(root), benchmark_folders(root)
    if root == RESULTS and what not in ("all", str(RESULTS)):
        studies, benchmarks = [folder for folder in studies if name_of(folder) == what], []
    rule = f'must be a folder with results, or "all" or a study that has results in {RESULTS}/'
    require(len(studies) + len(benchmarks) > 0, "WHAT", rule, what)
    return Found(root, studies, benchmarks)


def name_of(folder: Path) -> str:
    """The study that a folder holds results of."""
    return str(read_json(folder / PROVENANCE)["study"])


def write_reports(found: Found) -> None:
    """Write rows where there is a storage, tables and figures."""
    for folder in found.studies:
        results = study_results(folder)
        write_rows(results, folder)
        publish_rows(results, folder, PUBLISHED)
        print(folder)
    for folder in found.benchmarks:
        write_pictures(benchmark_pictures(folder), folder)
        print(folder)


def write_pages(found: Found, out: Path) -> None:
    """Write a page per folder and the index of all of them."""
    studies, benchmarks = [], []
    for folder in found.studies:
        name = found.page_name(folder)
        write_text(out / name, study_page(folder, PUBLISHED).html())
        studies.append(study_link(folder, name))
        print(out / name)
    for folder in found.benchmarks:
        name = found.page_name(folder)
        write_text(out / name, benchmark_page(folder).html())
        benchmarks.append(benchmark_link(folder, name))
        print(out / name)
    write_text(out / "index.html", index(studies, benchmarks).html())
    print(out / "index.html")


def index(studies: list[Link], benchmarks: list[Link]) -> Page:
    """The page that leads to the others."""
    lead = "Which attention is worth it in lightweight image super-resolution, and is the difference real?"
    parts = {"Studies": studies, "Costs": benchmarks}
    sections = tuple(Section(title, (Links(tuple(links)),)) for title, links in parts.items() if links)
    return Page("Results of the GRLA study harness", lead, sections)


def check(found: Found) -> None:
    """Print what does not match and exit with status 1, or say that all does."""
    faults = [(folder, fault) for folder in found.studies for fault in study_faults(folder)]
    for folder in found.benchmarks:
        records = [read_record(path) for path in record_files(folder)]
        lines = benchmark_faults(folder) + code_faults({record["code_version"] for record in records})
        old = {record["protocol"] for record in records} - {BENCHMARK_PROTOCOL}
        lines += [f"protocol: was {name}, numbers now mean {BENCHMARK_PROTOCOL}" for name in sorted(old)]
        faults += [(folder, line) for line in lines]
    if faults:
        raise InputError("does not match:\n" + "\n".join(f"  {folder}: {fault}" for folder, fault in faults))
    folders = [*found.studies, *found.benchmarks]
    print(f"{len(folders)} folders match their raw rows: {', '.join(map(str, folders))}")


def study_faults(folder: Path) -> list[str]:
    """What does not match in a study's folder."""
    try:
        study = load_study(STUDIES, name_of(folder))
    except InputError as error:
        return [str(error)]
    cells = read_rows(folder).cells
    about, definition = read_json(folder / PROVENANCE), read_json(folder / DEFINITION)
    return identity_faults(study, definition, about, cells) + study_report_faults(folder, PUBLISHED)


if __name__ == "__main__":
    try:
        main(tyro.cli(Arguments, description=__doc__))
    except InputError as error:
        sys.exit(f"error: {error}")
