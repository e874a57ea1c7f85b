"""Enlarge pictures of your own with a trained network.

    python studies/upscale.py photo.jpg                         with the small x4 network that comes with the project
    python studies/upscale.py holiday/*.png --model weights.pt --tile 256 --overlap 32 --out enlarged
    python studies/upscale.py photo.jpg --model package.module:factory --weights weights.pth

cat.png becomes cat_x4.png; what cannot be read is named, and the others are done.
"""

from __future__ import annotations

import itertools
import math
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import tyro
from PIL import Image
from tqdm import tqdm

from command import SHIPPED, command

from asking import Asking
from grla.analysis import Bands, find_tiled
from grla.cost import is_out_of_memory
from grla.data import PngWriter, image_size, imresize, read_with_alpha
from grla.devices import choose_device
from grla.errors import InputError, ModelError, require
from grla.files import atomic_write, same_file

PROFILE_KINDS = {"L": b"GRAY", "LA": b"GRAY", "RGB": b"RGB ", "RGBA": b"RGB "}
"""By Pillow mode, how bytes 16 to 19 of a fitting ICC profile name its colour space (ICC.1:2022, table 15)."""

SMALLEST_TILE = 32
"""What is not tried where memory lacks: squares smaller than their surroundings that the network sees as well."""


@dataclass(frozen=True)
class Arguments(Asking):
    """Enlarge pictures; gray, alpha and orientation are kept."""

    images: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Picture files: PNG, JPEG, BMP, TIFF or WebP."""
    model: str = str(SHIPPED)
    """A checkpoint file of a study, package.module:factory, or bicubic; by default the project's own small network."""
    weights: Path | None = None
    """Weights for package.module:factory: a state dict, bare or under a usual key as params_ema, or .safetensors."""
    upscale: Literal[2, 3, 4] = 4
    """Super-resolution factor, that of the model."""
    tile: int | None = 256
    """Larger pictures are processed in squares of this many pixels, to need less memory; None processes them whole.
    Where memory does not suffice, squares of half the side are tried, and it is said."""
    overlap: int = 32
    """Pixels around a square that the network sees too. Global attention sees the square and these only."""
    half: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Compute in 16 bits, for half the memory on a GPU; values differ by rounding, by about a step of 8 bits."""
    device: str = "auto"
    """Where to run: auto (a GPU if there is one), cpu, cuda, cuda:1 (the second GPU) or mps (Apple's)."""
    out: Path = Path("results/upscaled")
    """Folder for NAME_xN.png."""
    overwrite: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Replace files that are in that folder already; never one of the pictures to enlarge."""


def main(arguments: Arguments) -> None:
    """Enlarge all pictures; one that cannot be read is named, and the others are done."""
    require(len(arguments.images) > 0, "images", "must name at least one picture", "none")
    check_targets(arguments.images, arguments.out, arguments.upscale, arguments.overwrite)
    device = choose_device(arguments.device)
    factor = arguments.upscale
    sizes = [num_pixels(path) for path in arguments.images]
    failed = []
    with tqdm(total=sum(sizes), desc="enlarging", unit="px", unit_scale=True, disable=None) as bar:
        how = (arguments.conventions, arguments.half, bar.update)
        tiled = find_tiled(arguments.model, arguments.weights, factor, device, *how)

        def in_squares(tile: int | None) -> Bands:
            return tiled(tile, arguments.overlap if tile else 0)

        sides = sides_to_try(arguments.tile)
        for index, path in enumerate(arguments.images):
            try:
                tqdm.write(str(upscale_in_memory(path, arguments.out, in_squares, sides, factor)))
            except InputError as error:
                failed.append(str(error))
            bar.update(sum(sizes[: index + 1]) - bar.n)  # pictures that are not tiled count when they are done
    if failed:
        raise InputError("\n".join(failed))


def sides_to_try(tile: int | None) -> list[int | None]:
    """`tile`, and what to try where memory lacks: half of it, and so on."""
    sides = [tile]
    while tile is not None and tile >= 2 * SMALLEST_TILE:
        tile //= 2
        sides.append(tile)
    return sides


def upscale_in_memory(
    path: Path, out: Path, make: Callable[[int | None], Bands], sides: list[int | None], upscale: int
) -> Path:
    """`upscale_file` by what `make` makes for squares of the first of `sides`; where memory lacks, of the next.

    That is said, and a side that did not fit leaves the list: it is not tried again for the pictures after. Raises
    InputError for a picture that none fits.
    """
    while True:
        try:
            return upscale_file(path, out, make(sides[0]), upscale)
        except (RuntimeError, MemoryError) as error:
            if not is_out_of_memory(error):
                raise
            if len(sides) == 1:
                height, width = image_size(path)
                raise InputError(
                    f"picture {path} ({width}x{height}) needs more memory than there is; give a smaller --tile"
                ) from error
        # Outside of the handler, where the error no longer holds on to the memory of the failed attempt.
        large = sides.pop(0)
        tqdm.write(f"Squares of {large} pixels need more memory than there is: {sides[0]} instead.", file=sys.stderr)


def upscale_file(path: Path, out: Path, enlarge: Bands, upscale: int) -> Path:
    """Enlarge the picture at `path`, write `out`/NAME_xN.png and return that path.

    Gray stays gray, the colour profile stays, the EXIF orientation is applied, and an alpha channel is enlarged by
    bicubic interpolation. Of 16 bits the high byte is used. Each band is written as it comes: of the large picture no
    more is held. Raises InputError for a picture that cannot be read, and for a folder that cannot be written.
    """
    pixels, alpha = read_with_alpha(path)
    height, width = (upscale * side for side in pixels.shape[:2])
    mode = ("L" if pixels.ndim == 2 else "RGB") + ("" if alpha is None else "A")
    target = target_path(path, out, upscale)
    large_alpha = None if alpha is None else imresize(alpha, upscale)
    try:
        bands = enlarge(pixels)
        first = next(bands)  # before anything is written: where the model does not suit there is none
        with atomic_write(target) as file:
            png = PngWriter(file, width, height, len(mode), _profile(path, mode))
            for band in itertools.chain([first], bands):
                done = height - png.rows_left
                layers = [band] if large_alpha is None else [band, large_alpha[done : done + len(band)]]
                png.write(np.dstack(layers))
    except ModelError as error:
        raise InputError(f"picture {path}: {error}") from error
    return target


def target_path(path: Path, out: Path, upscale: int) -> Path:
    """Where the enlarged picture goes."""
    return out / f"{path.stem}_x{upscale}.png"


def check_targets(paths: Sequence[Path], out: Path, upscale: int, overwrite: bool = False) -> None:
    """Raise InputError, before anything is written, where a file would be lost.

    That is when two pictures would be written to one file, when one would replace another that is to be enlarged,
    under whatever name, and, unless files may be replaced, when there is one already.
    """
    sources: dict[Path, Path] = {}
    for path in paths:
        target = target_path(path, out, upscale)
        earlier = sources.setdefault(target, path)
        if earlier != path:
            raise InputError(f"{earlier} and {path} would both become {target.name}; enlarge them apart")
        lost = next((one for one in paths if same_file(one, target)), None)
        if lost is not None:
            raise InputError(f"{path} would become {target}, which is the picture {lost}; give another folder as `out`")
        if target.exists() and not overwrite:
            raise InputError(f"{target} exists already; give another folder as `out`, or set `overwrite`")


def num_pixels(path: Path) -> int:
    """Pixels of a picture by its header; 0 when it cannot be read, which `upscale_file` reports."""
    try:
        return math.prod(image_size(path))
    except InputError:
        return 0


def _profile(path: Path, mode: str) -> bytes | None:
    """The picture's colour profile if it is one for an image of `mode`; that of a CMYK picture is not."""
    with Image.open(path) as picture:
        profile: bytes | None = picture.info.get("icc_profile")
    return profile if profile and profile[16:20] == PROFILE_KINDS[mode] else None


if __name__ == "__main__":
    command(main, Arguments, __doc__)
