"""run_benchmark.py as a user calls it, on small inputs."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import pandas as pd
import pytest
import run_benchmark

from tests.shared.commands import call

benchmark = partial(call, "run_benchmark.py")


PEER = """
import torch
def net(upscale):
    return torch.nn.Sequential(torch.nn.Conv2d(3, 3 * upscale**2, 3, padding=1), torch.nn.PixelShuffle(upscale))
"""


def test_cost_counts_ours_and_outside_models(tmp_path: Path) -> None:
    (tmp_path / "benchmark_peer.py").write_text(PEER)
    models = ("--models", "gaussian_rbf", "benchmark_peer:net")
    shown = benchmark("cost", *models, "--out", "out", "--tree-depth", 3, folder=tmp_path)
    rows = pd.read_csv(tmp_path / "out" / "cost.csv").set_index("model")
    assert rows.loc["gaussian_rbf", "num_params"] == 885_328
    assert rows.loc["gaussian_rbf", "hook_flops"] / 1e9 == pytest.approx(56.5, abs=0.05)
    assert rows.loc["benchmark_peer:net", "macs"] == 320 * 180 * 27 * 48
    assert "0 to 5: 6 x PolymerizationBlock" in shown
    record = json.loads((tmp_path / "out" / "cost.json").read_text())
    assert [row["checked"]["lr_size"] for row in record["models"]] == [[24, 24], [24, 24]]
    assert record["packages"]["fvcore"]


def test_cost_finds_the_rule_of_a_published_figure(tmp_path: Path) -> None:
    flops = 2 * 16 * 16 * 9 * (3 * 64 + 16 * 64 * 64 + 64 * 1024 + 16 * 64 * 3) / 1e9
    small = ("cost", "--models", "edsr_lite", "--lr-size", 16, 16, "--out", tmp_path)
    printed = benchmark(*small, "--published", flops)
    assert "within 1%" in printed
    assert "2 x all multiply-adds = 2 x convolution and linear modules" in printed


def test_latency_writes_a_record_and_compares_with_an_old_one(tmp_path: Path) -> None:
    out = tmp_path / "out"
    small = ("latency", "--models", "uniform", "none", "--base", "uniform", "--lr-size", 16, 16, "--rounds", 2)
    assert "Noise floor" in benchmark(*small, "--out", out)
    record = json.loads((out / "latency.json").read_text())
    assert [row["name"] for row in record["models"]] == ["uniform", "none", "uniform again"]
    assert record["machine"]["cores"] >= 1
    for moment in ("before", "after"):
        assert set(record["conditions"][moment]) == {"threads", "clock_mhz", "load_average"}
    assert list(pd.read_csv(out / "latency.csv")["name"]) == ["uniform", "none", "uniform again"]
    old = tmp_path / "old.json"
    rows = [{**row, "ratio": row["ratio"] / 100} for row in record["models"]]
    old.write_text(json.dumps({**record, "models": rows}))
    assert "slower than before: " in benchmark(*small, "--compare", old, "--out", out, code=1)
    old.write_text(json.dumps({**record, "protocol": "another"}))
    message = "error: the earlier record's protocol must be 'grla-benchmark-1' as in this run, got 'another'"
    assert message in benchmark(*small, "--compare", old, "--out", out, code=1)


def test_scaling_writes_one_record_and_its_figures(tmp_path: Path) -> None:
    sizes = ("--tokens", 256, 128, 64, "--fit-from", 1, "--device", "cpu")
    shown = benchmark("scaling", "--kernels", "relu", "--models", *sizes, "--out", tmp_path)
    assert "kernel relu, forward + backward, 256 tokens: " in shown
    assert "Memory of linear kernels grows linearly" in shown
    record = json.loads((tmp_path / "scaling.json").read_text(), parse_constant=pytest.fail)  # no NaN: it is not JSON
    assert [point["tokens"] for point in record["points"]] == [64, 128, 256] * 2
    assert {point["outcome"] for point in record["points"]} == {"ok"}
    assert record["points"][0]["macs"] == 2 * 64 * 55 * 56
    assert [(law["quantity"], law["points"]) for law in record["exponents"]][:2] == [("time", 3)] * 2
    assert record["machine"]["cores"] >= 1
    assert len(pd.read_csv(tmp_path / "scaling.csv")) == 6
    pictures = {path.name for path in tmp_path.glob("*.png")}
    assert pictures == {"scaling-kernels.png", "roofline.png"}


def test_results_of_the_first_layout_are_left_alone(tmp_path: Path) -> None:
    (tmp_path / "attention" / "quick" / "checkpoints").mkdir(parents=True)
    (tmp_path / "attention" / "quick" / "provenance.json").touch()
    for script, *words in (("run_benchmark.py", "cost", "--models", "edsr_lite"), ("run_fidelity.py",)):
        assert "attention/quick holds checkpoints" in call(script, *words, "--out", tmp_path, code=1)
    assert [path.name for path in tmp_path.iterdir()] == ["attention"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("cost", "--models", "sofmax"), "--models must be a kernel (agent"),
        (("cost", "--published", 56.5), "--published must be the figure of one model: name that one only, got"),
        (("cost", "--models"), "--models must name at least one, got ()"),
        (("cost", "--upscale", 5), "--upscale must be one of 2, 3, 4, got 5"),
        (("memory", "--lr-size", 0, 0), "--lr-size must be a whole number of at least 1, got 0"),
        (("latency", "--models", "relu", "--lr-size", 8, 0), "--lr-size must be a whole number of at least 1, got 0"),
        (("latency", "--models", "X"), "--models must be a kernel (agent"),
        (("latency", "--fail-above", 0), "--fail-above must be above 0, got 0.0"),
        (("latency", "--base", "nothing"), "--base must be one of the models, gaussian_rbf"),
        (("latency", "--compare", "missing.json"), "cannot read missing.json: "),
        (("scaling", "--tokens", 64, 128), "--tokens must hold at least 3 different sizes from --fit-from (16384) on"),
    ],
)
def test_what_cannot_be_done_is_said(arguments: tuple[str, ...], message: str) -> None:
    assert message in " ".join(benchmark(*arguments, code=1).split())


def test_sizes_of_a_sweep_suit_the_device() -> None:
    cpu, gpu = (run_benchmark.Scaling().sweep(on_gpu=on_gpu) for on_gpu in (False, True))
    assert cpu.tokens == (4096, 16_384, 65_536, 262_144, 1_048_576)
    assert cpu.fit_from == 16_384
    assert gpu.tokens == (*cpu.tokens, 4_194_304, 16_777_216)
    assert gpu.fit_from == 1_048_576
    asked = run_benchmark.Scaling(tokens=(1, 2, 3), fit_from=1).sweep(on_gpu=True)
    assert (asked.tokens, asked.fit_from) == ((1, 2, 3), 1)
