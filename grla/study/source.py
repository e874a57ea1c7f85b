"""The source that computes a cell: every module of ours that the cell's code runs through, by reading imports.

A cell's hash contains it, so a changed kernel, network, training loop, data source or counting rule reruns exactly the
cells that use it, and a changed report or command reruns none. Comments and docstrings do not count. What a spec
selects counts only for specs that select it: one kernel out of all, one kind of images, one kind of network.
"""

from __future__ import annotations

import ast
import functools
import hashlib
import importlib.util
import io
import tokenize
from collections.abc import Iterable, Iterator
from pathlib import Path

from grla.errors import InputError
from grla.provenance import ROOT
from grla.spec import DataSpec, EdsrLiteSpec, ModelSpec, OutsideSpec, RecallSpec, RunSpec, SimilaritySpec

START = ("grla.engine.cell", "grla.engine.costs")
"""The modules that compute cells; what they import, and what that imports, is their source."""
KERNELS = "grla.attention.kernels"
SELECTED: dict[str, tuple[type, ...]] = {
    "grla.data.images": (DataSpec,),
    "grla.data.patches": (DataSpec,),
    "grla.data.recall": (RecallSpec,),
    "grla.data.similarity": (SimilaritySpec,),
    "grla.model.network": (ModelSpec,),
    "grla.model.baselines": (EdsrLiteSpec, OutsideSpec),
}
"""Modules that count only for specs whose model or data is of one of these types."""
SILENT = {
    "grla.devices",
    "grla.engine.cells",
    "grla.engine.processes.paths",
    "grla.errors",
    "grla.files",
    "grla.provenance",
    "grla.study.record",
    "grla.study.source",
    "grla.training.tracking",
}
"""Modules that report, write or name what others compute, and change no number of it."""
INSTALLED = ("site-packages", "dist-packages")
"""Folders in which packages of other people lie side by side: there, a package's source ends where another begins."""
LAYOUT = (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)


def source_hash(spec: RunSpec, outside: Iterable[str] = (), root: Path = ROOT) -> str:
    """16 hex digits that name the source, below the folder `root`, of a cell with this spec.

    `outside` is the code of a model from outside. Raises InputError for a file that cannot be read.
    """
    digest = hashlib.sha256()
    for module in sorted(modules_of(spec, root)):
        digest.update(f"{module}\n{code_of(path_of(module, root))}\n".encode())
    for code in sorted(outside):
        digest.update(f"{code}\n".encode())
    return digest.hexdigest()[:16]


def modules_of(spec: RunSpec, root: Path = ROOT) -> set[str]:
    """The modules of ours that compute a cell with this spec, by dotted name."""
    found: set[str] = set()
    waiting = [*START]
    if isinstance(spec.model, ModelSpec):
        kernels = {spec.model.kernel.name, *(["softmax"] if "window" in spec.model.layers else [])}
        waiting += [name for kernel in kernels if path_of(name := f"{KERNELS}.{kernel}", root).is_file()]
    while waiting:
        module = waiting.pop()
        types = SELECTED.get(module)
        selected = types is None or isinstance(spec.model, types) or isinstance(spec.data, types)
        if selected and module not in found | SILENT:
            found.add(module)
            waiting += imported(module, root)
    return found


def outside_code(module: str, path: Path) -> set[str]:
    """The code of a module from outside, of file `path`, and of what it imports from beside it, directly or not.

    That is everything in the folder that holds it or its package, or, of an installed package, the package alone.
    """
    root = path.parents[module.count(".") + (path.name == "__init__.py")]
    found: set[str] = set()
    waiting = {module}
    while waiting:
        found |= waiting
        waiting = {name for one in waiting for name in imported(one, root)} - found
    return {code_of(path_of(name, root)) for name in found}


@functools.cache
def imported(module: str, root: Path) -> frozenset[str]:
    """The modules below `root` that one of them imports; what a package's face passes on counts for its origin."""
    tree = _tree(path_of(module, root))
    plain = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names = {_origin(source, name, root) for source, name, _ in _imported_names(module, tree, root)}
    package, several = module.partition(".")[0], root.name in INSTALLED
    ours = {name for name in plain | names if not several or name.partition(".")[0] == package}
    return frozenset(name for name in ours if path_of(name, root).is_file() and name != module)


@functools.cache
def code_of(path: Path) -> str:
    """A file's code without comments, blank lines and docstrings (any line that is a string and nothing else).

    Raises InputError where it cannot be read.
    """
    _tree(path)
    text = path.read_text(encoding="utf-8")
    lines: list[str | None] = [*text.split("\n")]
    code: list[str | None] = []
    statement: list[tokenize.TokenInfo] = []
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type in (tokenize.COMMENT, tokenize.NL):
            row, column = token.start
            lines[row - 1] = (lines[row - 1] or "")[:column].rstrip() or None
        elif token.type not in LAYOUT:
            statement.append(token)
        elif token.type == tokenize.NEWLINE:
            if any(part.type != tokenize.STRING for part in statement):
                code += lines[statement[0].start[0] - 1 : statement[-1].end[0]]
            statement = []
    return "\n".join(line for line in code if line is not None)


def path_of(module: str, root: Path = ROOT) -> Path:
    """The file of a module or package below `root`."""
    path = root.joinpath(*module.split("."))
    return path / "__init__.py" if path.is_dir() else path.with_suffix(".py")


def _imported_names(module: str, tree: ast.Module, root: Path) -> Iterator[tuple[str, str, str]]:
    """(module, name there, name here) of everything that a file imports by `from`, relative modules made absolute."""
    package = module if path_of(module, root).name == "__init__.py" else module.rpartition(".")[0]
    levels = package.count(".") + bool(package)
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level <= levels:  # beyond them it is tried and never succeeds
            source = importlib.util.resolve_name("." * node.level + (node.module or ""), package)
            yield from ((source, alias.name, alias.asname or alias.name) for alias in node.names)


def _origin(module: str, name: str, root: Path) -> str:
    """The module that `from module import name` takes the name from, followed through faces."""
    if path_of(f"{module}.{name}", root).is_file():
        return f"{module}.{name}"
    path = path_of(module, root)
    if path.name == "__init__.py" and path.is_file():
        for source, there, here in _imported_names(module, _tree(path), root):
            if here == name:
                return _origin(source, there, root)
    return module


@functools.cache
def _tree(path: Path) -> ast.Module:
    try:
        return ast.parse(path.read_text(encoding="utf-8"))
    except (OSError, SyntaxError, ValueError) as error:
        raise InputError(f"source {path} cannot be read: {error}") from error
