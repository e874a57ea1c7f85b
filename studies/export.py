"""Write a trained network as a file that other programs run, for images of every height and width.

    python studies/export.py weights.pt --onnx network.onnx
    python studies/export.py weights.pt --onnx network.onnx --dtype float16
    python studies/export.py weights.pt --torch-export network.pt2
    python studies/export.py weights.pt --weights small.pt
    python studies/run_benchmark.py latency --models weights.pt network.onnx --base weights.pt

ONNX needs requirements-export.txt. Each program is run beside the network at several sizes before it is written. Its
input "lr" is one image (1, 3, height, width) in [0, 1], its output "sr" the same with longer sides, not clamped.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
import tyro

from command import command

from grla.analysis import load_trained, write_weights
from grla.benchmark import ONNX, OPSET, PROGRAM, require_suffix, write_onnx, write_program
from grla.errors import require

CHECKPOINT = ".pt"


@dataclass(frozen=True)
class Arguments:
    """Write a trained network as ONNX, as a torch.export program, or as weights alone."""

    checkpoint: tyro.conf.Positional[Path]
    """A checkpoint file of a study."""
    onnx: Path | None = None
    """The ONNX file to write, .onnx."""
    torch_export: Path | None = None
    """The torch.export file to write, .pt2."""
    weights: Path | None = None
    """The .pt file to write for the project's own commands: the (averaged) weights and the spec, a third of the
    checkpoint, which holds the optimiser's state as well."""
    dtype: Literal["float32", "float16"] = "float32"
    """The type of weights, input and output of a program; sums over all tokens stay in float32."""


def main(arguments: Arguments) -> None:
    """Write what is asked for and print how far it is from the network."""
    files = {"onnx": arguments.onnx, "torch_export": arguments.torch_export, "weights": arguments.weights}
    asked = any(path is not None for path in files.values())
    require(asked, "onnx", "must name a file, or --torch-export or --weights must", "none")
    for (name, path), suffix in zip(files.items(), (ONNX, PROGRAM, CHECKPOINT), strict=True):
        if path is not None:
            require_suffix(name, path, suffix)
    _, network = load_trained(arguments.checkpoint)
    if arguments.weights is not None:
        write_weights(arguments.checkpoint, arguments.weights)
        sizes = [path.stat().st_size / 1e6 for path in (arguments.weights, arguments.checkpoint)]
        print(f"{arguments.weights}: {sizes[0]:.1f} MB of {sizes[1]:.1f}")
    dtype = getattr(torch, arguments.dtype)
    if arguments.onnx is not None:
        tell(arguments.onnx, f"opset {OPSET}, {arguments.dtype}", write_onnx(network, dtype, arguments.onnx))
    if arguments.torch_export is not None:
        tell(arguments.torch_export, arguments.dtype, write_program(network, dtype, arguments.torch_export))


def tell(path: Path, about: str, differences: dict[tuple[int, int], float]) -> None:
    """Print what was written, and the largest difference of an output at each size that was checked."""
    shown = ", ".join(f"{height}x{width} {difference:.1e}" for (height, width), difference in differences.items())
    print(f"{path}: {about}; largest difference to the network at {shown}")


if __name__ == "__main__":
    command(main, Arguments, __doc__)
