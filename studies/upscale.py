"""Enlarge pictures of your own with a trained network.

python studies/upscale.py photo.jpg                              with the small x4 network that comes with the project
python studies/upscale.py holiday/*.png --checkpoint HASH.pt --tile 256 --overlap 32 --out enlarged
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from tqdm import tqdm

from project_root import SHIPPED

from grla.analysis import check_targets, find_upscaler, num_pixels, upscale_file
from grla.engine import choose_device
from grla.errors import InputError, require


@dataclass(frozen=True)
class Arguments:
    """Enlarge pictures; gray, alpha and orientation are kept."""

    images: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Picture files: PNG, JPEG, BMP, TIFF or WebP."""
    checkpoint: str = str(SHIPPED)
    """A checkpoint file of a study, package.module:factory, or bicubic; by default the project's own small network."""
    upscale: Literal[2, 3, 4] = 4
    """Super-resolution factor, that of the checkpoint."""
    tile: int | None = 256
    """Larger pictures are worked on in squares of this many pixels, to need less memory; None takes them whole."""
    overlap: int = 32
    """Pixels that a square sees around it. Attention to the whole image sees its square and these only."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to run; auto takes a GPU if there is one."""
    out: Path = Path("results/upscaled")
    """Folder for NAME_xN.png."""


def main(arguments: Arguments) -> None:
    """Enlarge all pictures; one that cannot be read is named, and the others are done."""
    require(len(arguments.images) > 0, "IMAGE", "must name at least one picture", "none")
    check_targets(arguments.images, arguments.out, arguments.upscale)
    device = choose_device(arguments.device)
    overlap = arguments.overlap if arguments.tile else 0
    sizes = [num_pixels(path) for path in arguments.images]
    failed = []
    with tqdm(total=sum(sizes), desc="enlarging", unit="px", unit_scale=True, disable=None) as bar:
        model, factor = arguments.checkpoint, arguments.upscale
        upscaler = find_upscaler(model, None, factor, device, arguments.tile, overlap, bar.update)
        for index, path in enumerate(arguments.images):
            try:
                tqdm.write(str(upscale_file(path, arguments.out, upscaler, factor)))
            except InputError as error:
                failed.append(str(error))
            bar.update(sum(sizes[: index + 1]) - bar.n)  # what is not worked on in squares is done at once
    if failed:
        raise InputError("\n".join(failed))


if __name__ == "__main__":
    try:
        main(tyro.cli(Arguments, description=__doc__))
    except InputError as error:
        sys.exit(f"error: {error}")
