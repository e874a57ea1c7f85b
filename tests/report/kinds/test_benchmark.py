"""Tables and figures of the memory and the training benchmark, from records written by hand."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from grla.report.figures.canvas import save
from grla.report.figures.memory import memory_figure, memory_table
from grla.report.figures.training import PHASES, training_figure, training_notes, training_table
from grla.training.loop import STEP_PHASES


def peak(part: str, mib: float | None, low: float | None, high: float | None, reserved: float | None = None) -> Any:
    return {f"{part}_mib": mib, f"{part}_low_mib": low, f"{part}_high_mib": high, f"{part}_reserved_mib": reserved}


def memory_record(reserved: float | None = None) -> dict[str, Any]:
    fine = {"model": "relu", "outcome": "ok", "reason": ""}
    large = {"model": "softmax", "outcome": "out_of_memory", "reason": "training_step: killed"}
    rows = [
        fine | peak("forward", 300.4, 298.0, 305.0, reserved) | peak("training_step", 2000.0, 1999.0, 2001.0, reserved),
        large | peak("forward", 900.0, 900.0, 900.0, reserved) | peak("training_step", None, None, None),
    ]
    return {"lr_size": [180, 320], "batch_size": 4, "patch_size": 64, "device": "cpu", "models": rows}


def training_record() -> dict[str, Any]:
    shares = {"data_share": 0.01, "forward_share": 0.3, "backward_share": 0.6, "optimiser_share": 0.05}
    speed = {"seconds_per_1000": 1600.0, "images_per_second": 2.5, "ratio": 1.25, "low": 1.2, "high": 1.3}
    rows = [
        {"model": "relu", **peak("training_step", 2000.0, 1999.0, 2001.0), "outcome": "ok", "reason": ""},
        {"model": "softmax", **peak("training_step", None, None, None), "outcome": "error", "reason": "no"},
    ]
    rows[0] |= speed | shares | {"logging_share": 0.04}
    harness = {"budget": "800steps", "batch_size": 4, "patch_size": 24, "harness_share": 0.0123}
    floor = {"ratio": 1.002, "low": 0.99, "high": 1.01}
    return {"batch_size": 4, "patch_size": 64, "noise_floor": floor, "harness": harness, "models": rows}


def cells(markdown: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in markdown.splitlines()]


def test_the_memory_table_shows_medians_with_their_range_and_why_one_is_missing() -> None:
    header, _, fine, large = cells(memory_table(memory_record()))
    assert header == ["model", "forward MiB [low, high]", "training step MiB [low, high]", "outcome", "reason"]
    assert fine == ["relu", "300 [298, 305]", "2000 [1999, 2001]", "ok", ""]
    assert large == ["softmax", "900 [900, 900]", "-", "out_of_memory", "training_step: killed"]


def test_the_memory_table_has_what_a_gpu_reserved_where_there_is_one() -> None:
    header, _, fine, _ = cells(memory_table(memory_record(reserved=512.0)))
    assert dict(zip(header, fine, strict=True))["forward MiB reserved"] == "512"


def test_the_training_table_has_seconds_ratios_memory_and_shares() -> None:
    header, _, fine, failed = cells(training_table(training_record()))
    assert dict(zip(header, fine, strict=True)) == {
        "model": "relu",
        "s / 1000 iterations": "1600.0",
        "images / s": "2.50",
        "ratio to base [95 %]": "1.250 [1.200, 1.300]",
        "MiB": "2000",
        "data %": "1.0",
        "forward %": "30.0",
        "backward %": "60.0",
        "optimiser %": "5.0",
        "logging %": "4.0",
        "outcome": "ok",
        "reason": "",
    }
    assert failed == ["softmax", *["-"] * 9, "error", "no"]
    assert PHASES == STEP_PHASES


def test_the_notes_tell_noise_and_the_harness_share() -> None:
    noise, harness = training_notes(training_record()).splitlines()
    assert noise == "Noise floor: the base against itself is 1.002 [0.990, 1.010]."
    assert "take 1.2 % of a small cell (800steps of 4 patches of 24x24)" in harness


def test_bars_have_the_lengths_of_the_numbers(tmp_path: Path) -> None:
    figure = memory_figure(memory_record())
    forward, step = figure.axes
    assert [bar.get_width() for bar in forward.patches] == pytest.approx([900, 300.4])
    assert step.patches[1].get_width() == 2000
    assert step.patches[1].get_y() == forward.patches[1].get_y()  # beside its name, though softmax has no bar
    assert step.get_ylim() == forward.get_ylim()
    assert forward.get_xlabel() == "growth of resident memory at its peak (MiB)"
    assert step.get_title() == "training step, 4 LR patches of 64x64"
    save(figure, tmp_path / "memory")
    figure = training_figure(training_record())
    bars = figure.axes[0].patches
    assert [bar.get_width() for bar in bars] == pytest.approx([16, 480, 960, 80, 64])
    assert [bar.get_x() for bar in bars] == pytest.approx([0, 16, 496, 1456, 1536])
    assert "seconds for 1000 iterations" in figure.axes[0].get_xlabel()
    save(figure, tmp_path / "training")
    assert len(list(tmp_path.iterdir())) == 4
