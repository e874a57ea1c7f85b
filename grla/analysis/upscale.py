"""Enlarging a user's own pictures with a trained network."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image

from grla.cost import is_out_of_memory
from grla.data import image_size, imresize, read_with_alpha
from grla.errors import InputError
from grla.evaluation import Upscaler
from grla.files import atomic_write

PROFILE_KINDS = {"L": b"GRAY", "LA": b"GRAY", "RGB": b"RGB ", "RGBA": b"RGB "}
"""By Pillow mode, how bytes 16 to 19 of a fitting ICC profile name its colour space (ICC.1:2022, table 15)."""


def upscale_file(path: Path, out: Path, upscaler: Upscaler, upscale: int) -> Path:
    """Enlarge the picture at `path` and write `out`/NAME_xN.png; returns where it was written.

    Gray stays gray, the colour profile stays, the EXIF orientation is applied, and an alpha channel is enlarged by
    bicubic beside the colours. Of 16 bits the high byte is used. Raises InputError for a picture that cannot be read
    or is too large for the memory, and for a folder that cannot be written.
    """
    pixels, alpha = read_with_alpha(path)
    try:
        layers = [upscaler(pixels)]
        if alpha is not None:
            layers.append(imresize(alpha, upscale))
    except (RuntimeError, MemoryError) as error:
        if not is_out_of_memory(error):
            raise
        size = f"{pixels.shape[1]}x{pixels.shape[0]}"
        raise InputError(f"picture {path} ({size}) needs more memory than there is; give a smaller --tile") from error
    large = Image.fromarray(np.dstack(layers).squeeze())
    target = target_path(path, out, upscale)
    with atomic_write(target) as file:
        large.save(file, format="PNG", icc_profile=_profile(path, large.mode))
    return target


def target_path(path: Path, out: Path, upscale: int) -> Path:
    """Where the enlarged picture goes."""
    return out / f"{path.stem}_x{upscale}.png"


def check_targets(paths: Sequence[Path], out: Path, upscale: int) -> None:
    """Raise InputError when two pictures would be written to one file."""
    sources: dict[Path, Path] = {}
    for path in paths:
        earlier = sources.setdefault(target_path(path, out, upscale), path)
        if earlier != path:
            raise InputError(f"{earlier} and {path} would both become {path.stem}_x{upscale}.png; enlarge them apart")


def num_pixels(path: Path) -> int:
    """Pixels of a picture by its header; 0 when it cannot be read, which `upscale_file` will say."""
    try:
        height, width = image_size(path)
    except InputError:
        return 0
    return height * width


def _profile(path: Path, mode: str) -> bytes | None:
    """The picture's colour profile if it is one for what was written; that of a CMYK picture is not."""
    with Image.open(path) as picture:
        profile: bytes | None = picture.info.get("icc_profile")
    return profile if profile and profile[16:20] == PROFILE_KINDS[mode] else None
