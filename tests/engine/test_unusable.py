"""A network that cannot be used is the outcome of its cells: the others of the study are trained and reported."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
import torch
from PIL import Image

from grla.engine import StudyRun, forecast, run_study
from grla.report import load_results, publish
from grla.spec import OutsideSpec
from grla.study import Factor, Study

PEERS = """
import torch
from torch import nn
from torch.nn.functional import interpolate

class Net(nn.Module):
    def __init__(self, change, upscale=2):
        super().__init__()
        self.conv, self.change, self.upscale = nn.Conv2d(3, 3, 1), change, upscale
    def forward(self, x):
        return self.change(self, interpolate(self.conv(x), scale_factor=self.upscale), x)

def small(self, sr, x):
    assert x.shape[2] <= 8, "larger than a patch"
    return sr

def good(): return Net(lambda self, sr, x: sr)
def x3(): return Net(lambda self, sr, x: sr, 3)
def cropping(): return Net(lambda self, sr, x: sr if self.training else sr[..., 2:])
def patches(): return Net(small)
def fourier(): return Net(lambda self, sr, x: torch.fft.irfft2(torch.fft.rfft2(sr), s=sr.shape[2:]))
def nan(): return Net(lambda self, sr, x: sr if self.training else sr * float("nan"))
def pair(): return Net(lambda self, sr, x: (sr, x))
class Luma(nn.Conv2d):
    def forward(self, x):
        return interpolate(super().forward(x), scale_factor=2)

def luma(): return Luma(1, 1, 1)
def half(): return good().half()
def empty(): return nn.Upsample(scale_factor=2)
def asking(channels): return good()
def white(): return Net(lambda self, sr, x: sr * 0 + 1)
def failing(): raise KeyError("missing")
"""
ENDS = {
    "good": ("ok", ""),
    "x3": ("error", "the model must map (1, 3, 8, 8) to (1, 3, 16, 16), got (1, 3, 24, 24); it enlarges x3"),
    "cropping": ("error", "; it must pad sizes that do not suit it, and crop its answer"),
    "patches": ("error", "larger than a patch"),
    "fourier": ("ok", "not counted: cannot count this model: operation aten._fft_r2c.default has no rule"),
    "nan": ("diverged", "values that are NaN or infinite"),
    "pair": ("error", "got a tuple of 2"),
    "luma": ("error", "it must take any size and 3 channels; one of luma alone is asked with --luma-only in evaluate"),
    "half": ("error", "must have parameters of torch.float32 to train, got torch.float16"),
    "empty": ("error", "must have parameters of torch.float32 to train, got none"),
    "asking": ("error", "the factory unusable_peers:asking must be callable with upscale=, or without arguments"),
    "failing": ("error", "the factory unusable_peers:failing failed (KeyError: 'missing')"),
}


WHITE = {"model": OutsideSpec("unusable_peers:white", 2)}


@pytest.fixture
def bad(tiny: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Study:
    """The tiny study with a variant of each of the networks above."""
    (tmp_path / "unusable_peers.py").write_text(PEERS)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "unusable_peers", raising=False)
    models = {name: {"model": OutsideSpec(f"unusable_peers:{name}", 2)} for name in ENDS}
    return replace(tiny, factors=(Factor("model", {"GRLA": {}, **models}),))


def test_each_ends_in_its_own_way_and_all_others_finish(bad: Study, make_run: Callable[..., StudyRun]) -> None:
    run = make_run(study=bad, settings={"workers": 1})
    name = run_study(run)
    cells = load_results(run.settings.storage_url, name).cells.set_index("variant")
    for model, (outcome, reason) in ENDS.items():
        cell = cells.loc[f"model={model}"]
        assert cell["outcome"] == outcome, model
        assert reason.replace("values that", "") in str(cell["reason"]).replace("values of", ""), model
    fourier = cells.loc["model=fourier"]
    assert pd.isna(fourier["macs"])
    assert fourier["num_params"] == 12
    assert fourier["psnr_y"] == pytest.approx(cells.loc["model=good", "psnr_y"], abs=1e-3)
    results = publish(run.settings.storage_url, name, run.folder)
    assert set(results.equivalences) == {"model=good", "model=fourier"}
    summary = (run.folder / "summary.md").read_text(encoding="utf-8")
    assert "- model=fourier: not counted: cannot count this model: operation aten._fft_r2c" in summary


def test_an_image_enlarged_exactly_is_said_and_in_no_mean(
    bad: Study, crops: Path, tmp_path: Path, make_run: Callable[..., StudyRun]
) -> None:
    shutil.copytree(crops / "test", tmp_path / "half_flat")
    Image.new("RGB", (32, 32), "white").save(tmp_path / "half_flat" / "flat.png")
    study = replace(bad, factors=(Factor("model", {"GRLA": {}, "white": dict(WHITE)}),))
    run = make_run(study=study, settings={"workers": 1}, data__test=(str(tmp_path / "half_flat"),))
    name = run_study(run)
    assert "Infinity" not in "".join(path.read_text() for path in run.settings.out.glob("cells/*/record.json"))
    results = load_results(run.settings.storage_url, name)
    white = results.images[results.images["variant"] == "model=white"].set_index("image")["psnr_y"].astype(float)
    assert pd.isna(white["flat"])
    cell = results.cells.set_index("variant").loc["model=white"]
    assert cell["psnr_y"] == pytest.approx(white.mean())
    publish(run.settings.storage_url, name, run.folder)
    summary = (run.folder / "summary.md").read_text(encoding="utf-8")
    for variant in ("bicubic", "model=white"):
        assert f"- {variant} enlarges exactly, with infinite PSNR, which is in no mean: flat of half_flat" in summary
    (row,) = (line.split("|") for line in summary.splitlines() if line.startswith("| white"))
    bicubic = results.images[results.images["variant"] == "bicubic"].set_index("image")["psnr_y"].astype(float)
    assert row[3].strip() == "2"
    assert float(row[6]) == pytest.approx((white - bicubic).mean(), abs=1e-3)


def test_an_estimate_of_the_others_is_given_all_the_same(bad: Study) -> None:
    found = {one.cell.variant: one for one in forecast(bad.cells("smoke", {}), torch.device("cpu")).estimates}
    assert (found["model=failing"].counts, found["model=failing"].seconds) == (None, None)
    assert found["model=fourier"].counts is None
    assert found["model=fourier"].seconds is not None
    assert found["model=good"].reason == ""
