"""Enlarging a user's own pictures with a trained network."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from grla.data import imresize, read_with_alpha
from grla.errors import InputError
from grla.evaluation import Upscaler


def upscale_file(path: Path, out: Path, upscaler: Upscaler, upscale: int) -> Path:
    """Enlarge the picture at `path` and write `out`/NAME_xN.png; returns where it was written.

    Gray stays gray, the EXIF orientation is applied, and an alpha channel is enlarged by bicubic beside the colours.
    Raises InputError for a picture that cannot be read or a folder that cannot be written.
    """
    pixels, alpha = read_with_alpha(path)
    layers = [upscaler(pixels)]
    if alpha is not None:
        layers.append(imresize(alpha, upscale))
    target = out / f"{path.stem}_x{upscale}.png"
    try:
        out.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.dstack(layers).squeeze()).save(target)
    except OSError as error:
        raise InputError(f"cannot write {target} ({error.strerror or error}); choose another --out") from error
    return target
