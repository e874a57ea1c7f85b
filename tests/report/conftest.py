"""A small made-up study with every outcome: two seeds, three images, one variant that diverged, one that half did."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from grla.report.kinds.study import study_document
from grla.report.results import Results
from grla.study import Layout, layout_to_json
from tests.shared import factor

EFFECTS = {"base": 0.0, "kernel=relu": 0.0, "kernel=softmax": -0.15, "depth=1": -0.1, "depth=2": 0.0}
FAILED = {("kernel=softmax", 1), ("depth=2", 0), ("depth=2", 1)}  # (variant, seed)
COSTS = {
    "num_params": 20_500, "macs": 3.0e9, "hook_flops": 2.1e9, "latency_ms": 12.34, "peak_memory_mib": 150.0,
    "train_seconds": 45.0, "train_peak_memory_mib": 210.0, "steps": 400, "final_loss": 0.03,
    "device": "cpu", "code_version": "1234567",
}  # fmt: skip
SPEC = {
    "model": {"upscale": 4, "dim": 55, "depth": 6, "window_size": 16},
    "data": {"batch_size": 16, "patch_size": 64},
    "train": {"budget": {"amount": 400, "unit": "steps"}, "learning_rate": 0.005},
    "cost": {"count_output": [720, 1280], "latency_input": [48, 64]},
}


class MadeUp(NamedTuple):
    """The frames of a study as the loader gives them."""

    layout: Layout
    cells: pd.DataFrame
    images: pd.DataFrame
    curves: pd.DataFrame

    @property
    def results(self) -> Results:
        """The frames as a report gets them."""
        return Results(self.layout, self.cells, self.images, self.curves, {**layout_to_json(self.layout), "base": SPEC})


@pytest.fixture
def summary(tmp_path: Path) -> Callable[[MadeUp], str]:
    """The text of summary.md of a made-up study."""
    return lambda made_up: study_document(made_up.results, tmp_path).markdown()


@pytest.fixture
def layout() -> Layout:
    factors = (
        factor("kernel", ("gaussian_rbf", "relu", "softmax"), "gaussian_rbf"),
        factor("depth", ("1", "2", "4"), "4"),
    )
    return Layout("attention", "Does the kernel matter?", "GRLA paper, table 1", "quick", "one_at_a_time", factors)


@pytest.fixture
def made_up(layout: Layout) -> MadeUp:
    generator = np.random.default_rng(0)
    names = [("Set5", "baby"), ("Set5", "bird"), ("Set14", "comic")]
    easy = {name: 28.0 + index for index, name in enumerate(names)}
    images = [_image("bicubic", np.nan, name, easy[name]) for name in names]
    cells, curves = [], []
    for variant in layout.variants():
        for seed in (0, 1):
            failed = (variant, seed) in FAILED
            scores = [easy[n] + 0.3 + EFFECTS[variant] + 0.05 * seed + generator.normal(0, 1e-3) for n in names]
            cells.append(_cell(variant, seed, float(np.mean(scores)), failed))
            steps = (100, 200) if failed else (100, 200, 300, 400)
            curves += [_validation(variant, seed, step, 20 + step / 50 + seed) for step in steps]
            if not failed:
                images += [_image(variant, seed, name, score) for name, score in zip(names, scores, strict=True)]
    return MadeUp(layout, pd.DataFrame(cells), pd.DataFrame(images), pd.DataFrame(curves))


def _image(variant: str, seed: float, name: tuple[str, str], psnr: float) -> dict[str, object]:
    place = {"test_set": name[0], "image": name[1]}
    cell_hash = "bicubic" if variant == "bicubic" else f"{variant}/{seed}"
    identity = {"cell_hash": cell_hash, "variant": variant, "seed": seed, "test_images": "x4"}
    return {**identity, **place, "psnr_y": psnr, "ssim_y": psnr / 40}


def _cell(variant: str, seed: int, psnr: float, failed: bool) -> dict[str, object]:
    cell = {"cell_hash": f"{variant}/{seed}", "study": "attention", "variant": variant, "seed": seed, **COSTS}
    if failed:
        return cell | {"outcome": "diverged", "reason": "loss is nan | last\n0.03", "steps": 220, "psnr_y": np.nan}
    return cell | {"outcome": "ok", "reason": "", "psnr_y": psnr}


def _validation(variant: str, seed: int, step: int, psnr: float) -> dict[str, object]:
    identity = {"cell_hash": f"{variant}/{seed}", "variant": variant, "seed": seed}
    return {**identity, "step": step, "seconds": step / 10, "loss": 0.03, "val_psnr_y": psnr}


@pytest.fixture
def invent() -> Callable[[Layout], MadeUp]:
    """Makes up the frames of any layout: two seeds, three images, each variant 0.01 dB above the one before."""

    def make(layout: Layout) -> MadeUp:
        images = [_image("bicubic", np.nan, ("Set5", f"{index}.png"), 28.0 + index) for index in range(3)]
        cells, curves = [], []
        for number, variant in enumerate(layout.variants()):
            for seed in (0, 1):
                score = 28.4 + 0.01 * number + 0.002 * seed * (number % 3)
                cells.append(_cell(variant, seed, score, failed=False) | {"macs": 1e9 * (3 + number % 4)})
                images += [_image(variant, seed, ("Set5", f"{index}.png"), score + index) for index in range(3)]
                curves += [_validation(variant, seed, step, score - 20 / step) for step in (100, 200, 300, 400)]
        return MadeUp(layout, pd.DataFrame(cells), pd.DataFrame(images), pd.DataFrame(curves))

    return make


@pytest.fixture
def panels() -> MadeUp:
    """Upscale factors 2, 3, 4 (base 4) by two models and three widths; x2 scores 6 dB above x4; x3's base diverged."""
    factors = (
        factor("upscale", ("x2", "x3", "x4"), "x4"),
        factor("model", ("GRLA", "EDSR-lite"), "GRLA"),
        factor("width", ("16", "32", "64"), "32"),
    )
    layout = Layout("sota", "How far at each upscale?", "GRLA paper, table 3", "quick", "panels", factors)
    generator = np.random.default_rng(1)
    cells, images, curves = [], [], []
    for upscale in (2, 3, 4):
        level = {2: 34.0, 3: 30.5, 4: 28.0}[upscale]
        for index in range(3):
            place = ("Set5", f"{index}.png")
            images.append(_image("bicubic", np.nan, place, level + index) | {"test_images": f"x{upscale}"})
        names = [group for group in layout.groups() if group.panel == f"upscale x{upscale}"]
        for number, variant in enumerate(dict.fromkeys(name for group in names for _, name in group.rows)):
            for seed in (0, 1):
                failed = variant == "upscale=x3"
                effect = 0.4 + 0.1 * number
                scores = [level + index + effect + 0.02 * seed + generator.normal(0, 2e-3) for index in range(3)]
                macs = 1e9 * (20 / upscale**2 + number)
                cells.append(_cell(variant, seed, float(np.mean(scores)), failed) | {"macs": macs})
                curves += [_validation(variant, seed, step, level + step / 500) for step in (100, 200, 300)]
                for index, score in enumerate([] if failed else scores):
                    images.append(
                        _image(variant, seed, ("Set5", f"{index}.png"), score) | {"test_images": f"x{upscale}"}
                    )
    return MadeUp(layout, pd.DataFrame(cells), pd.DataFrame(images), pd.DataFrame(curves))
