"""From a hand-made storage to frames, and the crops that belong to them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pytest
from PIL import Image

from grla.report.figures.crops import crop_rows
from grla.report.kinds.study import measured, publish
from grla.report.results import CELL_COLUMNS, IMAGE_COLUMNS, load_results

MODEL = {"upscale": 4, "dim": 55, "depth": 6, "window_size": 16}
BASE: dict[str, Any] = {
    "model": MODEL,
    "data": {"batch_size": 16, "patch_size": 64},
    "train": {"budget": {"amount": 800, "unit": "steps"}, "learning_rate": 0.005},
    "cost": {"count_output": [720, 1280], "latency_input": [48, 64]},
}
SCORES = {2: 34.0, 4: 28.0}


def write_storage(path: Path, base: dict[str, Any] | None = None) -> None:
    """A study "s" of panels x2 and x4 (base) by two models, one seed, one image "Set5-baby"."""
    factors = [
        {"name": "upscale", "levels": ["x2", "x4"], "base": "x4"},
        {"name": "model", "levels": ["GRLA", "EDSR-lite"], "base": "GRLA"},
    ]
    texts = {"study": "state_of_the_art", "question": "?", "source": "s", "profile": "quick", "design": "panels"}
    study = optuna.create_study(storage=f"sqlite:///{path}", study_name="s")
    study.set_user_attr("definition", json.dumps({**texts, "factors": factors, "base": base or BASE}))
    baselines = [{"variant": "bicubic", **row(upscale, score)} for upscale, score in SCORES.items()]
    study.set_user_attr("baselines", json.dumps(baselines))
    choices: dict[str, optuna.distributions.BaseDistribution] = {
        factor["name"]: optuna.distributions.CategoricalDistribution(factor["levels"]) for factor in factors
    }
    for upscale, score in SCORES.items():
        for index, model in enumerate(("GRLA", "EDSR-lite")):
            images = [row(upscale, score + 0.5 + index)]
            measured = {"outcome": "ok", "psnr_y": score + 0.5 + index, "macs": 1e9, "latency_ms": 3.0 + index}
            record = (
                dict.fromkeys(CELL_COLUMNS, 1.0)
                | measured
                | {"device": "cpu", "code_version": "1", "reason": "", "execution": ""}
            )
            record |= {"cell_hash": f"{model}{upscale}", "images": images, "history": [{"step": 1, "val_psnr_y": 20.0}]}
            trial = optuna.trial.create_trial(
                value=1.0,
                params={"upscale": f"x{upscale}", "model": model, "seed": 0},
                distributions=choices | {"seed": optuna.distributions.IntDistribution(0, 9)},
                user_attrs={"cell_hash": record["cell_hash"], "record": json.dumps(record)},
            )
            study.add_trial(trial)


def row(upscale: int, psnr: float) -> dict[str, Any]:
    """An image's row as the engine stores it."""
    return {"test_images": f"x{upscale}", "test_set": "Set5", "image": "baby", "psnr_y": psnr, "ssim_y": 0.8}


def save_pictures(out: Path) -> Path:
    """Pictures of a run in `out`, as it keeps them; the folder of its study."""
    folder, cells = out / "s" / "quick", out / "cells"
    pixels = np.random.default_rng(0).integers(0, 256, (20, 24, 3), dtype=np.uint8)
    kept = [folder / "images" / name for name in ("hr", "bicubic")]
    for place in [*kept, *(cells / name for name in ("GRLA4", "EDSR-lite4", "GRLA2"))]:
        place.mkdir(parents=True)
        Image.fromarray(pixels).save(place / "Set5-baby.png")
    return folder


def test_baselines_come_first_and_have_no_seed(tmp_path: Path) -> None:
    write_storage(tmp_path / "s.db")
    results = load_results(tmp_path / "s.db", "s")
    assert list(results.images) == ["cell_hash", "variant", "upscale", "model", "seed", *IMAGE_COLUMNS]
    assert results.images["test_images"].tolist() == ["x2", "x4", "x2", "x2", "x4", "x4"]
    assert results.images["seed"].isna().tolist() == [True, True, False, False, False, False]
    assert set(results.cells["variant"]) == set(results.layout.variants())


def test_crops_are_those_of_the_panel_of_the_base(tmp_path: Path) -> None:
    write_storage(tmp_path / "s.db")
    folder = save_pictures(tmp_path / "out")
    (crops,) = crop_rows(load_results(tmp_path / "s.db", "s"), folder)
    named = {tile.name: tile.psnr_y for tile in crops.tiles}
    assert named == {"whole image": None, "HR": None, "bicubic": 28.0, "GRLA (base)": 28.5, "EDSR-lite": 29.5}


def test_publishing_panels_quotes_the_paper(tmp_path: Path) -> None:
    write_storage(tmp_path / "s.db")
    folder = save_pictures(tmp_path / "out")
    publish(tmp_path / "s.db", "s", folder)
    text = (folder / "summary.md").read_text(encoding="utf-8")
    for part in ("## upscale x2: model", "## upscale x4: model", "## Published (GRLA paper", "38.33 / 0.9616"):
        assert part in text
    assert {path.stem for path in folder.glob("*.png")} == {
        "psnr", "difference", "per-image", "cost", "curves", "crops",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (MODEL, "Base network: GRLASR x4, 55 channels, 6 blocks, windows of 16"),
        ({"factory": "a:b", "upscale": 4}, "Base network: factory a:b, upscale 4"),
    ],
)
def test_the_base_network_is_described(tmp_path: Path, model: dict[str, Any], words: str) -> None:
    write_storage(tmp_path / "s.db", base={**BASE, "model": model})
    assert f"- {words}" in measured(load_results(tmp_path / "s.db", "s"), {})
