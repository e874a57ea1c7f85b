"""Networks to compare GRLASR with: a convolution-only one, and any from outside."""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import torch
from torch import Tensor, nn

from grla.cost import is_out_of_memory
from grla.errors import InputError, ModelError, reason_of, require
from grla.model.weights import load_weights, weights_keys, weights_of
from grla.spec import EdsrLiteSpec
from grla.training import load_checkpoint


class EdsrLite(nn.Module):
    """Head, residual blocks with one long skip, convolution and pixel shuffle, tail: convolutions only.

    After EDSR (Lim et al. 2017) as the student code this project grew from shrank it (redscarfx/GRLA), here for RGB.
    """

    def __init__(self, spec: EdsrLiteSpec) -> None:
        super().__init__()
        channels = spec.channels
        self.head = nn.Conv2d(3, channels, 3, padding=1)
        self.body = nn.Sequential(*(ResidualBlock(channels) for _ in range(spec.blocks)))
        self.tail = nn.Sequential(
            nn.Conv2d(channels, channels * spec.upscale**2, 3, padding=1),
            nn.PixelShuffle(spec.upscale),
            nn.Conv2d(channels, 3, 3, padding=1),
        )

    def forward(self, lr: Tensor) -> Tensor:
        """(batch, 3, height, width) -> (batch, 3, upscale * height, upscale * width)."""
        features = self.head(lr)
        sr: Tensor = self.tail(features + self.body(features))
        return sr


class ResidualBlock(nn.Module):
    """x + convolution(ReLU(convolution(x)))."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, channels, 3, padding=1)
        self.second = nn.Conv2d(channels, channels, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, channels, height, width) -> the same shape."""
        out: Tensor = x + self.second(torch.relu(self.first(x)))
        return out


def outside_model(target: str, upscale: int, weights: Path | None = None) -> nn.Module:
    """Build the model that "package.module:factory" returns and load its `weights`, a state dict or a dict holding one.

    The factory is called with `upscale=` if it takes it, else without arguments; the model must map (1, 3, h, w) in
    [0, 1] to (1, 3, upscale * h, upscale * w). Modules are also looked for in the current folder. Raises InputError
    when the module, the factory or the weights cannot be used.
    """
    model = _made(find_factory(target), target, upscale)
    if weights is not None:
        _load_weights(model, weights)
    return model


def _made(factory: Callable[..., object], target: str, upscale: int) -> nn.Module:
    """What the factory returns; ModelError when it needs other arguments, fails, or returns something else."""
    signature = inspect.signature(factory)
    given = {"upscale": upscale} if "upscale" in signature.parameters else {}
    try:
        signature.bind(**given)
    except TypeError as error:
        rule = "must be callable with upscale=, or without arguments; bind the rest with functools.partial"
        raise ModelError(f"the factory {target} {rule}, got {signature}") from error
    try:
        with _current_folder_on_path():
            model = factory(**given)
    except Exception as error:  # code from outside may raise anything
        if is_out_of_memory(error):
            raise
        raise ModelError(f"the factory {target} failed ({reason_of(error)})") from error
    if not isinstance(model, nn.Module):
        raise ModelError(f"{target} must return an nn.Module, got {type(model).__name__}")
    return model


def find_factory(target: str) -> Callable[..., object]:
    """The callable that "package.module:factory" names; an InputError when there is none."""
    module_name, separator, factory_name = target.partition(":")
    require(bool(separator), "an outside model", "must look like package.module:factory", target)
    try:
        with _current_folder_on_path():
            factory: Callable[..., object] = getattr(importlib.import_module(module_name), factory_name)
    except Exception as error:  # a module from outside may raise anything when it is imported
        if isinstance(error, ModuleNotFoundError) and not f"{module_name}.".startswith(f"{error.name}."):
            raise InputError(f"{target!r} imports {error.name}, which is not installed") from error
        known = isinstance(error, ImportError | AttributeError)
        reason = str(error) if known else f"its module fails with {reason_of(error)}"
        raise InputError(f"cannot find {target!r}: {reason}") from error
    require(callable(factory), "an outside model", "must name a function or class that can be called", target)
    return factory


@contextmanager
def _current_folder_on_path() -> Iterator[None]:
    """Modules of the current folder can be imported inside the block."""
    sys.path.insert(0, "")
    try:
        yield
    finally:
        with suppress(ValueError):  # someone else's code has removed it
            sys.path.remove("")


def _load_weights(model: nn.Module, path: Path) -> None:
    """Load the weights in a file; which were taken of several, and what their names lost, is printed."""
    content = load_checkpoint(path)
    keys = weights_keys(content)
    chosen = [f"those under {keys[0]!r} are taken, not {', '.join(map(repr, keys[1:]))}"] if len(keys) > 1 else []
    misfit = load_weights(model, weights_of(content, str(path)), str(path))
    for line in [*chosen, *misfit.told]:
        print(f"Weights {path}: {line}.", file=sys.stderr, flush=True)
