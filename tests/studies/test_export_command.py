"""Exporting a checkpoint, and timing the file in turns with the network, as a user does."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

from grla.analysis import load_trained
from grla.model import build_model
from grla.spec import EdsrLiteSpec, RunSpec, to_dict
from grla.training.checkpoint import load_checkpoint, save_checkpoint
from tests.shared import ROOT
from tests.shared.commands import call


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A small network that is quick to export."""
    spec = RunSpec(model=EdsrLiteSpec(upscale=2, channels=8, blocks=1))
    state = {"spec": to_dict(spec), "model": build_model(spec.model).state_dict(), "ema": None}
    save_checkpoint(tmp_path / "weights.pt", state)
    return tmp_path / "weights.pt"


def test_files_are_written_checked_and_timed_in_turns_with_the_network(checkpoint: Path, tmp_path: Path) -> None:
    onnx, program = tmp_path / "network.onnx", tmp_path / "network.pt2"
    shown = call("export.py", checkpoint, "--onnx", onnx, "--torch-export", program)
    assert f"{onnx}: opset 20, float32; largest difference to the network at 64x48 " in shown
    assert f"{program}: float32; largest difference" in shown
    assert str(ROOT).encode() not in onnx.read_bytes()  # nothing of this machine is in the file
    half = tmp_path / "half.onnx"
    assert "opset 20, float16" in call("export.py", checkpoint, "--onnx", half, "--dtype", "float16")
    assert half.stat().st_size < onnx.stat().st_size
    models = ("--models", checkpoint, onnx, program, half, "--base", checkpoint)
    small = ("--upscale", 2, "--lr-size", 8, 9, "--rounds", 2, "--device", "cpu", "--out", tmp_path / "out")
    assert "Noise floor" in call("run_benchmark.py", "latency", *models, *small)
    record = json.loads((tmp_path / "out" / "latency.json").read_text())
    names = [str(path) for path in (checkpoint, onnx, program, half)]
    assert [row["name"] for row in record["models"]] == [*names, f"{checkpoint} again"]
    shown = call("run_benchmark.py", "latency", "--models", onnx, "--device", "cpu", "--out", tmp_path / "out", code=1)
    assert f"--upscale must be that of {onnx}, x2, got 4" in " ".join(shown.split())


def test_weights_alone_are_the_averaged_ones_of_the_same_network(checkpoint: Path, tmp_path: Path) -> None:
    state = load_checkpoint(checkpoint)
    averaged = {name: value + 1 for name, value in state["model"].items()}
    optimizer = {"state": {0: {"exp_avg": torch.zeros(10_000)}}}
    whole, small = tmp_path / "whole.pt", tmp_path / "small.pt"
    save_checkpoint(whole, {**state, "cell_hash": "abc", "ema": averaged, "optimizer": optimizer})
    assert f"{small}: 0.0 MB of 0.1" in call("export.py", whole, "--weights", small)
    assert load_checkpoint(small).keys() == {"cell_hash", "spec", "model"}
    spec, network = load_trained(small)
    assert (to_dict(spec), load_checkpoint(small)["cell_hash"]) == (state["spec"], "abc")
    assert all(torch.equal(value, averaged[name]) for name, value in network.state_dict().items())


def test_what_is_missing_is_said(checkpoint: Path, tmp_path: Path) -> None:
    assert "--onnx must name a file, or --torch-export or --weights must" in call("export.py", checkpoint, code=1)
    assert "--onnx must end in .onnx, got" in call("export.py", checkpoint, "--onnx", tmp_path / "x", code=1)
    both = ("--onnx", tmp_path / "x.onnx", "--torch-export", tmp_path / "x.pt")
    assert "--torch-export must end in .pt2, got" in call("export.py", checkpoint, *both, code=1)
    assert not (tmp_path / "x.onnx").exists()
    shown = call("run_benchmark.py", "latency", "--models", tmp_path / "none.onnx", code=1)
    assert f"exported network {tmp_path / 'none.onnx'} must be a file" in shown
