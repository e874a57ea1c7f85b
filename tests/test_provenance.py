"""The version of the code: a commit only while every Python file is the commit's."""

from __future__ import annotations

import os
import subprocess
import sys
from collections import namedtuple
from pathlib import Path

import psutil
import pytest
import torch

from grla.provenance import ROOT, OthersShare, ProcessorShare, _processor, code_version, machine, nvidia_smi


def git(folder: Path, *arguments: str) -> str:
    person = ("-c", "user.name=A", "-c", "user.email=a@b.c")
    command = ["git", "-C", str(folder), *person, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A checkout with one commit: `kernels/known.py`, and a .gitignore that names `ignored.py` and `build/`."""
    git(tmp_path, "init", "-q")
    (tmp_path / "kernels").mkdir()
    (tmp_path / "kernels" / "known.py").write_text("x = 1\n")
    (tmp_path / ".gitignore").write_text("ignored.py\nbuild/\n")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "First")
    return tmp_path


@pytest.mark.parametrize(
    ("file", "dirty"),
    [
        (None, False),
        ("kernels/known.py", True),
        ("kernels/new.py", True),
        ("new/folder/module.py", True),
        ("kernels/ignored.py", False),
        ("build/generated.py", False),
        ("photographs/one.png", False),
        ("notes.txt", False),
    ],
)
def test_changed_and_untracked_code_is_dirty_and_other_files_are_not(
    repository: Path, file: str | None, dirty: bool
) -> None:
    if file is not None:
        (repository / file).parent.mkdir(parents=True, exist_ok=True)
        (repository / file).write_text("y = 2\n")
    commit = git(repository, "rev-parse", "--short=12", "HEAD")
    assert code_version(repository) == (f"{commit}-dirty" if dirty else commit)


def test_outside_a_checkout_the_version_is_unknown(tmp_path: Path) -> None:
    assert code_version(tmp_path) == "unknown"


def test_the_version_stays_that_of_the_start(repository: Path) -> None:
    before = code_version(repository)
    (repository / "kernels" / "new.py").write_text("y = 2\n")
    assert code_version(repository) == before


def test_the_share_of_the_processor_is_by_what_the_threads_could_use() -> None:
    seconds, used = iter([100.0, 110.0, 110.0]), iter([7.0, 12.0, 40.0])
    share = ProcessorShare(2, lambda: next(seconds), lambda: next(used))
    assert share.now() == pytest.approx(0.25)  # 5 of 2 x 10 seconds
    assert share.now() == 1.0


def test_the_share_of_others_is_what_neither_was_idle_nor_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of 20 core seconds 5 were idle or waited for a disk, 9 ours and our ended children's; users' have guests'."""
    cores = namedtuple("cores", "user nice system idle iowait steal guest guest_nice")
    own = namedtuple("own", "user system children_user children_system iowait")
    times = iter([cores(100, 0, 10, 50, 5, 0, 100, 0), cores(111, 1, 12, 54, 6, 1, 111, 1)])
    ours = iter([own(40, 1, 0, 0, 7), own(44, 2, 3, 1, 9)])
    monkeypatch.setattr(psutil, "cpu_times", lambda: next(times))
    monkeypatch.setattr(psutil.Process, "cpu_times", lambda _: next(ours))
    assert OthersShare().now() == pytest.approx(6 / 20)


@pytest.mark.parametrize(("given", "expected"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_waiting_threads_sleep_unless_the_user_says_otherwise(given: str | None, expected: str) -> None:
    """OpenMP reads it when PyTorch is loaded, so it must be set before, by whatever module of ours comes first."""
    program = "import sys, grla.engine, os; print('torch' in sys.modules, os.environ['OMP_WAIT_POLICY'])"
    environment = {name: value for name, value in os.environ.items() if name != "OMP_WAIT_POLICY"}
    environment |= {} if given is None else {"OMP_WAIT_POLICY": given}
    command = [sys.executable, "-c", program]
    ran = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=True)
    assert ran.stdout.split() == ["True", expected]


@pytest.fixture
def gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU that PyTorch and a driver's command tell of."""
    command = tmp_path / "nvidia-smi"
    command.write_text("#!/bin/sh\necho 580.65.06, 1980\n")
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda: "H100")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda: (9, 0))


def test_of_a_gpu_is_recorded_what_its_numbers_depend_on(gpu: None) -> None:
    found = machine()["cuda"]
    assert (found["capability"], found["driver"]) == ("9.0", "580.65.06")
    assert (found["float32_products"], found["float32_convolutions"]) == ("ieee", "ieee")
    assert {"cuda", "cudnn", "triton"} <= set(found)
    assert nvidia_smi("driver_version,clocks.sm") == [["580.65.06", "1980"]]


def test_without_a_gpu_nothing_is_recorded_of_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert nvidia_smi("driver_version") is None
    assert "cuda" not in machine()


def test_generations_of_one_name_are_told_apart(tmp_path: Path) -> None:
    block = "processor\t: {}\ncpu family\t: 26\nmodel\t\t: 2\nmodel name\t: AMD EPYC\n"
    (tmp_path / "cpuinfo").write_text("\n".join(block.format(core) for core in range(2)))
    assert _processor(tmp_path / "cpuinfo") == "AMD EPYC (family 26, model 2)"
    (tmp_path / "cpuinfo").write_text("processor\t: 0\nBogoMIPS\t: 50\n\nprocessor\t: 1\n")  # as on ARM
    assert "family" not in _processor(tmp_path / "cpuinfo")
    assert _processor(tmp_path / "none")
