"""The helper of all commands: messages, exit statuses, and whose grla is run."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import pytest
import tyro

from command import command, with_flags

from grla.errors import InputError, Interrupted
from tests.shared import ROOT


@dataclass(frozen=True)
class Arguments:
    sets: Annotated[tuple[str, ...], tyro.conf.Positional]
    study: tyro.conf.Positional[str] = "attention"
    lr_size: int = 1
    tokens: int | None = None
    until_clear: float = 1.0


@dataclass(frozen=True)
class Base:
    base: str = "relu"


@dataclass(frozen=True)
class Sub(Base):
    rounds: int = 1


@pytest.mark.parametrize(
    ("message", "shown"),
    [
        ("lr_size must be above 0, got 0", "--lr-size must be above 0, got 0"),
        ("tokens cannot be counted", "--tokens cannot be counted"),
        ("sets must name a set", "SETS must name a set"),
        ("study must be one of a, b", "STUDY must be one of a, b"),
        ("study 'a' must not vary lr_size", "study 'a' must not vary lr_size"),
        ("must have tokens must be", "must have tokens must be"),
        ("the lr_size must be", "the lr_size must be"),
        ("rounds must be at least 1", "rounds must be at least 1"),
        ("--lr-size must be above 0", "--lr-size must be above 0"),
        ("tokens: no such plan", "--tokens: no such plan"),
        ("clear must be above 0 dB, got -1", "--until-clear must be above 0 dB, got -1"),
        ("model.lr_size must be one of 2, 3, 4", "--lr-size must be one of 2, 3, 4"),
        ("relu: lr_size must be above 0", "relu: --lr-size must be above 0"),
        ("study 'x': tokens must be one of a, b", "study 'x': --tokens must be one of a, b"),
        ("lr_size does not go with `tokens`", "--lr-size does not go with --tokens"),
        ("the patch of `lr_size` and `rounds`", "the patch of --lr-size and `rounds`"),
        ("picture a cannot be read\nlr_size must be 1", "picture a cannot be read\n--lr-size must be 1"),
        ("image folder lr_size does not exist", "image folder lr_size does not exist"),
        ("", ""),
    ],
)
def test_a_parameter_at_the_beginning_is_written_as_a_flag(message: str, shown: str) -> None:
    assert with_flags(message, Arguments, clear="until_clear") == shown


def test_fields_of_a_base_class_are_parameters_too() -> None:
    assert with_flags("base must be a model", Sub) == "--base must be a model"


def ended(words: list[str], arguments_type: object, outcome: Exception, **flags: str) -> tuple[object, object]:
    """What `main` got, and the exit status or message of a command whose `main` raises `outcome`."""
    seen = []

    def main(arguments: object) -> None:
        seen.append(arguments)
        raise outcome

    with pytest.raises(SystemExit) as stop:
        command(main, arguments_type, words=words, **flags)
    return seen[0], stop.value.code


def test_an_input_error_of_a_subcommand_names_its_flag() -> None:
    either = Annotated[Base, tyro.conf.subcommand("first")] | Annotated[Sub, tyro.conf.subcommand("second")]
    fault = InputError("rounds must be at least 1, got 0")
    assert ended(["second", "--rounds", "0"], either, fault) == (
        Sub(rounds=0),
        "error: --rounds must be at least 1, got 0",
    )
    assert ended(["first"], either, fault) == (Base(), "error: rounds must be at least 1, got 0")


def test_a_parameter_that_the_library_calls_otherwise_is_its_flag() -> None:
    renamed = InputError("turns must be at least 1, got 0")
    assert ended([], Sub, renamed, turns="rounds") == (Sub(), "error: --rounds must be at least 1, got 0")


@pytest.mark.parametrize("words", [["--list"], ["--help"]])
def test_a_reader_who_leaves_ends_a_command_quietly(words: list[str]) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    command_line = [sys.executable, str(ROOT / "studies" / "run_tuning.py"), *words]
    done = subprocess.run(command_line, stdout=writing, stderr=subprocess.PIPE, text=True, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (1, "")


def test_an_interrupted_command_says_how_to_go_on(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended([], Base, Interrupted()) == (Base(), 130)
    assert capsys.readouterr().err == "\nStopped. Nothing is lost: run the same command again to go on.\n"


def test_a_second_ctrl_c_ends_a_command_without_a_traceback(capsys: pytest.CaptureFixture[str]) -> None:
    assert ended([], Base, KeyboardInterrupt()) == (Base(), 130)
    words = "Stopped. What was finished is kept: run the same command again to go on."
    assert capsys.readouterr().err == f"\n{words}\n"


def test_the_grla_beside_a_command_is_run_whatever_else_is_on_the_path(tmp_path: Path) -> None:
    (tmp_path / "other" / "grla").mkdir(parents=True)
    (tmp_path / "other" / "grla" / "__init__.py").write_text("raise ImportError('the wrong one')")
    (tmp_path / "mine" / "grla").mkdir(parents=True)
    (tmp_path / "mine" / "studies").mkdir()
    (tmp_path / "mine" / "grla" / "__init__.py").touch()
    shutil.copy(ROOT / "grla" / "errors.py", tmp_path / "mine" / "grla")
    shutil.copy(ROOT / "studies" / "command.py", tmp_path / "mine" / "studies")
    (tmp_path / "mine" / "studies" / "show.py").write_text("import command, grla\nprint(grla.__file__)\n")
    done = subprocess.run(
        [sys.executable, tmp_path / "mine" / "studies" / "show.py"],
        env={"PYTHONPATH": str(tmp_path / "other")},
        check=True,
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == str(tmp_path / "mine" / "grla" / "__init__.py")
