"""The commands as a user calls them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import run_ablation
import torch
from PIL import Image
from torch import nn

from grla.model import weights_digest
from tests.shared.commands import call


def test_list_groups_studies_with_their_questions_and_profiles() -> None:
    shown = call("run_ablation.py", "--list")
    assert "attention" in shown
    assert "Does the Gaussian-RBF kernel beat softmax" in shown
    assert shown.index("Tables and figures of the paper") < shown.index("Beyond the paper") < shown.index("span")
    assert "Cells: smoke 8, quick 16" in shown
    assert "about 17 s a cell" in shown


def test_dry_run_shows_cells_costs_and_time_and_writes_nothing(tmp_path: Path) -> None:
    shown = call("run_ablation.py", "--dry-run", "--profile", "smoke", "--out", tmp_path / "out", folder=tmp_path)
    assert "kernel=softmax" in shown
    assert "MACs G" in shown
    assert "attention: 8 cells, about" in shown
    assert "recall_short: 4 cells, about" in shown
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["atention"], "STUDY must be one of aggregation, attention, "),
        (["--budget", "fast"], "--budget must look like 600steps or 5min, got 'fast'"),
        (["--seeds", "0"], "--seeds must be at least 1, got 0"),
        (["--until-clear", "0.05", "--max-seeds", "1"], "--max-seeds must be a whole number of at least 2, got 1"),
        (["channels", "--match", "macs"], "study 'channels' varies model.dim (channels=4: 4, base 8)"),
        (["--train-data", "nowhere"], "image folder nowhere does not exist"),
        (["--init-from", "nowhere.pt"], "checkpoint nowhere.pt does not exist"),
        (["--init-from", "dict.json"], "dict.json is not a readable checkpoint"),
        (["--out", "a-file/out"], "cannot write to a-file/out"),
        (
            ["--storage", "postgresql://me:hush@127.0.0.1:1/x"],
            "cannot use the storage postgresql://me:***@127.0.0.1:1/x",
        ),
        (["--storage", "mysql://me@host/x"], "--storage must be postgresql://user@host/database or sqlite:///folder"),
        (["--join"], "storage results/studies.db does not exist; start a run first"),
        (["--status"], "storage results/studies.db does not exist; start a run first"),
        (["--until-clear", "-1"], "--until-clear must be above 0 dB, got -1.0"),
        (["--until-clear", "0.1", "--workers", "0"], "--workers must be at least 1 with --until-clear, which looks at"),
        (["--base", "dict.json"], "study 'attention', profile 'smoke': model.kernel must be of type KernelSpec, got {"),
        (["--checkpoint-activations", "--compile"], "--checkpoint-activations does not go with --compile, which"),
        (["--budget", "0steps"], "--budget must be above 0, got 0"),
        (["--workers", "-1"], "--workers must be at least 0, got -1"),
    ],
)
def test_bad_input_is_one_clear_line(tmp_path: Path, arguments: list[str], message: str) -> None:
    (tmp_path / "a-file").write_text("")
    (tmp_path / "dict.json").write_text('{"changes": {"model.kernel": {"name": "relu"}}}')
    shown = call("run_ablation.py", "--profile", "smoke", *arguments, folder=tmp_path, code=1)
    assert f"error: {message}" in shown
    assert "Traceback" not in shown


def test_an_unknown_plan_and_a_wrong_suffix_are_said_of_their_flags(tmp_path: Path) -> None:
    smoke = ("--profile", "smoke")
    call("run_ablation.py", *smoke, "--workers", 0, folder=tmp_path)
    shown = call("run_ablation.py", *smoke, "--join", "--budget", "7steps", folder=tmp_path, code=1)
    assert "error: --join: the storage holds no study attention-smoke-" in shown
    shown = call("run_ablation.py", *smoke, "--export", "x.txt", folder=tmp_path, code=1)
    assert "error: --export: the file's suffix must be one of .csv, .jsonl, got '.txt'" in shown


def test_a_gpu_that_is_elsewhere_can_be_planned_for_and_nothing_else(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 0)
    smoke = ("--profile", "smoke", "--workers", 0, "--device", "cuda")
    assert "Planned attention-smoke-" in call("run_ablation.py", *smoke, folder=tmp_path)
    for computing in (("--workers", 1), ("--dry-run",), ("--match", "latency")):
        shown = call("run_ablation.py", *smoke, *computing, folder=tmp_path, code=1)
        assert "error: --device must be auto or cpu: PyTorch sees no cuda here, got 'cuda'" in shown
    shown = call("run_ablation.py", "--profile", "smoke", "--join", folder=tmp_path, code=1)
    assert "has another device (cuda, not cpu). Give the same arguments" in shown


def test_help_names_defaults_and_units() -> None:
    shown = " ".join(call("run_ablation.py", "--help").replace("│", " ").split())
    for part in (
        "600steps or 5min",
        "(default: attention)",
        "(default: quick)",
        "(default: results)",
        "(default: auto)",
    ):
        assert part in shown


FACTORY = """
import torch
class Nearest(torch.nn.Module):
    def __init__(self, upscale):
        super().__init__()
        self.upscale = torch.nn.Parameter(torch.tensor(float(upscale)))
    def forward(self, lr):
        return torch.nn.functional.interpolate(lr, scale_factor=int(self.upscale), mode="nearest")
def nearest(upscale):
    return Nearest(upscale)
def args(channels):
    pass
def spoilt():
    return Spoilt()
def both():
    return Both()
def pointwise():
    return torch.nn.Sequential(torch.nn.Conv2d(3, 12, 1), torch.nn.PixelShuffle(2))
class Spoilt(torch.nn.Module):
    def forward(self, lr):
        return lr.repeat_interleave(4, 2).repeat_interleave(4, 3) * float("nan")
class Both(torch.nn.Module):
    def forward(self, lr):
        return {"sr": lr.repeat_interleave(4, 2).repeat_interleave(4, 3), "lr": lr}
def wrong_size(upscale):
    return torch.nn.Identity()
"""


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A folder with a module of outside models and a test set of one image."""
    (tmp_path / "peer.py").write_text(FACTORY)
    (tmp_path / "wrong.py").write_text("def syntax(:")
    (tmp_path / "set").mkdir()
    pixels = np.random.default_rng(0).integers(0, 256, (40, 44, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(tmp_path / "set" / "noise.png")
    return tmp_path


def test_evaluate_scores_an_outside_model(outside: Path) -> None:
    shown = call(
        "evaluate.py",
        "--model",
        "peer:nearest",
        "--upscale",
        "2",
        "--test-data",
        "set",
        "--json",
        "s.json",
        folder=outside,
    )
    assert "PSNR-Y dB" in shown
    result = json.loads((outside / "s.json").read_text())
    assert result["test_sets"]["set"]["num_images"] == 1
    assert result["images"][0]["image"] == "noise"
    assert 5 < result["images"][0]["psnr_y"] < 20


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ["--model", "peer:wrong_size"],
            r"image set/noise: the model must map (1, 3, 10, 11) to (1, 3, 40, 44), got (1, 3, 10, 11)",
        ),
        (["--model", "peer:args"], "peer:args must be callable with upscale=, or without arguments; "),
        (["--model", "peer:spoilt"], "that are NaN or infinite"),
        (
            ["--model", "peer:both"],
            "a dict with the keys 'sr', 'lr'; wrap it in a factory",
        ),
        (["--model", "wrong:syntax"], "cannot find 'wrong:syntax': its module fails with SyntaxError: "),
        (["--model", "peer:both", "--json", "set/noise.png", "--weights", "set/noise.png"], "--json must be a file"),
        (["--model", "peer:missing"], "cannot find 'peer:missing'"),
        (["--model", "bicubic", "--weights", "peer.py"], "--weights must be left out but for package.module"),
        (["--model", "nothing"], "--model must be bicubic, a checkpoint file or package.module:factory"),
        (["--model", "peer:nearest", "--weights", "peer.py"], "peer.py is not a readable checkpoint"),
        (["--model", "peer.py"], "peer.py is not a readable checkpoint"),
    ],
)
def test_evaluate_names_what_is_wrong(outside: Path, arguments: list[str], message: str) -> None:
    shown = call("evaluate.py", *arguments, "--test-data", "set", folder=outside, code=1)
    assert message in shown
    assert "Traceback" not in shown


def test_a_network_that_differs_is_asked_in_its_own_way(outside: Path) -> None:
    shown = call("evaluate.py", "--model", "peer:both", "--output-key", "sr", "--test-data", "set", folder=outside)
    assert "PSNR-Y dB" in shown
    words = ["--model", "peer:both", "--out", "large"]
    shown = call("upscale.py", "set/noise.png", *words, folder=outside, code=1)
    assert "error: picture set/noise.png: the model must map (1, 3, 40, 44) to (1, 3, 160, 176), got a dict" in shown
    assert not (outside / "large").exists()
    call("upscale.py", "set/noise.png", *words, "--output-key", "sr", folder=outside)
    assert Image.open(outside / "large" / "noise_x4.png").size == (176, 160)


def test_weights_of_a_network_from_outside_are_loaded_recorded_and_missed(outside: Path) -> None:
    network = nn.Sequential(nn.Conv2d(3, 12, 1))
    nn.init.zeros_(network[0].weight)
    nn.init.constant_(network[0].bias, 0.5)
    torch.save({"params": network.state_dict()}, outside / "w.pth")
    words = ["--upscale", 2, "--model"]
    shown = call("upscale.py", "set/noise.png", *words, "peer:pointwise", "--weights", "w.pth", folder=outside)
    assert "as its factory made them" not in shown
    large = Image.open(outside / "results" / "upscaled" / "noise_x2.png")
    assert large.getextrema() == ((128, 128),) * 3
    shown = call("upscale.py", "set/noise.png", *words, "peer:pointwise", "--overwrite", folder=outside)
    assert "peer:pointwise has no file of weights: its parameters are as its factory made them." in shown
    shown = call(
        "upscale.py", "set/noise.png", *words, "bicubic", "--weights", "w.pth", "--overwrite", folder=outside, code=1
    )
    assert "error: --weights must be left out but for package.module:factory, got 'w.pth'" in shown
    score = ["evaluate.py", "--model", "peer:pointwise", "--upscale", 2, "--test-data", "set", "--json", "s.json"]
    assert "as its factory made them" not in call(*score, "--weights", "w.pth", folder=outside)
    result = json.loads((outside / "s.json").read_text())
    assert result["weights"] == {"path": "w.pth", "digest": weights_digest(network.state_dict())}
    assert result["conventions"] == {"value_range": 1, "luma_only": False, "output_key": None}
    assert "as its factory made them" in call(*score, folder=outside)
    assert json.loads((outside / "s.json").read_text())["weights"] is None


def test_a_picture_enlarged_exactly_is_said_and_in_no_mean(outside: Path) -> None:
    Image.new("RGB", (40, 40), (90, 90, 90)).save(outside / "set" / "flat.png")
    words = ["evaluate.py", "--model", "bicubic", "--test-data", "set", "--json", "s.json"]
    shown = call(*words, folder=outside)
    assert "set: flat enlarged exactly, with infinite PSNR; not counted." in shown
    text = (outside / "s.json").read_text()
    assert "Infinity" not in text
    result = json.loads(text)
    flat, noise = sorted(result["images"], key=lambda row: row["image"])
    assert (flat["psnr_y"], flat["ssim_y"]) == (None, None)
    means = {"num_images": 1, "psnr_y": noise["psnr_y"], "ssim_y": noise["ssim_y"], "exact": ["flat"]}
    assert result["test_sets"]["set"] == means
    (outside / "set" / "noise.png").unlink()
    assert "set                0  -            -" in call(*words, folder=outside)


def test_evaluate_bicubic_gives_the_published_row(benchmark_data: Path, tmp_path: Path) -> None:
    arguments = ("--model", "bicubic", "--upscale", "4", "--test-data", benchmark_data / "benchmark" / "Set5")
    call("evaluate.py", *arguments, "--json", tmp_path / "s.json")
    scores = json.loads((tmp_path / "s.json").read_text())["test_sets"]["Set5"]
    assert scores["psnr_y"] == pytest.approx(28.4290, abs=0.001)
    assert scores["ssim_y"] == pytest.approx(0.8111, abs=0.0001)


def test_the_ledger_settles_what_needs_no_training(tmp_path: Path) -> None:
    shown = call("claims.py", "--out", tmp_path)
    text = (tmp_path / "claims.md").read_text(encoding="utf-8")
    assert text in shown
    rows = {
        line.split("|")[1].strip(): line.split("|")[5].strip() for line in text.splitlines() if line.startswith("| ")
    }
    assert rows["GRLA needs 11 % fewer FLOPs than SwinIR-light"] == "not yet run"  # no record of costs
    assert rows["phi(K) is needed with normalised keys"] == "contradicted"
    assert rows["gamma = 1/2 is best"] == "not yet run"
    settled = json.loads((tmp_path / "settled.json").read_text())
    assert settled["largest_change_by_phi"] < 1e-9 < settled["by_random_weights"]


def test_the_precision_asked_for_is_a_change_of_every_cell() -> None:
    assert run_ablation.spec_changes(run_ablation.Arguments()) == {}
    asked = run_ablation.Arguments(precision="fp16", profile="standard")
    cells = run_ablation.study_run(asked).cells()
    assert {cell.spec.train.computed_in for cell in cells} == {"fp16"}
