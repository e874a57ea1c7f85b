from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from grla.errors import InputError
from grla.files import atomic_write, write_text


def test_a_file_appears_whole_and_replaces_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "new" / "a.txt"
    write_text(path, "one")
    write_text(path, "zwei ü")
    assert path.read_text(encoding="utf-8") == "zwei ü"
    assert os.listdir(path.parent) == ["a.txt"]


def test_a_failure_in_the_middle_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    write_text(path, "old")

    def fail() -> None:
        with atomic_write(path) as file:
            file.write(b"half")
            raise KeyError

    with pytest.raises(KeyError):
        fail()
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_name_may_be_as_long_as_names_can_be(tmp_path: Path) -> None:
    path = tmp_path / ("ü" * 125 + "x.png")
    assert len(os.fsencode(path.name)) == 255
    write_text(path, "x")
    assert os.listdir(tmp_path) == [path.name]


def test_a_folder_that_is_a_file_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot write .*file/a.txt.*earlier files are untouched"):
        write_text(tmp_path / "file" / "a.txt", "x")


LIMITED = """
import resource, signal, sys
from pathlib import Path
from grla.errors import InputError
from grla.files import write_text
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
try:
    write_text(Path(sys.argv[1]), "x" * 1_000_000)
except InputError as error:
    print(error)
"""


def test_a_file_that_does_not_fit_is_a_clear_error_and_the_old_one_stays(tmp_path: Path) -> None:
    """A limit on file sizes stands in for a full disk: writes past it fail in the same place."""
    path = tmp_path / "a.txt"
    path.write_text("the last good content")
    command = [sys.executable, "-c", LIMITED, str(path)]
    done = subprocess.run(command, cwd=Path(__file__).parents[1], capture_output=True, text=True, check=True)
    assert done.stdout == f"cannot write {path}: File too large; earlier files are untouched\n"
    assert path.read_text() == "the last good content"
    assert os.listdir(tmp_path) == ["a.txt"]
