"""Weights out of files, and which of them a network can start from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import torch
from torch import Tensor, nn

from grla.errors import InputError, require

KEYS = ("ema", "params_ema", "params", "state_dict", "model")
"""Where files keep their weights, averaged ones first: checkpoints of ours and of others."""


@dataclass(frozen=True)
class Misfit:
    """Names of what a network does not start from: weights that were not given, that have no place, or another shape.

    The last come with both shapes.
    """

    missing: list[str]
    unexpected: list[str]
    reshaped: list[str]

    def __str__(self) -> str:
        found = [f"{kind}: {', '.join(names)}" for kind, names in asdict(self).items() if names]
        return "; ".join(found) or "all weights fit"


def weights_of(content: Mapping[str, Any], name: str) -> dict[str, Tensor]:
    """The weights in what a file holds: averaged ones if there are any, a state dict bare or under one of KEYS.

    Raises InputError, calling the file `name`, where that is no state dict.
    """
    for key in KEYS:
        inner = content.get(key)
        content = inner if isinstance(inner, Mapping) and inner else content
    if "n_averaged" in content:  # by torch.optim.swa_utils.AveragedModel
        content = {part.removeprefix("module."): value for part, value in content.items() if part != "n_averaged"}
    tensors = len(content) > 0 and all(isinstance(value, Tensor) for value in content.values())
    require(tensors, name, f"must hold a state dict, bare or under one of {', '.join(KEYS)}", list(content)[:5])
    return dict(content)


def weights_digest(weights: Mapping[str, Tensor]) -> str:
    """16 hex digits that name weights by their names, types, shapes and bytes, whatever file they lie in."""
    digest = hashlib.sha256()
    for name, value in sorted(weights.items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def fitting(network: nn.Module, weights: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], Misfit]:
    """Those of `weights` that have the name and the shape of one of the network's, and what else there is on each side.

    Raises InputError when no parameter of the network is among them.
    """
    own = network.state_dict()
    shared = [name for name in own if name in weights]
    fit = {name: weights[name] for name in shared if weights[name].shape == own[name].shape}
    reshaped = [f"{name} ({_shape(weights[name])}, not {_shape(own[name])})" for name in shared if name not in fit]
    missing = [name for name in own if name not in weights]
    misfit = Misfit(missing, [name for name in weights if name not in own], reshaped)
    if not fit.keys() & dict(network.named_parameters()).keys():
        raise InputError(f"weights to start from must fit the network in part at least, got none that do ({misfit})")
    return fit, misfit


def _shape(value: Tensor) -> str:
    return "x".join(map(str, value.shape))
