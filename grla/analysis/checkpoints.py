"""Trained networks, and pictures to run them on, outside of a study."""

from __future__ import annotations

import csv
import json
import sys
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from grla.answers import OURS, Conventions
from grla.data import ImagePair, image_pair, photo_path, read_image
from grla.errors import InputError, require
from grla.evaluation import Bands, Upscaler, bicubic_upscaler, network_bands
from grla.files import same_file
from grla.model import build_model, outside_model, weights_of
from grla.spec import AnyModelSpec, ModelSpec, RunSpec, from_dict
from grla.study import layout_from_json
from grla.training import load_checkpoint, save_checkpoint

DEFAULT_PHOTO = "chelsea"
WEIGHTS = "cells/*/weights.pt"
"""Those of a study's cells, below its folder."""
Tiled = Callable[[int | None, int], Bands]
"""An upscaler by the side of tiles (None: whole pictures) and the pixels around them, see `grla.tiling`."""


def load_trained(path: Path, upscale: int | None = None) -> tuple[RunSpec, nn.Module]:
    """The spec and the network, in evaluation mode, of a checkpoint that a study wrote; averaged weights if it has any.

    Raises InputError for a missing or unreadable file, for one without a spec, and for a network of another factor than
    `upscale`, if that is given.
    """
    state = load_checkpoint(path)
    require("spec" in state, f"checkpoint {path}", "must be one that a study wrote", sorted(state))
    spec = from_dict(RunSpec, state["spec"])
    trained = spec.model.upscale
    require(upscale in (None, trained), "upscale", f"must be the checkpoint's x{trained}", upscale)
    network = build_model(spec.model)
    network.load_state_dict(weights_of(state, f"checkpoint {path}"))
    return spec, network.eval()


def write_weights(checkpoint: Path, path: Path) -> None:
    """Write what `load_trained` needs of a checkpoint to `path`: spec, name of the cell and (averaged) weights.

    Without the optimiser's state it is a third as large. Raises InputError for a file that no study wrote, and where
    both are one file.
    """
    require(not same_file(checkpoint, path), "weights", "must not be the checkpoint itself", str(path))
    state = load_checkpoint(checkpoint)
    kept: dict[str, Any] = {name: state[name] for name in ("cell_hash", "spec") if name in state}
    require("spec" in kept, f"checkpoint {checkpoint}", "must be one that a study wrote", sorted(state))
    save_checkpoint(path, {**kept, "model": weights_of(state, f"checkpoint {checkpoint}")})


class Trained(NamedTuple):
    """A trained network in evaluation mode, by the name that a study's tables or its kernel give it."""

    label: str
    spec: RunSpec
    network: nn.Module


def load_networks(paths: Sequence[Path]) -> list[Trained]:
    """`load_trained` of each file, a study's folder standing for those of its cells; raises InputError without one.

    Means over seeds are of networks that differ in nothing else: for two of one name and seed (of two learning rates,
    say) it raises InputError, too.
    """
    loaded = [one for path in paths for one in (_of_study(path) if path.is_dir() else [_of_file(path)])]
    rule = f"must name at least one file, or a folder with {WEIGHTS}"
    require(len(loaded) > 0, "checkpoints", rule, list(map(str, paths)))
    for (label, seed), number in Counter((one.label, one.spec.seed) for one in loaded).items():
        require(number == 1, "checkpoints", f"must name one of {label} with seed {seed}", number)
    return loaded


def _of_file(path: Path) -> Trained:
    spec, network = load_trained(path)
    return Trained(model_label(spec.model), spec, network)


def _of_study(folder: Path) -> list[Trained]:
    """The networks of a study's cells, named as in its tables where these are there."""
    names: dict[str, str] = {}
    if (folder / "study.json").is_file():
        groups = layout_from_json(json.loads((folder / "study.json").read_text(encoding="utf-8"))).groups()
        labels = {variant: group.name(label, variant) for group in groups for label, variant in group.rows}
        with (folder / "cells.csv").open(encoding="utf-8", newline="") as rows:
            names = {row["cell_hash"]: labels[row["variant"]] for row in csv.DictReader(rows)}
    found = []
    for path in sorted(folder.glob(WEIGHTS)):
        one = _of_file(path)
        found.append(one._replace(label=names.get(load_checkpoint(path).get("cell_hash", ""), one.label)))
    return found


def find_upscaler(
    model: str, weights: Path | None, upscale: int, device: torch.device, conventions: Conventions = OURS
) -> Upscaler:
    """The upscaler that `model` names, for whole pictures; see `find_tiled`."""
    bands = find_tiled(model, weights, upscale, device, conventions)(None, 0)
    return lambda lr: np.concatenate(list(bands(lr)))


def find_tiled(
    model: str,
    weights: Path | None,
    upscale: int,
    device: torch.device,
    conventions: Conventions = OURS,
    half: bool = False,
    progress: Callable[[float], object] = lambda pixels: None,
) -> Tiled:
    """What `model` names: "bicubic", a checkpoint of a study, or "package.module:factory" with `weights`.

    The network is built once, is asked by `conventions`, and computes in float16 if `half`; one from outside without
    weights is said on stderr. `progress` is called after each tile. Raises InputError for any other name, and for
    weights of what has its own.
    """
    outside = ":" in model and not Path(model).exists()
    require(outside or weights is None, "weights", "must be left out but for package.module:factory", str(weights))
    if model == "bicubic":
        return lambda tile, overlap: lambda lr: iter([bicubic_upscaler(upscale)(lr)])
    if outside:
        network = outside_model(model, upscale, weights)
        if weights is None and any(True for _ in network.parameters()):
            print(f"{model} has no file of weights: its parameters are as its factory made them.", file=sys.stderr)
    elif Path(model).is_file():
        _, network = load_trained(Path(model), upscale)
    else:
        raise InputError(f"model must be bicubic, a checkpoint file or package.module:factory, got {model!r}")
    network = network.to(device, torch.float16 if half else None)
    return lambda tile, overlap: network_bands(network, upscale, tile, overlap, progress, conventions)


def checkpoint_name(path: Path) -> str:
    """A checkpoint as tables and figures name it: in cells' folders all files have one name, so the folder's counts."""
    return path.parent.name if path.name == "weights.pt" else path.name


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
