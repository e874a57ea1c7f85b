"""Enlarge pictures of your own with a trained network.

python studies/upscale.py photo.jpg --checkpoint results/attention/quick/checkpoints/HASH.pt
python studies/upscale.py holiday/*.png --checkpoint HASH.pt --tile 256 --overlap 32 --out enlarged
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from tqdm import tqdm

import project_root  # noqa: F401  it puts the project on the path

from grla.errors import InputError, require
from grla.study.run_study import choose_device
from grla.study.score import find_upscaler
from grla.study.upscale import upscale_file


@dataclass(frozen=True)
class Arguments:
    """Enlarge pictures; gray, alpha and orientation are kept."""

    images: Annotated[tuple[Path, ...], tyro.conf.Positional]
    """Picture files: PNG, JPEG, BMP, TIFF or WebP."""
    checkpoint: str
    """A checkpoint file of a study, package.module:factory, or bicubic."""
    upscale: Literal[2, 3, 4] = 4
    """Super-resolution factor, that of the checkpoint."""
    tile: int | None = None
    """Work in squares of this many pixels, for pictures that do not fit in memory; by default the whole picture."""
    overlap: int = 32
    """With --tile: pixels that a square sees around it. Attention to the whole image sees its square and these only."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to run; auto takes a GPU if there is one."""
    out: Path = Path("results/upscaled")
    """Folder for NAME_xN.png."""


def main(arguments: Arguments) -> None:
    """Enlarge all pictures; one that cannot be read is named, and the others are done."""
    require(len(arguments.images) > 0, "IMAGE", "must name at least one picture", "none")
    device = choose_device(arguments.device)
    overlap = arguments.overlap if arguments.tile else 0
    upscaler = find_upscaler(arguments.checkpoint, None, arguments.upscale, device, arguments.tile, overlap)
    failed = []
    for path in tqdm(arguments.images, "enlarging", disable=None):
        try:
            print(upscale_file(path, arguments.out, upscaler, arguments.upscale))
        except InputError as error:
            failed.append(str(error))
    if failed:
        raise InputError("\n".join(failed))


if __name__ == "__main__":
    try:
        main(tyro.cli(Arguments, description=__doc__))
    except InputError as error:
        sys.exit(f"error: {error}")
