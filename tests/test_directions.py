"""Imports go one way: spec <- attention <- model; data, metrics, cost, training apart; study above; report beside."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
BASICS = {"errors", "files"}
# What each room may import of ours, besides itself.
ALLOWED = {
    "errors": set(),
    "files": {"errors"},
    "spec": {"errors"},
    "attention": {"errors"},
    "model": {"spec", "attention", "errors"},
    "data": BASICS,
    "metrics": {"errors"},
    "cost": {"errors"},
    "training": {"spec", *BASICS},
    "tiling": {"errors"},
    "evaluation": {"data", "metrics", "tiling", "errors"},
    "study": {"spec", "attention", "model", "data", "metrics", "cost", "training", "evaluation", *BASICS},
    "report": BASICS,
    "studies": {"study", "report", "spec", *BASICS},
}


def imported_rooms(path: Path) -> set[str]:
    rooms = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        names = []
        if isinstance(node, ast.ImportFrom) and node.module:
            names = [f"grla.{alias.name}" for alias in node.names] if node.module == "grla" else [node.module]
        elif isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        rooms |= {name.split(".")[1] for name in names if name.startswith("grla.")}
    return rooms


def files() -> list[Path]:
    return [path for folder in ("grla", "studies") for path in sorted((ROOT / folder).rglob("*.py"))]


@pytest.mark.parametrize("path", files(), ids=lambda path: str(path.relative_to(ROOT)))
def test_a_file_imports_only_what_its_room_may(path: Path) -> None:
    parts = path.relative_to(ROOT).parts
    room = "studies" if parts[0] == "studies" else Path(parts[1]).stem
    if room == "__init__":
        assert not imported_rooms(path)
        return
    assert imported_rooms(path) <= ALLOWED[room] | {room}


def test_optuna_is_known_to_the_engine_and_the_loader_only() -> None:
    users = {
        str(path.relative_to(ROOT / "grla"))
        for path in files()
        if path.is_relative_to(ROOT / "grla") and "import optuna" in path.read_text(encoding="utf-8")
    }
    assert users == {
        "report/load.py",
        *(f"study/{room}.py" for room in "dashboard engine patience plan queue storage tuning".split()),
    }


@pytest.mark.parametrize("module", ["grla.report.publish", "grla.spec"])
def test_reports_and_specs_load_without_torch(module: str) -> None:
    code = f"import sys, {module}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False).returncode == 0
