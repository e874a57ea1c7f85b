"""Trained networks and pictures for studies that look into a network instead of training one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from grla.analysis.score import load_trained
from grla.data import ImagePair, image_pair, photo_path, read_image
from grla.errors import require
from grla.spec import AnyModelSpec, ModelSpec, RunSpec, from_dict
from grla.training import load_checkpoint

DEFAULT_PHOTO = "chelsea"


def trained_network(path: Path) -> tuple[RunSpec, nn.Module]:
    """The spec and the network, in evaluation mode, of a checkpoint that a study wrote, whatever its upscale.

    Raises InputError for a missing or unreadable file and for one without a spec.
    """
    state = load_checkpoint(path)
    require("spec" in state, f"checkpoint {path}", "must be one that a study wrote", sorted(state))
    spec = from_dict(RunSpec, state["spec"])
    return spec, load_trained(path, spec.model.upscale).eval()


def model_label(spec: AnyModelSpec) -> str:
    """A short name of a network for tables and titles: its global attention kernel, or what it is instead."""
    if not isinstance(spec, ModelSpec):
        return str(spec)
    return str(spec.kernel) if "global" in spec.layers else "windows only"


def picture(path: Path | None, upscale: int) -> ImagePair:
    """An HR image file (None: a bundled photo) and the LR made from it, both uint8 RGB (height, width, 3).

    A gray picture is repeated over the channels. Raises InputError as `read_image` and `image_pair` do.
    """
    path = photo_path(DEFAULT_PHOTO) if path is None else path
    pixels = read_image(path)
    rgb = pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)
    return image_pair("picture", path.stem, rgb, upscale)


def to_batch(pixels: NDArray[np.uint8]) -> Tensor:
    """uint8 pixels (height, width, 3) as a float32 batch (1, 3, height, width) in [0, 1]."""
    return torch.from_numpy(pixels).permute(2, 0, 1)[None].float() / 255
