"""Studies and searches are found by file name: one file each, exporting `STUDY` or `SEARCH`."""

from __future__ import annotations

import importlib.util
import re
from pathlib import Path
from typing import Literal, TypeVar

from grla.errors import InputError, require_choice

Kind = Literal["study", "search"]
Exported = TypeVar("Exported")


def names_of(kind: Kind, folder: Path) -> list[str]:
    """The files in `folder` that export the kind's constant: STUDY or SEARCH."""
    exporting = re.compile(rf"^{kind.upper()}\b", re.MULTILINE)
    return sorted(path.stem for path in folder.glob("*.py") if exporting.search(path.read_text(encoding="utf-8")))


def load_named(kind: Kind, folder: Path, name: str, expected: type[Exported]) -> Exported:
    """What file `{folder}/{name}.py` exports; InputError, listing the known ones, for another name or another type."""
    require_choice(kind, name, names_of(kind, folder))
    path = folder / f"{name}.py"
    module_spec = importlib.util.spec_from_file_location(f"{kind}_{name}", path)
    assert module_spec is not None
    assert module_spec.loader is not None
    module = importlib.util.module_from_spec(module_spec)
    try:
        module_spec.loader.exec_module(module)
    except InputError as error:
        raise InputError(f"{path.name}: {error}") from error
    exported = getattr(module, kind.upper())
    if not isinstance(exported, expected):
        wanted = f"{kind.upper()} must be a {expected.__name__}"
        raise InputError(f"{path.name}: {wanted}, got {type(exported).__name__}")
    return exported
