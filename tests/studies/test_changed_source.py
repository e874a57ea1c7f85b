"""A changed kernel is run anew, and nothing else is: no number may be that of code that is no longer there."""

from __future__ import annotations

import shutil
from pathlib import Path

import pandas as pd
import pytest

from tests.shared import ROOT
from tests.shared.commands import call_process

KERNEL = '''"""Squared ReLU features."""

from torch import Tensor, relu

from grla.attention.interface import LinearKernel


class Kernel(LinearKernel):
    """relu(q)^2 . relu(k)^2."""

    rows_sum_to_one = False
    nonnegative = True
    eps = 1e-15

    def map_q(self, q: Tensor) -> Tensor:
        """relu(q)^2."""
        return relu(q).square()

    def map_k(self, k: Tensor) -> Tensor:
        """relu(k)^2."""
        return relu(k).square()
'''


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A copy of the project with a kernel and a study of the user's own."""
    for name in ("grla", "studies"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "grla" / "attention" / "kernels" / "squared.py").write_text(KERNEL)
    tiny = (ROOT / "tests" / "shared" / "ablations" / "tiny.py").read_text()
    tiny = tiny.replace('vary("kernel", "model.kernel", "gaussian_rbf", "relu"),', "").replace(
        'vary("depth", "model.depth", 1, 2),', 'vary("kernel", "model.kernel", "gaussian_rbf", "squared"),'
    )
    (tmp_path / "studies" / "ablations" / "mine.py").write_text(tiny)
    return tmp_path


def run(project: Path, crops: Path) -> tuple[str, pd.Series]:
    """What a run printed, and PSNR-Y by variant."""
    data = ("--train-data", str(crops / "train"), "--test-data", str(crops / "test"))
    arguments = ("mine", "--profile", "smoke", "--out", "out", "--workers", 1, *data)
    printed = call_process("run_ablation.py", *arguments, folder=project, project=project)
    return printed, pd.read_csv(project / "out" / "mine" / "smoke" / "cells.csv").set_index("variant")["psnr_y"]


def test_a_changed_kernel_runs_anew_and_a_changed_report_runs_nothing(project: Path, crops: Path) -> None:
    kernel = project / "grla" / "attention" / "kernels" / "squared.py"
    printed, first = run(project, crops)
    assert "done already" not in printed
    kernel.write_text(KERNEL.replace("relu(q).square()", "relu(-q).square()"))
    printed, changed = run(project, crops)
    assert "1 of 2 cells are done already." in printed
    assert changed["base"] == first["base"]
    assert changed["kernel=squared"] != first["kernel=squared"]
    assert len(changed) == 2  # the old formula's cell is in no table of the new one's
    kernel.write_text(KERNEL.replace('"""Squared ReLU features."""', '"""Features: ReLU, squared."""'))
    tables = project / "grla" / "report" / "tables.py"
    tables.write_text(tables.read_text() + "\n_UNUSED = 1\n")
    printed, again = run(project, crops)
    assert "2 of 2 cells are done already." in printed
    pd.testing.assert_series_equal(again, first)
    assert "No fault found" in call_process("report.py", "out", "--verify", folder=project, project=project)
