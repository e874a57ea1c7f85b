"""Notebooks run headless on anybody's results (`.ci/run`: on the reference results); git has them without outputs."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from nbformat import NotebookNode

ROOT = Path(__file__).parents[1]
NOTEBOOKS = ("ablations", "cost", "tuning", "claims", "your_kernel")
LOGIC = re.compile(r"^\s*(def|class|while|lambda|try)\b", re.MULTILINE)


def read(name: str) -> NotebookNode:
    return nbformat.read(ROOT / "notebooks" / f"{name}.ipynb", as_version=4)


def run(name: str, monkeypatch: pytest.MonkeyPatch, results: Path) -> str:
    """Execute a notebook on `results` and return all that it shows, as text."""
    monkeypatch.setenv("GRLA_RESULTS", str(results))
    notebook = read(name)
    client = NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(ROOT / "notebooks")}})
    client.execute(env=dict(os.environ))
    return str([cell.outputs for cell in notebook.cells if cell.cell_type == "code"])


def test_these_are_all() -> None:
    assert {path.stem for path in (ROOT / "notebooks").glob("*.ipynb")} == set(NOTEBOOKS)


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_git_has_no_outputs_and_no_logic(name: str) -> None:
    cells = read(name).cells
    code = [cell for cell in cells if cell.cell_type == "code"]
    assert all(cell.outputs == [] and cell.execution_count is None for cell in code)
    assert not any(LOGIC.search(cell.source) for cell in code)
    assert len(cells) - len(code) >= len(code) - 2  # comments
    assert code[0].source.count("RESULTS = ") == 1


@pytest.mark.parametrize("name", NOTEBOOKS)
def test_it_opens_with_what_came_out_and_its_links_lead_somewhere(name: str) -> None:
    """Git has no outputs: the first cell shows, or leads to, a result that git has."""
    texts = [cell.source for cell in read(name).cells if cell.cell_type == "markdown"]
    links = [re.findall(r"\]\(([^)#]+)", text) for text in texts]
    assert links[0][0].startswith("../results/reference/")
    assert all((ROOT / "notebooks" / link).exists() for found in links for link in found)


@pytest.fixture
def few(tmp_path: Path) -> Path:
    """A user's results: one study, in a folder of its own."""
    shutil.copytree(ROOT / "results" / "reference" / "recall-photos-quick", tmp_path / "recall-photos-quick")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("ablations", "recall-photos-quick"),
        ("cost", "No benchmark here yet"),
        ("tuning", "No search here yet"),
        ("claims", "recall_photos, quick, 15 cells, 3 seeds"),
    ],
)
def test_it_runs_on_a_folder_of_ones_own(name: str, shown: str, few: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    outputs = run(name, monkeypatch, few)
    assert shown in outputs
    assert "recall-quick" not in outputs


def test_the_notebook_on_tuning_shows_a_search(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A real one, as `run_tuning.py` leaves it."""
    command = [sys.executable, str(ROOT / "studies" / "run_tuning.py"), "search_recipe", "--profile", "smoke"]
    subprocess.run([*command, "--trials", "2", "--out", str(tmp_path)], check=True, capture_output=True)
    outputs = run("tuning", monkeypatch, tmp_path)
    for part in ("search_recipe/smoke", "no test image was read", "data:image/", "best so far", "learning_rate"):
        assert part in outputs
    assert "No search here yet" not in outputs


def test_the_notebook_on_a_kernel_tests_prices_and_trains_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    chosen = {"GRLA_KERNEL": "elu", "GRLA_PROFILE": "smoke", "GRLA_OUT": str(tmp_path)}
    for name, value in chosen.items():
        monkeypatch.setenv(name, value)
    outputs = run("your_kernel", monkeypatch, tmp_path)
    for part in (
        "class Kernel(LinearKernel)",
        " passed",
        "hook_flops G",
        "16 pairs dB",
        "over bicubic dB",
        "data:image/",
    ):
        assert part in outputs
    for study in ("recall", "photographs"):
        assert "kernel=elu" in (tmp_path / f"your_kernel_{study}" / "smoke" / "cells.csv").read_text(encoding="utf-8")
