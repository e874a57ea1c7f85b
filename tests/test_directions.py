"""Imports go one way: spec -> study -> engine -> tuning, benchmark; report sees study only, and never torch."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BASICS = {"errors", "files", "spec", "provenance"}
PARTS = {"answers", "precision", "attention", "model", "data", "metrics", "cost", "training", "tiling", "evaluation"}
# What each package or module may import of ours, besides itself.
ALLOWED = {
    "errors": set(),
    "files": {"errors"},
    "devices": {"errors"},
    "spec": {"errors"},
    "provenance": set(),
    "__main__": {"provenance"},
    "answers": {"cost", "errors"},
    "precision": set(),
    "attention": {"errors", "precision"},
    "model": {"cost", "training", "spec", "attention", "errors"},
    "data": {"errors", "files"},
    "metrics": {"errors"},
    "cost": {"errors"},
    "training": {"answers", "devices", "spec", "errors", "files", "precision"},
    "tiling": {"errors"},
    "evaluation": {"answers", "cost", "data", "metrics", "tiling", "study", "errors"},
    "study": BASICS,
    "engine": {"study", "devices", *PARTS, *BASICS},
    "tuning": {"engine", "study", "devices", *PARTS, *BASICS},
    "analysis": {"study", *PARTS, *BASICS},
    "benchmark": {"analysis", "engine", "study", "devices", *PARTS, *BASICS},
    "report": {"study", *BASICS},
    "studies": {"analysis", "benchmark", "data", "engine", "report", "study", "tuning", "cost", "devices", *BASICS},
}
PACKAGES = {path.parent.name for path in (ROOT / "grla").glob("*/__init__.py")}
# What a file may import of another package: its face. Kernels are plugins, public image sets have a face of their own.
FACES = {*(f"grla.{name}" for name in PACKAGES), "grla.data.public", "grla.attention.kernels"}
PURE = {"errors", "files", "spec", "provenance", "study", "report"}
OPTUNA = {"engine", "tuning"}


def imports(path: Path) -> Iterator[str]:
    """The dotted names that a file imports, those of `from x import y` as x.y."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def imports_at_load(path: Path) -> Iterator[str]:
    """Those of them that loading the file imports."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def files() -> list[Path]:
    return [path for folder in ("grla", "studies") for path in sorted((ROOT / folder).rglob("*.py"))]


def part_of(path: Path) -> str:
    """The package or module of grla that a file belongs to, or "studies"."""
    parts = path.relative_to(ROOT).parts
    return "studies" if parts[0] == "studies" else Path(parts[1]).stem


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_only_what_its_package_may(path: Path) -> None:
    parts = {name.split(".")[1] for name in imports(path) if name.startswith("grla.")}
    if part_of(path) == "__init__":
        assert not parts
        return
    assert parts <= ALLOWED[part_of(path)] | {part_of(path)}


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_other_packages_by_their_faces(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    crossing = {
        node.module
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("grla.")
        if node.module.split(".")[1] in PACKAGES - {part_of(path)}
    }
    assert crossing <= FACES


def test_optuna_is_known_to_the_engine_to_searches_and_to_the_loader_of_results_only() -> None:
    users = {path for path in files() if any(name.split(".")[0].startswith("optuna") for name in imports(path))}
    known = {path for path in users if part_of(path) in OPTUNA}
    assert users - known == {ROOT / "grla" / "report" / "results.py"}
    assert known


def test_specs_studies_and_reports_load_without_torch() -> None:
    for path in files():
        if part_of(path) in PURE:
            assert "torch" not in {name.split(".")[0] for name in imports_at_load(path)}, path


def test_nothing_that_they_import_loads_torch() -> None:
    code = f"import sys, {', '.join(f'grla.{name}' for name in sorted(PURE))}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0


COMMANDS = [
    path
    for path in sorted((ROOT / "studies").glob("*.py"))
    if path.stem != "command" and "command(main" in path.read_text(encoding="utf-8")
]


@pytest.mark.parametrize("path", COMMANDS, ids=lambda path: path.stem)
def test_a_command_puts_the_project_on_the_path_before_it_imports_anything_of_it(path: Path) -> None:
    """Only as a process of its own would it fail: tests have the project on the path."""
    beside = {other.stem for other in (ROOT / "studies").glob("*.py")}
    ours = [name.split(".")[0] for name in imports(path) if name.split(".")[0] in {"grla", *beside}]
    assert ours[0] == "command"
