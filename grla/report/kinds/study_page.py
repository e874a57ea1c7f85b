"""The page of a study: question, verdicts, method, tables, figures, costs, failures, limits, provenance."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grla.report.document import Link, Page, Section, Shown, Table, Text, sections_of
from grla.report.folder import PROVENANCE, read_json, study_results
from grla.report.kinds.publish import study_texts
from grla.report.kinds.study_pictures import COST, study_pictures
from grla.report.pictures import Picture
from grla.report.provenance import provenance_table
from grla.report.results import Results
from grla.report.statistics.verdicts import study_differences
from grla.report.table_files import MARKED, group_tables, split_costs
from grla.report.tables import interval, verdict

UNFINISHED, LIMITS, PUBLISHED = "Cells that did not finish", "What this study cannot tell", "Published"


def study_page(folder: Path, published: Path | None = None) -> Page:
    """The page of the study in `folder`, all of it made now from its rows; `published`: the CSV of the paper's numbers.

    Pictures of `folder` that cannot be made from rows (crops and maps, where the networks' outputs are not at hand) are
    shown as they lie there.
    """
    results = study_results(folder)
    layout = results.layout
    parts = sections_of(study_texts(results, folder, published)["summary.md"])
    pictures = study_pictures(results, folder)
    tables, costs = study_tables(results)
    quoted = [text for title, text in parts.items() if title.startswith(PUBLISHED)]
    sections = (
        Section("Verdicts", (Text(verdict_lines(results)),)),
        Section("Method", (Text(parts[""]),)),
        Section("Results", tables),
        Section("Figures", (*_figures(pictures), *_others(folder, pictures))),
        Section("Costs", (*costs, *(Shown.figure(picture) for picture in pictures if picture.name == COST))),
        Section("Failures", (Text(parts.get(UNFINISHED, "Every cell that was started has finished.")),)),
        Section(LIMITS, (Text(parts[LIMITS]),)),
        Section("Published, not measured here", tuple(Text(text) for text in quoted)),
        Section("Provenance", _provenance(read_json(folder / PROVENANCE), results)),
    )
    return Page(f"{layout.study}, profile {layout.profile}", layout.question, sections)


def study_link(folder: Path, address: str) -> Link:
    """A study's line in an index."""
    results = study_results(folder)
    layout, cells = results.layout, results.cells
    finished = int((cells["outcome"] == "ok").sum())
    tested = ", ".join(results.images["test_set"].unique())
    about = f"{layout.question} {finished} of {len(cells)} cells, {cells['seed'].nunique()} seeds; tested on {tested}."
    return Link(address, f"{layout.study}, {layout.profile}", about)


def verdict_lines(results: Results) -> str:
    """Markdown: per group its base, and the variants by verdict with their differences."""
    found = study_differences(results.layout, results.images)
    lines = []
    for group in results.layout.groups():
        compared = [(label, found[variant]) for label, variant in group.rows if variant in found]
        base = next((label for label, variant in group.rows if variant == group.base), group.base)
        lines.append(f"\n**{group.title}**, compared with {base}:\n")
        for words in dict.fromkeys(verdict(difference) for _, difference in compared):
            named = [f"{label} ({interval(d)} dB)" for label, d in compared if verdict(d) == words]
            lines.append(f"- {words}: {', '.join(named).replace(' (- dB)', '')}")
    return "\n".join(lines)


def study_tables(results: Results) -> tuple[tuple[Table, ...], tuple[Table, ...]]:
    """A table of quality and a table of costs for each group."""
    quality, costs = [], []
    for group, table, marks in group_tables(results):
        scores, prices = split_costs(table)
        quality.append(Table(scores, f"{group.title}: quality. {MARKED}", marks))
        costs.append(Table(prices, f"{group.title}: costs, means over cells."))
    return tuple(quality), tuple(costs)


def _figures(pictures: list[Picture]) -> list[Shown]:
    return [Shown.figure(picture) for picture in pictures if picture.name != COST]


def _others(folder: Path, pictures: list[Picture]) -> list[Shown]:
    """The PNG files of `folder` that were not drawn now."""
    names = {picture.name for picture in pictures}
    words = "as drawn when the networks were at hand; it cannot be drawn again from the rows alone."
    paths = [path for path in sorted(folder.glob("*.png")) if path.stem not in names]
    return [Shown.file(path, f"{path.stem.replace('_', ' ')}, {words}") for path in paths]


def _provenance(about: Mapping[str, Any], results: Results) -> tuple[Table, ...]:
    versions = ", ".join(sorted(set(results.cells["code_version"])))
    further = {"code of the cells": versions, "study": about["optuna_study"], "device": about["device"]}
    cells = results.cells[["variant", "seed", "cell_hash", "outcome", "code_version", "device"]].astype(str)
    return (
        provenance_table(about, further),
        Table(cells, "Every cell; its hash names spec, images, protocol and device."),
    )
