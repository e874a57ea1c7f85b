"""A small made-up study with every outcome: two seeds, three images, one variant that diverged, one that half did."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pandas as pd
import pytest

from grla.report.layout import Factor, Layout

EFFECTS = {"base": 0.0, "kernel=relu": 0.0, "kernel=softmax": -0.15, "depth=1": -0.1, "depth=2": 0.0}
FAILED = {("kernel=softmax", 1), ("depth=2", 0), ("depth=2", 1)}  # (variant, seed)
COSTS = {
    "num_params": 20_500, "macs": 3.0e9, "hook_flops": 2.1e9, "latency_ms": 12.34, "peak_memory_mib": 150.0,
    "train_seconds": 45.0, "steps": 400, "final_loss": 0.03,
}  # fmt: skip


class MadeUp(NamedTuple):
    """The frames of a study as the loader gives them."""

    layout: Layout
    cells: pd.DataFrame
    images: pd.DataFrame
    curves: pd.DataFrame


@pytest.fixture
def layout() -> Layout:
    factors = (
        Factor("kernel", ("gaussian_rbf", "relu", "softmax"), "gaussian_rbf"),
        Factor("depth", ("1", "2", "4"), "4"),
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
    return {"cell_hash": cell_hash, "variant": variant, "seed": seed, **place, "psnr_y": psnr, "ssim_y": psnr / 40}


def _cell(variant: str, seed: int, psnr: float, failed: bool) -> dict[str, object]:
    cell = {"cell_hash": f"{variant}/{seed}", "study": "attention", "variant": variant, "seed": seed, **COSTS}
    if failed:
        return cell | {"outcome": "diverged", "reason": "loss is nan | last\n0.03", "steps": 220, "psnr_y": np.nan}
    return cell | {"outcome": "ok", "reason": "", "psnr_y": psnr}


def _validation(variant: str, seed: int, step: int, psnr: float) -> dict[str, object]:
    identity = {"cell_hash": f"{variant}/{seed}", "variant": variant, "seed": seed}
    return {**identity, "step": step, "seconds": step / 10, "loss": 0.03, "val_psnr_y": psnr}
