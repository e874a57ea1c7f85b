"""Scoring any model on test sets by the protocol, outside of a study."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from grla.data import test_images
from grla.errors import InputError, require
from grla.evaluation import Upscaler, bicubic_upscaler, evaluate, network_upscaler
from grla.model import build_model, outside_model
from grla.provenance import PROTOCOL, code_version
from grla.spec import RunSpec, from_dict
from grla.training import load_checkpoint


def score_model(
    model: str, weights: Path | None, upscale: int, sources: Sequence[str], device: torch.device
) -> dict[str, Any]:
    """Score `model` on each source ("bundled" or a folder): the mean per test set and a row per image.

    `model` is "bicubic", a checkpoint file of ours, or "package.module:factory" with optional `weights`. The result is
    ready for JSON: model, upscale, protocol, code_version, test_sets, images. Raises InputError for unusable input.
    """
    upscaler = find_upscaler(model, weights, upscale, device)
    pairs = [pair for source in sources for pair in test_images(source, upscale)]
    scores, _ = evaluate(upscaler, tqdm(pairs, "scoring", disable=None), border=upscale)
    rows = [vars(score) for score in scores]
    sets = {}
    for name in dict.fromkeys(score.test_set for score in scores):
        mine = [score for score in scores if score.test_set == name]
        means = {metric: float(np.mean([getattr(s, metric) for s in mine])) for metric in ("psnr_y", "ssim_y")}
        sets[name] = {"num_images": len(mine), **means}
    about = {"model": model, "upscale": upscale, "protocol": PROTOCOL, "code_version": code_version()}
    return {**about, "test_sets": sets, "images": rows}


def find_upscaler(
    model: str,
    weights: Path | None,
    upscale: int,
    device: torch.device,
    tile: int | None = None,
    overlap: int = 0,
    progress: Callable[[float], object] = lambda pixels: None,
) -> Upscaler:
    """The upscaler that `model` names, see `score_model`; a network runs in tiles where asked to, see `grla.tiling`."""
    if model == "bicubic":
        return bicubic_upscaler(upscale)
    if ":" in model and not Path(model).exists():
        network = outside_model(model, upscale, weights)
    elif Path(model).is_file():
        network = load_trained(Path(model), upscale)
    else:
        raise InputError(f"--model must be bicubic, a checkpoint file or package.module:factory, got {model!r}")
    return network_upscaler(network.to(device), upscale, tile, overlap, progress)


def load_trained(path: Path, upscale: int) -> nn.Module:
    """The network of a checkpoint that a study wrote, with its averaged weights where it has them."""
    state = load_checkpoint(path)
    require("spec" in state, f"checkpoint {path}", "must be one that a study wrote", sorted(state))
    spec = from_dict(RunSpec, state["spec"]).model
    require(spec.upscale == upscale, "--upscale", f"must be the checkpoint's x{spec.upscale}", upscale)
    network = build_model(spec)
    averaged = state["ema"] or {}
    weights = {name.removeprefix("module."): value for name, value in averaged.items() if name != "n_averaged"}
    network.load_state_dict(weights or state["model"])
    return network
