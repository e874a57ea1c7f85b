"""What the probes share: the streams that images are drawn from, and how HR becomes LR and a batch."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

Pixels = NDArray[np.uint8]
STREAMS = {"train": 0, "validation": 1, "test": 2}
"""Part of the counter of a random generator: images of different streams are drawn independently."""


def shrunk(hr: Pixels, factor: int) -> Pixels:
    """The mean of factor x factor pixels of (batch, height, width, channels), rounded to uint8."""
    batch, height, width, channels = hr.shape
    blocks = hr.reshape(batch, height // factor, factor, width // factor, factor, channels)
    shrunk: Pixels = np.rint(blocks.mean((2, 4))).astype(np.uint8)
    return shrunk


def to_float(images: Pixels) -> Tensor:
    """uint8 (batch, height, width, channels) as float32 (batch, channels, height, width) in [0, 1]."""
    return torch.from_numpy(images).permute(0, 3, 1, 2).to(torch.float32).mul_(1 / 255)
