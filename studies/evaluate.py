"""Score one model on test sets: PSNR-Y and SSIM-Y by the project's protocol.

python studies/evaluate.py --model bicubic --upscale 4 --test-data Set5 Set14
python studies/evaluate.py --model results/cells/HASH/weights.pt
python studies/evaluate.py --model package.module:factory --weights weights.pth --upscale 2 --json scores.json
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from tabulate import tabulate

from command import command

from asking import Asking
from grla.analysis import score_model
from grla.devices import choose_device
from grla.errors import require
from grla.files import same_file, write_text


@dataclass(frozen=True)
class Arguments(Asking):
    """Score one model on test sets by the project's protocol (PSNR-Y in dB, SSIM-Y)."""

    model: str
    """bicubic, a checkpoint file of a study, or package.module:factory (a callable returning an nn.Module)."""
    weights: Path | None = None
    """Weights for package.module:factory: a state dict, bare or under a usual key as params_ema, or .safetensors."""
    upscale: Literal[2, 3, 4] = 4
    """Super-resolution factor."""
    test_data: tuple[Path, ...] = ()
    """Folders of HR images, with LR beside them or not (docs/data.md); by default photos of installed packages."""
    device: str = "auto"
    """Where to run the model: auto (a GPU if there is one), cpu, cuda, cuda:1 (the second GPU) or mps (Apple's)."""
    json: Path | None = None
    """File to write all scores to, one row per image."""


def main(arguments: Arguments) -> None:
    """Score, print, and write what was asked for."""
    if arguments.json is not None:
        inputs = [Path(arguments.model), *filter(None, [arguments.weights])]
        read = any(same_file(arguments.json, path) for path in inputs)
        require(not read, "json", "must be a file of its own, not one that is read", str(arguments.json))
    sources = [str(folder) for folder in arguments.test_data] or ["bundled"]
    device = choose_device(arguments.device)
    result = score_model(arguments.model, arguments.weights, arguments.upscale, sources, device, arguments.conventions)
    print("\n".join(result["found"]))
    columns = {"num_images": "images", "psnr_y": "PSNR-Y dB", "ssim_y": "SSIM-Y"}
    sets = result["test_sets"].items()
    rows = [(name, *(scores[column] for column in columns)) for name, scores in sets]
    headers = ("test set", *columns.values())
    print(tabulate(rows, headers, floatfmt=("", "", ".4f", ".4f"), missingval="-"))
    for name, scores in sets:
        if scores["exact"]:
            print(f"{name}: {', '.join(scores['exact'])} enlarged exactly, with infinite PSNR; not counted.")
    if arguments.json is not None:
        write_text(arguments.json, json.dumps(result, indent=2, allow_nan=False) + "\n")


if __name__ == "__main__":
    command(main, Arguments)
