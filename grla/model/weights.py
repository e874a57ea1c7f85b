"""Weights out of files, and which of them a network can start from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor, nn

from grla.errors import InputError, require

KEYS = (
    *("ema", "params_ema", "state_dict_ema", "model_ema", "ema_state_dict"),
    *("params", "state_dict", "model_state_dict", "net_g", "generator", "model"),
)
"""Where files keep their weights, averaged ones first: checkpoints of ours and of others."""
SHOWN_NAMES = 5


@dataclass(frozen=True)
class Misfit:
    """Names of what a network does not start from: weights that were not given, that have no place, or another shape.

    The last come with both shapes. `stripped` is what the given names began with, and the network's do not; `left` are
    names that did not begin so, beside all of the network's.
    """

    missing: list[str]
    unexpected: list[str]
    reshaped: list[str]
    stripped: str = ""
    left: list[str] = field(default_factory=list)

    def __str__(self) -> str:
        kinds = {"missing": self.missing, "unexpected": self.unexpected, "reshaped": self.reshaped}
        found = [f"{kind}: {_first(names)}" for kind, names in kinds.items() if names]
        return "; ".join([*found, *self.told]) if found else "; ".join(["all weights fit", *self.told])

    @property
    def told(self) -> list[str]:
        """What was stripped and left out, in words, if anything was."""
        if self.left:
            return [f"{self.stripped!r} is stripped, and what has another name is left out: {_first(self.left)}"]
        return [f"{self.stripped!r} is stripped from all names"] if self.stripped else []


def weights_of(content: Mapping[str, Any], name: str) -> dict[str, Tensor]:
    """The weights in what a file holds: averaged ones if there are any, a state dict bare or under one of KEYS.

    A key counts if it leads to tensors that could be weights. Raises InputError, calling the file `name`, where that is
    no state dict.
    """
    keys = weights_keys(content)
    while keys:
        content = content[keys[0]]
        keys = weights_keys(content)
    if "n_averaged" in content:  # by torch.optim.swa_utils.AveragedModel
        content = {part.removeprefix("module."): value for part, value in content.items() if part != "n_averaged"}
    tensors = len(content) > 0 and all(isinstance(value, Tensor) for value in content.values())
    require(tensors, name, f"must hold a state dict, bare or under one of {', '.join(KEYS)}", list(content)[:5])
    return dict(content)


def weights_keys(content: Mapping[str, Any]) -> list[str]:
    """Those of KEYS under which there are weights; the first is the one that `weights_of` takes."""
    return [key for key in KEYS if isinstance(inner := content.get(key), Mapping) and _has_weights(inner)]


def weights_digest(weights: Mapping[str, Tensor]) -> str:
    """16 hex digits that name weights by their names, types, shapes and bytes, whatever file they lie in."""
    digest = hashlib.sha256()
    for name, value in sorted(weights.items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().flatten().view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:16]


def load_weights(network: nn.Module, weights: Mapping[str, Tensor], name: str) -> Misfit:
    """Load weights that must all fit, but for what all of their names begin with; the misfit says what was stripped.

    Raises InputError, calling the weights `name`, with the first names that do not fit.
    """
    named, misfit = _compared(network, weights)
    try:
        network.load_state_dict(named)
    except RuntimeError as error:
        raise InputError(f"weights {name} must fit the network, got {misfit}") from error
    return misfit


def fitting(network: nn.Module, weights: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], Misfit]:
    """Those of `weights` that have the name and the shape of one of the network's, and what else there is on each side.

    Raises InputError when no parameter of the network is among them.
    """
    named, misfit = _compared(network, weights)
    own = network.state_dict()
    fit = {name: named[name] for name in own if name in named and named[name].shape == own[name].shape}
    if not fit.keys() & dict(network.named_parameters()).keys():
        raise InputError(f"weights to start from must fit the network in part at least, got none that do ({misfit})")
    return fit, misfit


def _compared(network: nn.Module, weights: Mapping[str, Tensor]) -> tuple[dict[str, Tensor], Misfit]:
    """The weights by the names that they have in the network, and what does not fit.

    Wrappers put a prefix before all names: DataParallel "module.", torch.compile "_orig_mod.", Lightning the name of an
    attribute. Where all of the network's names are found with one, what has another is left out. Else it is stripped,
    part by part, as long as no name is the network's.
    """
    own, named, stripped = network.state_dict(), dict(weights), ""
    if prefix := _prefix_of_all(own, weights):
        named = {name.removeprefix(prefix): value for name, value in weights.items() if name.startswith(prefix)}
        stripped = prefix
    while own and not own.keys() & named.keys():
        starts = {name.partition(".")[0] if "." in name else "" for name in named}
        if len(starts) != 1 or starts == {""}:
            named, stripped = dict(weights), ""  # it helped nothing: what is said has the names as they are
            break
        prefix = f"{starts.pop()}."
        named, stripped = {name.removeprefix(prefix): value for name, value in named.items()}, stripped + prefix
    reshaped = [
        f"{name} ({_shape(named[name])}, not {_shape(own[name])})"
        for name in own
        if name in named and named[name].shape != own[name].shape
    ]
    missing, unexpected = ([name for name in one if name not in other] for one, other in ((own, named), (named, own)))
    left = [name for name in weights if not name.startswith(stripped)]
    return named, Misfit(missing, unexpected, reshaped, stripped, left)


def _prefix_of_all(own: Mapping[str, Tensor], weights: Mapping[str, Tensor]) -> str:
    """What to strip so that all names of the network are found, in its shapes: "" where that is nothing, or nothing is.

    Of several prefixes one of averaged weights comes first.
    """
    longest = max(own, key=len, default="")
    starts = [name.removesuffix(longest) for name in weights if f".{name}".endswith(f".{longest}")]
    able = [
        start
        for start in starts
        if all(name in weights and weights[name].shape == own[part].shape for part in own for name in [start + part])
    ]
    return "" if "" in able else min(able, key=lambda start: "ema" not in start, default="")


def _has_weights(content: Mapping[str, Any]) -> bool:
    """Whether there are tensors that could be weights, here or under one of KEYS."""
    tensors = [value for value in content.values() if isinstance(value, Tensor)]
    here = len(tensors) == len(content) and any(value.is_floating_point() and value.ndim > 0 for value in tensors)
    return here or bool(weights_keys(content))


def _first(names: list[str]) -> str:
    more = len(names) - SHOWN_NAMES
    return ", ".join(names[:SHOWN_NAMES]) + (f" and {more} more" if more > 0 else "")


def _shape(value: Tensor) -> str:
    return "x".join(map(str, value.shape))
