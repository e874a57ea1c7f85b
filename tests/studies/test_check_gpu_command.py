"""`check_gpu.py` where there is no GPU."""

from __future__ import annotations

import json
from pathlib import Path

import check_gpu
import pytest
import torch

from tests.shared.commands import call


@pytest.fixture(autouse=True)
def no_gpu(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)


def test_without_a_gpu_it_says_so_and_what_it_would_look_at(tmp_path: Path) -> None:
    said = call("check_gpu.py", "--out", tmp_path / "gpu")
    assert said.startswith("There is no GPU that PyTorch can use.")
    assert "parity: Each kernel's output and gradients against float64" in said
    assert not (tmp_path / "gpu").exists()


def test_one_command_writes_a_record_and_a_page(tmp_path: Path) -> None:
    said = call("check_gpu.py", "--device", "cpu", "--kernels", "gaussian_rbf", "--out", tmp_path)
    record = json.loads((tmp_path / "gpu.json").read_text())
    assert {name: check["outcome"] for name, check in record["checks"].items()} == {
        line.split(": ")[0]: "ok" for line in said.splitlines() if ": ok" in line
    }
    assert "failed" not in said
    page = (tmp_path / "gpu.html").read_text()
    assert "Fused against eager" in page
    assert "fused_against_eager: eager (no GPU)" in page


def test_what_fell_back_is_named_with_its_reason() -> None:
    checks = {
        "training": {
            "outcome": "ok",
            "rows": [{"ok": True, "path": "eager (GRLA_TRITON=0)"}] * 2,
            "warnings": ["Triton's kernels cannot start"],
        },
        "latency": {"outcome": "not run", "reason": "no time was left"},
    }
    assert check_gpu.fallen_back({"checks": checks}) == [
        "training: Triton's kernels cannot start",
        "training: eager (GRLA_TRITON=0)",
        "latency: not run no time was left",
    ]


def test_numbers_are_shown_to_four_digits() -> None:
    assert check_gpu.shown([0.123456, 12]) == "0.1235, 12"
    assert check_gpu.shown("eager") == "eager"
