"""Studies and searches are found by file name: one file each, exporting `STUDY` or `SEARCH`."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType
from typing import Literal, TypeVar

from grla.errors import InputError, require_choice
from grla.provenance import ROOT

ABLATIONS, SEARCHES = ROOT / "studies" / "ablations", ROOT / "studies" / "searches"
"""The folders of the files of studies and of searches."""

Kind = Literal["study", "search"]
Exported = TypeVar("Exported")


def names_of(folder: Path) -> list[str]:
    """The names of the studies or searches in `folder`, one a file."""
    return sorted(path.stem for path in folder.glob("*.py"))


def load_named(kind: Kind, folder: Path, name: str, expected: type[Exported]) -> Exported:
    """What file `{folder}/{name}.py` exports as STUDY or SEARCH.

    Raises InputError for an unknown name, listing the known ones, and for a file that exports nothing of that type.
    """
    module = load_module(kind, folder, name)
    exported = getattr(module, kind.upper(), None)
    if not isinstance(exported, expected):
        wanted = f"must export {kind.upper()}, a {expected.__name__}"
        raise InputError(f"{name}.py {wanted}, got {type(exported).__name__}")
    return exported


def load_module(kind: Kind, folder: Path, name: str) -> ModuleType:
    """The module of a study or search; raises InputError for an unknown name, listing the known ones."""
    require_choice(kind, name, names_of(folder))
    path = folder / f"{name}.py"
    module_spec = importlib.util.spec_from_file_location(f"{folder.name}.{name}", path)
    assert module_spec is not None
    assert module_spec.loader is not None
    module = importlib.util.module_from_spec(module_spec)
    sys.modules[module_spec.name] = module  # dataclasses with postponed annotations look themselves up there
    try:
        module_spec.loader.exec_module(module)
    except InputError as error:
        raise InputError(f"{path.name}: {error}") from error
    return module
