"""Cells trained by two processes that torchrun starts, against cells trained by one."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import optuna
import pandas as pd
import pytest
import torch

from grla.engine.storage import FILE_NAME
from grla.report.results import Results, load_results
from grla.training.checkpoint import load_checkpoint

ROOT = Path(__file__).parents[3]
SCRIPT = ROOT / "tests" / "shared" / "torchrun_command.py"
PYTHON = [sys.executable]
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node"]


def start(command: list[str], *arguments: object) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*command, *map(str, arguments)],
        cwd=ROOT,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def finish(process: subprocess.Popen[str]) -> str:
    """Its output; it must end by itself."""
    try:
        return process.communicate(timeout=300)[0]
    finally:
        process.kill()


def results(out: Path) -> Results:
    (name,) = optuna.get_all_study_names(f"sqlite:///{out / FILE_NAME}")
    return load_results(out / FILE_NAME, name)


def weights(out: Path, cell_hash: str) -> dict[str, torch.Tensor]:
    return load_checkpoint(out / "cells" / cell_hash / "weights.pt")["model"]


def test_two_processes_get_what_one_gets(crops: Path, tmp_path: Path) -> None:
    """Sums of two halves are rounded otherwise than sums of the whole: six steps of Adam with rate 5e-4 make of it
    less than 1e-4 in a weight (in biases whose gradient is zero but for rounding), 1e-6 in a loss, 0.001 dB."""
    one, two = tmp_path / "one", tmp_path / "two"
    cells = "batch+layer+unused+nan"
    runs = [start(command, SCRIPT, crops, out, cells, 6) for command, out in ((PYTHON, one), ([*TORCHRUN, "2"], two))]
    for run in runs:
        printed = finish(run)
        assert run.returncode == 0, printed
    provenance = json.loads((two / "tiny" / "smoke" / "provenance.json").read_text())
    assert provenance["execution"]["processes"] == 2
    alone, shared = results(one), results(two)
    assert shared.cells["outcome"].tolist() == ["ok", "ok", "ok", "diverged"]
    assert set(shared.cells["execution"]) == {"checkpoint_activations, 2 processes"}
    same = ["cell_hash", "steps", "outcome", "num_params", "macs"]
    pd.testing.assert_frame_equal(shared.cells[same], alone.cells[same])
    assert shared.cells["psnr_y"][:3].tolist() == pytest.approx(alone.cells["psnr_y"][:3].tolist(), abs=1e-3)
    assert shared.curves["loss"].tolist() == pytest.approx(alone.curves["loss"].tolist(), rel=1e-6)
    for cell_hash in alone.cells["cell_hash"][:3]:
        expected = weights(one, cell_hash)
        for name, value in weights(two, cell_hash).items():
            torch.testing.assert_close(value, expected[name], rtol=1e-5, atol=1e-4, msg=name)


def test_ctrl_c_stops_all_and_one_process_can_go_on(crops: Path, tmp_path: Path) -> None:
    run = start([*TORCHRUN, "2"], SCRIPT, crops, tmp_path, "batch", 60)
    assert run.stdout is not None
    for line in run.stdout:
        if "step 20" in line:
            break
    run.send_signal(signal.SIGINT)
    printed = finish(run)
    assert run.returncode != 0
    assert "stopped at step" in printed, printed
    (checkpoint,) = (tmp_path / "cells").glob("*/*.partial")
    assert 20 <= load_checkpoint(checkpoint)["step"] < 60
    printed = finish(start(PYTHON, SCRIPT, crops, tmp_path, "batch", 60))
    assert "ok, validation" in printed
    assert results(tmp_path).cells["steps"].tolist() == [60]


def test_a_batch_that_cannot_be_shared_out_is_refused() -> None:
    printed = finish(start([*TORCHRUN, "3"], "studies/run_ablation.py", "--profile", "smoke", "--out", os.devnull))
    rule = "error: data.batch_size must divide by the number of processes, 3, which share each batch, got 2"
    assert printed.count(rule) == 1, printed
