"""The page of a fidelity run: what the kernels compute, without training."""

from __future__ import annotations

import re
from pathlib import Path

from grla.report.document import Document, Link, Section, Text
from grla.report.kinds.fidelity_folder import fidelity_pictures, fidelity_texts, read_tables
from grla.report.results import PROVENANCE, read_json
from grla.report.tables import provenance_table

NAME = "Fidelity"
LEAD = "What the attention kernels compute, without training: their profiles, their errors, their distance to softmax."


def fidelity_page(folder: Path) -> Document:
    """The page of the fidelity run in `folder`, made now from its tables."""
    about = read_json(folder / PROVENANCE)
    parts = sections_of(fidelity_texts(folder)["summary.md"])
    figures = tuple(fidelity_pictures(read_tables(folder)))
    sections = (
        Section("Method", (Text(parts.pop("")),)),
        Section("Figures", figures),
        *(Section(title, (Text(text),)) for title, text in parts.items()),
        Section("Provenance", (provenance_table(about, {"code": about["code_version"]}),)),
    )
    return Document(NAME, LEAD, sections)


def fidelity_link(folder: Path, address: str) -> Link:
    """A fidelity run's line in an index."""
    return Link(address, NAME, f"{LEAD} {read_json(folder / PROVENANCE)['fidelity']}")


def sections_of(summary: str) -> dict[str, str]:
    """A summary's text by the title of its section, "" for what stands between its first line and the first title."""
    first, *others = re.split(r"^## ", summary, flags=re.MULTILINE)
    split = (part.partition("\n") for part in others)
    return {"": first.partition("\n")[2].strip(), **{title: text.strip() for title, _, text in split}}
