"""Scoring any model on test sets by the protocol, outside of a study."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn
from tqdm import tqdm

from grla.analysis.checkpoints import find_upscaler
from grla.answers import OURS, Conventions
from grla.data import ImagePair, read_test_sets
from grla.evaluation import evaluate, network_upscaler
from grla.provenance import PROTOCOL, code_version


def scores_on(network: nn.Module, pairs: list[ImagePair], upscale: int) -> list[float]:
    """PSNR-Y in dB of each image that `network` enlarges, of the blanked pixels where there are any."""
    return [found.psnr_y for found in evaluate(network_upscaler(network, upscale), pairs, upscale)[0]]


def score_model(
    model: str,
    weights: Path | None,
    upscale: int,
    sources: Sequence[str],
    device: torch.device,
    conventions: Conventions = OURS,
) -> dict[str, Any]:
    """Score `model` on each source ("bundled" or a folder): the mean per test set and a row per image.

    `model`, `weights` and `conventions` are what `find_upscaler` takes. The result is ready for JSON: model, upscale,
    protocol, code_version, found (what was read, in words), test_sets, images. Raises InputError for unusable input.
    """
    upscaler = find_upscaler(model, weights, upscale, device, conventions=conventions)
    pairs, found = read_test_sets(sources, upscale)
    scores, _ = evaluate(upscaler, tqdm(pairs, "scoring", disable=None), border=upscale)
    sets = {}
    for name in dict.fromkeys(score.test_set for score in scores):
        mine = [score for score in scores if score.test_set == name]
        means = {metric: float(np.mean([getattr(s, metric) for s in mine])) for metric in ("psnr_y", "ssim_y")}
        sets[name] = {"num_images": len(mine), **means}
    about = {"model": model, "upscale": upscale, "protocol": PROTOCOL, "code_version": code_version(), "found": found}
    return {**about, "test_sets": sets, "images": [vars(score) for score in scores]}
