"""`pip install -e .`: its entry points, and who is to be cited."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib.metadata import EntryPoint
from pathlib import Path

import pytest
import yaml

from grla.__main__ import commands, main

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def grla(*words: str, code: int = 0) -> str:
    done = subprocess.run([sys.executable, "-m", "grla", *words], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == code, done.stderr
    return done.stdout + done.stderr


def test_entry_points_resolve() -> None:
    loaded = [EntryPoint(name, value, "console_scripts").load() for name, value in PROJECT["scripts"].items()]
    assert loaded == [main]


def test_every_command_has_a_name_and_a_line() -> None:
    files = {path for path in (ROOT / "studies").glob("*.py") if "command(main" in path.read_text(encoding="utf-8")}
    assert set(commands().values()) == files - {ROOT / "studies" / "command.py"}
    lines = grla().splitlines()
    assert [re.fullmatch(r"grla (\S+) +\S.*", line)[1] for line in lines] == list(commands())


def test_names_in_the_readme_are_commands() -> None:
    found = re.findall(r"`grla ([\w-]+)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert set(found) <= set(commands()), found
    assert found


def test_it_is_the_command_with_its_words_and_status() -> None:
    assert "Which" in grla("tuning", "--list")
    assert "error: STUDY must be one of" in grla("ablation", "atention", code=1)
    assert "error: the command must be one of ablation, " in grla("ablate", code=1)


def test_without_the_commands_it_says_how_to_get_them(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("grla.__main__.ROOT", tmp_path)
    with pytest.raises(SystemExit, match=r"no commands in .*studies; .* pip install -e \."):
        main()


def test_the_citation_is_of_this_version_and_names_the_paper() -> None:
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= citation.keys()
    assert (citation["version"], citation["license"]) == (PROJECT["version"], PROJECT["license"])
    assert [one["title"].partition(":")[0] for one in citation["references"]] == ["GRLA"]
