"""Models from outside, to be judged by the same protocol."""

from __future__ import annotations

import importlib
import inspect
import sys
from pathlib import Path

import torch
from torch import nn

from grla.errors import InputError


def outside_model(target: str, upscale: int, weights: Path | None = None) -> nn.Module:
    """Build the model that "package.module:factory" returns and load its `weights`, a state dict or a dict holding one.

    The factory is called with `upscale=` if it takes it, else without arguments; the model must map (1, 3, h, w) in
    [0, 1] to (1, 3, upscale * h, upscale * w). Modules are also looked for in the current folder. Raises InputError
    when the module, the factory or the weights cannot be used.
    """
    module_name, separator, factory_name = target.partition(":")
    if not separator:
        raise InputError(f"an outside model is written package.module:factory, got {target!r}")
    if "" not in sys.path:
        sys.path.insert(0, "")
    try:
        factory = getattr(importlib.import_module(module_name), factory_name)
    except (ImportError, AttributeError) as error:
        raise InputError(f"cannot find {target!r}: {error}") from error
    takes_upscale = "upscale" in inspect.signature(factory).parameters
    model = factory(upscale=upscale) if takes_upscale else factory()
    if not isinstance(model, nn.Module):
        raise InputError(f"{target} must return an nn.Module, got {type(model).__name__}")
    if weights is not None:
        _load_weights(model, weights)
    return model


def _load_weights(model: nn.Module, path: Path) -> None:
    """Load a state dict, bare or under one of the usual keys, tensors only."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
        for key in ("params_ema", "params", "state_dict", "model"):
            state = state.get(key, state)
        model.load_state_dict(state)
    except Exception as error:  # a file that holds something else makes the unpickler raise nearly anything
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise InputError(f"cannot load weights from {path} ({reason})") from error
