"""The page of a fidelity run: what the kernels compute, without training."""

from __future__ import annotations

from pathlib import Path

from grla.report.document import Link, Page, Section, Shown, Text, sections_of
from grla.report.folder import PROVENANCE, read_json
from grla.report.kinds.fidelity_folder import fidelity_pictures, fidelity_texts, read_tables
from grla.report.provenance import provenance_table

TITLE = "Fidelity"
LEAD = "What the attention kernels compute, without training: their profiles, their errors, their distance to softmax."


def fidelity_page(folder: Path) -> Page:
    """The page of the fidelity run in `folder`, made now from its tables."""
    about = read_json(folder / PROVENANCE)
    parts = sections_of(fidelity_texts(folder)["summary.md"])
    figures = tuple(Shown.figure(picture) for picture in fidelity_pictures(read_tables(folder)))
    sections = (
        Section("Method", (Text(parts.pop("")),)),
        Section("Figures", figures),
        *(Section(title, (Text(text),)) for title, text in parts.items()),
        Section("Provenance", (provenance_table(about, {"code": about["code_version"]}),)),
    )
    return Page(TITLE, LEAD, sections)


def fidelity_link(folder: Path, address: str) -> Link:
    """A fidelity run's line in an index."""
    return Link(address, TITLE, f"{LEAD} {read_json(folder / PROVENANCE)['fidelity']}")
