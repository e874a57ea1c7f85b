"""Scoring any model on test sets by the protocol, outside of a study."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn
from tqdm import tqdm

from grla.analysis.checkpoints import find_upscaler
from grla.answers import OURS, Conventions
from grla.data import ImagePair, read_test_sets
from grla.evaluation import evaluate, mean_score, network_upscaler
from grla.model import weights_digest, weights_of
from grla.provenance import PROTOCOL, code_version
from grla.study import ImageScore
from grla.training import load_checkpoint


def scores_on(network: nn.Module, pairs: list[ImagePair], upscale: int) -> list[float]:
    """PSNR-Y in dB of each image that `network` enlarges, of the blanked pixels where there are any; NaN if exact."""
    return [psnr_or_nan(found) for found in evaluate(network_upscaler(network, upscale), pairs, upscale)[0]]


def psnr_or_nan(score: ImageScore) -> float:
    """PSNR-Y in dB; NaN, which tables leave out of means, for an image that equals its HR."""
    return math.nan if score.psnr_y is None else score.psnr_y


def score_model(
    model: str,
    weights: Path | None,
    upscale: int,
    sources: Sequence[str],
    device: torch.device,
    conventions: Conventions = OURS,
) -> dict[str, Any]:
    """Score `model` on each source ("bundled" or a folder): the mean per test set and a row per image.

    Images that equal their HR, whose PSNR is infinite, are `exact` by name and in no mean or number.

    `model`, `weights` and `conventions` are what `find_upscaler` takes. The result is ready for JSON: model, weights
    (path and digest; None without a file), conventions, upscale, protocol, code_version, found (what was read, in
    words), test_sets, images. Raises InputError for unusable input.
    """
    upscaler = find_upscaler(model, weights, upscale, device, conventions)
    pairs, found = read_test_sets(sources, upscale)
    scores, _ = evaluate(upscaler, tqdm(pairs, "scoring", disable=None), border=upscale)
    sets = {}
    for name in dict.fromkeys(score.test_set for score in scores):
        mine = [score for score in scores if score.test_set == name]
        exact = [score.image for score in mine if score.psnr_y is None]
        means = {metric: mean_score(mine, metric) for metric in ("psnr_y", "ssim_y")}
        sets[name] = {"num_images": len(mine) - len(exact), **means, "exact": exact}
    about: dict[str, Any] = {
        "model": model,
        "weights": _weights_file(model, weights),
        "conventions": asdict(conventions),
    }
    about |= {"upscale": upscale, "protocol": PROTOCOL, "code_version": code_version(), "found": found}
    return {**about, "test_sets": sets, "images": [vars(score) for score in scores]}


def _weights_file(model: str, weights: Path | None) -> dict[str, str] | None:
    """The file that a model's weights come from and their digest; None if there is none."""
    path = Path(model) if weights is None else weights
    if not path.is_file():
        return None
    return {"path": str(path), "digest": weights_digest(weights_of(load_checkpoint(path), str(path)))}
