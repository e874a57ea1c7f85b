from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from grla.benchmark.machine_load import clock_mhz, conditions_now, other_work


def test_conditions_are_those_of_the_system() -> None:
    now = conditions_now()
    assert now["threads"] == torch.get_num_threads()
    assert now["load_average"] == pytest.approx(os.getloadavg()[0], abs=1)


def test_the_clock_is_the_mean_over_cores(tmp_path: Path) -> None:
    assert clock_mhz(tmp_path) is None
    (tmp_path / "proc").mkdir()
    (tmp_path / "proc/cpuinfo").write_text("model name\t: Some\n")
    assert clock_mhz(tmp_path) is None
    (tmp_path / "proc/cpuinfo").write_text("cpu MHz\t\t: 2000.5\ncache size\t: 1 KB\ncpu MHz\t\t: 3000.5\n")
    assert clock_mhz(tmp_path) == 2500.5
    for core, kilohertz in (("cpu0", "1000000\n"), ("cpu1", "1200000\n")):
        folder = tmp_path / "sys/devices/system/cpu" / core / "cpufreq"
        folder.mkdir(parents=True)
        (folder / "scaling_cur_freq").write_text(kilohertz)
    assert clock_mhz(tmp_path) == 1100


@pytest.mark.parametrize(
    ("before", "after", "warning"),
    [
        (0.3, 2.4, None),  # ours alone: two threads
        (None, None, None),
        (0.6, 2.0, "before the measurement was 0.60, of which 0 is ours"),
        (0.2, 2.6, "after the measurement was 2.60, of which 2 is ours"),
    ],
)
def test_load_beyond_our_threads_is_warned_of(before: float | None, after: float | None, warning: str | None) -> None:
    state = {"threads": 2, "clock_mhz": None}
    said = other_work({**state, "load_average": before}, {**state, "load_average": after})
    assert said is None if warning is None else warning in str(said)


@pytest.fixture
def gpu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A GPU of which a driver's command tells; another process computes on it."""
    command = tmp_path / "nvidia-smi"
    command.write_text(
        '#!/bin/sh\ncase "$*" in *compute-apps*) printf "10\\n11\\n";; *GPU-abc*) echo "345, 1980, 41, [N/A]";; esac\n'
    )
    command.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device: SimpleNamespace(uuid="abc"))


def test_of_a_gpu_its_clock_and_who_computes_on_it_are_told(gpu: None) -> None:
    now = conditions_now()
    assert {name: value for name, value in now.items() if name.startswith("gpu")} == {
        "gpu_clock_mhz": 345,
        "gpu_most_clock_mhz": 1980,
        "gpu_celsius": 41,
        "gpu_busy_percent": None,
        "gpu_processes": 2,
    }
    quiet = {**now, "load_average": 0.0}
    assert "2 processes computed on the GPU" in str(other_work(quiet, quiet))
    assert other_work(quiet, {**quiet, "gpu_processes": 1}) is None


def test_without_a_gpu_nothing_is_said_of_one() -> None:
    assert not [name for name in conditions_now() if name.startswith("gpu")]
