"""The kinds of reports, one module each: what has a TITLE here is a kind, and offers what `Kind` says."""

from __future__ import annotations

import importlib
import pkgutil
from pathlib import Path
from typing import Protocol, cast

from grla.report.document import Document, Link


class Kind(Protocol):
    """A kind of record, by its folders (or files) in a folder of results."""

    TITLE: str
    """The heading of its records in the index of pages."""

    def folders(self, root: Path, /) -> list[Path]:
        """Where records of this kind lie at and below `root`."""

    def write(self, folder: Path, /) -> None:
        """Write a record's report anew from its raw rows."""

    def document(self, folder: Path, /) -> Document:
        """A record's report, made now from its raw rows."""

    def link(self, folder: Path, address: str, /) -> Link:
        """A record's line in an index."""

    def faults(self, folder: Path, /) -> list[str]:
        """What does not match in a record's folder, one line each."""


def find_kinds() -> dict[str, Kind]:
    """All kinds by the name of their module, ordered by title."""
    names = [found.name for found in pkgutil.iter_modules(__path__)]
    modules = {name: cast(Kind, importlib.import_module(f"{__name__}.{name}")) for name in names}
    kinds = [(name, kind) for name, kind in modules.items() if hasattr(kind, "TITLE")]
    return dict(sorted(kinds, key=lambda found: found[1].TITLE))
