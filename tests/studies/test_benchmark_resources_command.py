"""The subcommands memory and training of run_benchmark.py: files, tables, warnings; the measuring is shrunk."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import run_benchmark
import torch

from grla.benchmark import BatchSize, TrainingTimes, time_training
from grla.errors import InputError
from grla.spec import Budget
from grla.study import SMOKE


def test_memory_writes_record_rows_and_figure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small = {"lr_size": (16, 16), "batch_size": 1, "patch_size": 8, "repeats": 1, "device": "cpu"}
    run_benchmark.main(run_benchmark.Memory(models=("edsr_lite",), upscale=2, out=tmp_path, **small))
    printed = capsys.readouterr().out
    assert "| edsr_lite |" in printed
    assert "forward MiB [low, high]" in printed
    record = json.loads((tmp_path / "memory.json").read_text())
    assert (record["protocol"], record["repeats"], record["lr_size"]) == ("grla-benchmark-1", 1, [16, 16])
    rows = pd.read_csv(tmp_path / "memory.csv")
    assert list(rows["model"]) == ["edsr_lite"]
    assert rows.loc[0, "training_step_mib"] == record["models"][0]["training_step_mib"] > 0
    assert (tmp_path / "memory.png").stat().st_size > 1000
    assert (tmp_path / "memory.svg").is_file()


def test_training_writes_record_rows_and_figure(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    cell = {**SMOKE, "train.budget": Budget(2, "steps")}
    asked = TrainingTimes(("edsr_lite",), "edsr_lite", 4, 2, BatchSize(1, 8), repeats=1, cell=cell)
    measured = time_training(asked, tmp_path, torch.device("cpu"))
    measured["conditions"]["before"] = {**measured["conditions"]["before"], "load_average": 9.0}
    run_benchmark.show_training(measured, tmp_path)
    printed = capsys.readouterr()
    assert "s / 1000 iterations" in printed.out
    assert "Noise floor: the base against itself is" in printed.out
    assert "% of a small cell (2steps of 2 patches of 8x8)." in printed.out
    assert "warning: the load average before the measurement was 9.00, of which 0 is ours" in printed.err
    record = json.loads((tmp_path / "training.json").read_text())
    assert (record["base"], record["rounds"], record["patch_size"]) == ("edsr_lite", 2, 8)
    assert record["harness"]["outcome"] == "ok"
    assert 0 < record["harness"]["harness_share"] < 1
    assert list(pd.read_csv(tmp_path / "training.csv")["model"]) == ["edsr_lite"]
    assert (tmp_path / "training.png").stat().st_size > 1000
    # Scratch folders are removed; decoded images are kept.
    assert not [path for path in tmp_path.iterdir() if path.is_dir() and path.name != "cache"]


@pytest.mark.parametrize(
    ("command", "message"),
    [
        (run_benchmark.Memory(repeats=0), "repeats must be a whole number of at least 1, got 0"),
        (run_benchmark.Memory(batch_size=0), "batch_size must be"),
        (run_benchmark.Training(base="nothing"), "base must be one of the models, gaussian_rbf"),
        (run_benchmark.Training(rounds=1), "rounds must be a whole number of at least 2, got 1"),
    ],
)
def test_what_cannot_be_done_is_said(command: run_benchmark.Memory | run_benchmark.Training, message: str) -> None:
    with pytest.raises(InputError, match=message):
        run_benchmark.main(command)
