"""The commands that look into networks, as a user calls them, on untrained networks of a few channels."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from PIL import Image

from command import SHIPPED

from grla.model import build_model
from grla.report.kinds import fidelity
from grla.spec import KernelSpec, ModelSpec, RecallSpec, RunSpec, to_dict
from grla.training.checkpoint import save_checkpoint
from tests.shared.commands import call


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    spec = RunSpec(ModelSpec(upscale=2, dim=8, depth=1, layers=("global",)))
    torch.manual_seed(0)
    path = tmp_path / "tiny.pt"
    save_checkpoint(path, {"spec": to_dict(spec), "model": build_model(spec.model).state_dict(), "ema": None})
    return path


@pytest.fixture
def photo(tmp_path: Path) -> Path:
    pixels = np.random.default_rng(0).integers(0, 256, (40, 48), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "noise.png")  # gray, which a network for colours sees as three channels
    return tmp_path / "noise.png"


def test_fidelity_writes_tables_figures_and_a_summary(tmp_path: Path, checkpoint: Path, photo: Path) -> None:
    out = tmp_path / "out"
    sizes = ("--head-dim", 6, "--num-tokens", 24)
    shown = call("run_fidelity.py", "--checkpoint", checkpoint, "--image", photo, *sizes, "--out", out)
    assert "trained with gaussian_rbf, on the LR of noise" in shown
    figures = ["profiles", "taylor", "margins", "distances-random", "distances-layer-1", "distances-layer-2"]
    tables = ["profiles", "taylor_errors", "taylor_histogram", "distances", "margins"]
    expected = {f"{name}.{kind}" for name in figures for kind in ("png", "svg")} | {f"{name}.csv" for name in tables}
    assert {path.name for path in out.iterdir()} == expected | {"summary.md", "provenance.json", "figures.json"}
    assert set(pd.read_csv(out / "distances.csv")["source"]) == {"random", "layer 1", "layer 2"}
    assert [fault for fault in fidelity.faults(out) if not fault.startswith("code ")] == []


def test_recall_maps_are_drawn_for_checkpoints_of_the_probe_only(tmp_path: Path, checkpoint: Path) -> None:
    out, probe = tmp_path / "maps", tmp_path / "probe.pt"
    spec = RunSpec(ModelSpec(upscale=2, dim=8, depth=1, layers=("global",), kernel=KernelSpec("softmax")), RecallSpec())
    save_checkpoint(probe, {"spec": to_dict(spec), "model": build_model(spec.model).state_dict(), "ema": None})
    shown = call("run_recall_maps.py", probe, "--pairs", 8, "--images", 1, "--out", out)
    assert "layer 2" in shown
    assert {path.name for path in out.iterdir()} == {"recall_maps.csv", "recall_maps.png", "recall_maps.svg"}
    shares = pd.read_csv(out / "recall_maps.csv").set_index(["what", "test_set"])["mean"]
    assert shares.between(0, 1).all()
    assert shares["layer 1, signed", "8 pairs"] == pytest.approx(shares["layer 1, absolute", "8 pairs"])  # softmax
    assert "must be of the recall probe" in call("run_recall_maps.py", checkpoint, "--out", out, code=1)
    assert "must name one of softmax with seed 0, got 2" in call("run_recall_maps.py", probe, probe, code=1)
    assert "must be one of 2 pairs, 4 pairs, 8 pairs, 16 pairs" in call(
        "run_recall_maps.py", probe, "--pairs", 3, code=1
    )


def test_interventions_measure_probe_networks_and_those_of_photographs(
    tmp_path: Path, checkpoint: Path, photo: Path
) -> None:
    probe = tmp_path / "probe.pt"
    spec = RunSpec(ModelSpec(upscale=2, dim=8, depth=1, layers=("global",), kernel=KernelSpec("softmax")), RecallSpec())
    save_checkpoint(probe, {"spec": to_dict(spec), "model": build_model(spec.model).state_dict(), "ema": None})
    kept = tmp_path / "study" / "cells" / "base_seed0_ab12cd" / "weights.pt"
    kept.parent.mkdir(parents=True)
    probe.rename(kept)
    call("run_interventions.py", tmp_path / "study", "--images", 1, "--out", tmp_path / "one")
    assert "or a folder with cells/*/weights.pt" in call("run_interventions.py", tmp_path, code=1)
    rows = pd.read_csv(tmp_path / "one" / "interventions.csv")
    assert set(rows["test_set"]) == {f"{number} pairs" for number in (2, 4, 8, 16, 32, 64)}
    assert {"follows the swapped value", "PSNR-Y dB, 32x32"} <= set(rows["what"])
    assert set(rows["network"]) == {"softmax", "best guess that ignores keys"}
    assert (tmp_path / "one" / "other_tests.png").is_file()
    (tmp_path / "set").mkdir()
    photo.rename(tmp_path / "set" / photo.name)
    call("run_interventions.py", checkpoint, "--test-data", tmp_path / "set", "--out", tmp_path / "two")
    rows = pd.read_csv(tmp_path / "two" / "interventions.csv")
    assert set(rows["what"]) == {
        f"dB lost with uniform weights in {name}" for name in ("layer 1", "layer 2", "all layers")
    }
    assert {path.name for path in (tmp_path / "two").iterdir()} == {
        "interventions.csv",
        "interventions.json",
        "interventions.png",
        "interventions.svg",
    }


def test_attribution_draws_each_checkpoint(tmp_path: Path, checkpoint: Path, photo: Path) -> None:
    out = tmp_path / "out"
    sizes = ("--steps", 3, "--size", 8, "--top", 4)
    kept = tmp_path / "base_seed0_ab12cd" / "weights.pt"  # as in a cell's folder
    kept.parent.mkdir()
    kept.write_bytes(checkpoint.read_bytes())
    shown = call("run_attribution.py", checkpoint, kept, "--image", photo, *sizes, "--out", out)
    assert "gaussian_rbf" in shown
    table = pd.read_csv(out / "attribution.csv")
    assert list(table["checkpoint"]) == ["tiny.pt", "base_seed0_ab12cd"]
    assert table["diffusion_index"].between(0, 100).all()
    assert (table["top"] == 4).all()
    assert {path.name for path in out.iterdir()} == {"attribution.csv", "attribution.png", "attribution.svg"}


@pytest.mark.parametrize(
    ("script", "arguments", "message"),
    [
        ("run_fidelity.py", ["--checkpoint", "nowhere.pt"], "checkpoint nowhere.pt does not exist"),
        ("run_fidelity.py", ["--seed", str(2**63)], "--seed must lie between 0 and 2**63 - 1"),
        ("run_fidelity.py", ["--gamma", "0"], "gaussian_rbf: --gamma must be above 0, got 0.0"),
        ("run_attribution.py", [SHIPPED, "--size", "0"], "--size must lie between 1 and 299"),
        (
            "run_attribution.py",
            [SHIPPED, "--top", "-1"],
            "the patch at --top, --left of --size must lie inside the 448x",
        ),
        ("run_attribution.py", ["nowhere.pt"], "checkpoint nowhere.pt does not exist"),
    ],
)
def test_bad_input_is_one_clear_line(script: str, arguments: list[object], message: str) -> None:
    shown = call(script, *arguments, code=1)
    assert f"error: {message}" in shown
    assert "Traceback" not in shown
