"""Checkpoints: everything a training run needs to go on as if it had never stopped."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Any

import torch

from grla.errors import InputError
from grla.files import atomic_write


def save_checkpoint(path: Path, state: dict[str, Any]) -> None:
    """Write `state` (plain Python values and tensors) atomically; a full disk is an InputError, the old file stays."""
    with atomic_write(path) as file:
        try:
            torch.save(state, file)
        except RuntimeError as error:  # PyTorch's zip writer turns a failed write into its own error
            raise OSError(f"the checkpoint could not be written ({error})") from error


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint, tensors and plain values only (`weights_only=True`), onto the CPU.

    Raises InputError when the file is missing or is no checkpoint.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except FileNotFoundError as error:
        raise InputError(f"checkpoint {path} does not exist") from error
    except Exception as error:  # a damaged file makes the unpickler raise nearly anything
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        raise InputError(f"{path} is not a readable checkpoint ({reason})") from error
    if not isinstance(state, dict):
        raise InputError(f"{path} is not a checkpoint: it must hold a dict, got {type(state).__name__}")
    return state


def resume_checkpoint(path: Path) -> dict[str, Any] | None:
    """The state to go on from, or None to start afresh: when there is no file, or (with a warning) a damaged one."""
    if not path.exists():
        return None
    try:
        return load_checkpoint(path)
    except InputError as error:
        warnings.warn(f"{error}; training starts afresh", stacklevel=2)
        return None
