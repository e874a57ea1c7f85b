"""Fetch public image sets from where their authors offer them.

    python studies/fetch_data.py set5 set14 bsd100 urban100     to test on
    python studies/fetch_data.py div2k                          to train on: 800 pictures, 3.5 GB, and as much unpacked
    python studies/fetch_data.py manga109                       says where to ask for it, and checks it once it is there

Run it again to go on after a break; what is complete is only checked.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from command import command

from grla.analysis import score_model
from grla.data.public import PUBLIC_SETS, fetch
from grla.devices import choose_device
from grla.errors import Interrupted, require


@dataclass(frozen=True)
class Arguments:
    """Fetch public image sets; their terms are shown first."""

    sets: Annotated[
        tuple[Literal["div2k", "set5", "set14", "bsd100", "urban100", "manga109"], ...], tyro.conf.Positional
    ]
    """Which sets."""
    out: Path = Path("data")
    """Folder for the sets, a folder each, and for the archives."""
    url: str | None = None
    """Another address of the archive, for one set, where the authors' server is down; size and digest must agree."""


def main(arguments: Arguments) -> None:
    """Fetch the sets one after the other and say what to run next."""
    require(len(arguments.sets) > 0, "sets", f"must name at least one of {', '.join(PUBLIC_SETS)}", "none")
    require(arguments.url is None or len(arguments.sets) == 1, "url", "goes with one set", arguments.sets)
    for name in arguments.sets:
        public = PUBLIC_SETS[name]
        print(f"{public.name}: {public.source}\nTerms: {public.terms}\nFrom:  {arguments.url or public.address}")
        try:
            folder = fetch(public, arguments.out, arguments.url)
        except KeyboardInterrupt as error:
            raise Interrupted from error
        if public.bicubic:
            print(compared_bicubic(folder, *public.bicubic))
        print(f"{public.num_images} pictures: {folder}\n", flush=True)
    print(f"Next: python studies/run_ablation.py {data_options(arguments.out)}")
    print(f"The archives in {arguments.out / 'downloads'} are no longer needed.")


def compared_bicubic(folder: Path, psnr: float, ssim: float) -> str:
    """Whether bicubic interpolation by four scores what is published, up to what sets that are known differ by."""
    (found,) = score_model("bicubic", None, 4, [str(folder)], choose_device("cpu"))["test_sets"].values()
    agrees = abs(found["psnr_y"] - psnr) <= 0.03 and abs(found["ssim_y"] - ssim) <= 0.001
    scores = f"{found['psnr_y']:.2f} dB and {found['ssim_y']:.4f}, published are {psnr:.2f} dB and {ssim:.4f}"
    return f"Bicubic x4: {scores}: {'the pictures agree' if agrees else 'these are NOT the pictures of papers'}."


def data_options(out: Path) -> str:
    """The options of run_ablation.py that use all the sets in `out`."""
    there = [public for public in PUBLIC_SETS.values() if (out / public.name).is_dir()]
    folders = {role: [str(out / public.name) for public in there if public.role == role] for role in ("train", "test")}
    return " ".join(f"--{role}-data {' '.join(found)}" for role, found in folders.items() if found)


if __name__ == "__main__":
    command(main, Arguments, __doc__)
