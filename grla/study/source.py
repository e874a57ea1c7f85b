"""The source that computes a cell: every module of ours that the cell's code runs through, by reading imports.

A cell's hash holds it, so that a changed kernel, network, training loop, data source or counting rule runs exactly the
cells that use it anew, and a changed report or command none. Comments and docstrings do not count. What a spec chooses
counts where it is chosen: one kernel of all, one kind of images, one kind of network.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import io
import tokenize
from collections.abc import Iterable
from pathlib import Path

from grla.errors import InputError
from grla.provenance import ROOT
from grla.spec import DataSpec, EdsrLiteSpec, ModelSpec, OutsideSpec, RecallSpec, RunSpec, SimilaritySpec

START = "grla.engine.cell"
"""The module that computes cells; what it imports, and what that imports, is their source."""
KERNELS = "grla.attention.kernels"
CHOSEN: dict[str, type | tuple[type, ...]] = {
    "grla.data.images": DataSpec,
    "grla.data.patches": DataSpec,
    "grla.data.recall": RecallSpec,
    "grla.data.similarity": SimilaritySpec,
    "grla.model.network": ModelSpec,
    "grla.model.baselines": (EdsrLiteSpec, OutsideSpec),
}
"""Modules that count for specs of a kind only."""
SILENT = {"grla.errors", "grla.files", "grla.provenance", "grla.study.record", "grla.training.tracking"}
"""Modules that say, write or name what others compute, and change no number of it."""


def source_hash(spec: RunSpec, outside: Iterable[Path] = ()) -> str:
    """16 hex digits that name the source of a cell with this spec.

    `outside` are the files of a model from outside. Raises InputError for one that cannot be read.
    """
    chosen = {name for name, kinds in CHOSEN.items() if isinstance(spec.data, kinds) or isinstance(spec.model, kinds)}
    start = [START]
    if isinstance(spec.model, ModelSpec):
        kernels = {spec.model.kernel.name, *(["softmax"] if "window" in spec.model.layers else [])}
        start += [name for kernel in sorted(kernels) if path_of(name := f"{KERNELS}.{kernel}").is_file()]
    digest = hashlib.sha256()
    for module in sorted(closure(start, frozenset(CHOSEN) - chosen)):
        digest.update(f"{module}\n{code_of(path_of(module))}\n".encode())
    for path in sorted(outside):
        digest.update(f"{code_of(path)}\n".encode())
    return digest.hexdigest()[:16]


def closure(start: Iterable[str], without: frozenset[str] = frozenset()) -> set[str]:
    """The modules of ours that those of `start` import, directly or not, and they themselves; none of `without`."""
    found: set[str] = set()
    waiting = list(start)
    while waiting:
        module = waiting.pop()
        if module not in found and module not in without and module not in SILENT:
            found.add(module)
            waiting += imported(module)
    return found


@functools.cache
def imported(module: str) -> frozenset[str]:
    """The modules of ours that a module imports; a name that a package's face passes on counts for where it is from."""
    names = set()
    for node in ast.walk(_tree(path_of(module))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "grla":
            names |= {_origin(node.module, alias.name) for alias in node.names}
        elif isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names if alias.name.split(".")[0] == "grla"}
    return frozenset(names - {module})


@functools.cache
def code_of(path: Path) -> str:
    """A file's code without comments, docstrings and blank lines; InputError where it cannot be read."""
    tree, lines = _tree(path), path.read_text(encoding="utf-8").splitlines()
    for token in tokenize.generate_tokens(io.StringIO("\n".join(lines) + "\n").readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    for node in ast.walk(tree):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) and ast.get_docstring(
            node, clean=False
        ):
            text = node.body[0]
            if text.lineno > getattr(node, "lineno", 0):
                lines[text.lineno - 1 : text.end_lineno] = [""] * ((text.end_lineno or text.lineno) - text.lineno + 1)
    return "\n".join(line.rstrip() for line in lines if line.strip())


def path_of(module: str) -> Path:
    """The file of a module or package of ours."""
    path = ROOT.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _origin(module: str, name: str) -> str:
    """Where `from module import name` takes the name from, followed through faces."""
    if path_of(f"{module}.{name}").is_file():
        return f"{module}.{name}"
    if path_of(module).name == "__init__.py":
        for node in _tree(path_of(module)).body:
            if isinstance(node, ast.ImportFrom) and node.module and name in {alias.name for alias in node.names}:
                return _origin(node.module, name)
    return module


@functools.cache
def _tree(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f"source {path} cannot be read: {error}") from error
