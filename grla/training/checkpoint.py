"""Checkpoints: everything a training run needs to resume as if it had never stopped."""

from __future__ import annotations

import os
import pickle
import re
import warnings
import zipfile
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from grla.errors import InputError, reason_of
from grla.files import atomic_write

FOREIGN = re.compile(r"GLOBAL ([\w.]+)")
"""What PyTorch refuses to unpickle, in its messages."""


def save_checkpoint(path: Path, state: dict[str, Any], previous: Path | None = None) -> None:
    """Write `state` (plain Python values and tensors) atomically; a full disk is an InputError, the old file stays.

    With `previous` the old file is moved there once the new one is written.
    """
    with atomic_write(path) as file:
        try:
            torch.save(state, file)
        except RuntimeError as error:  # PyTorch's zip writer turns a failed write into its own error
            raise OSError(f"the checkpoint could not be written ({error})") from error
        if previous is not None:
            file.flush()
            os.fsync(file.fileno())  # a full disk shows here at the latest
            with suppress(FileNotFoundError):
                os.replace(path, previous)


def previous_checkpoint(path: Path) -> Path:
    """The path of the last checkpoint but one: "a.partial" has "a.partial.previous"."""
    return path.with_name(f"{path.name}.previous")


def load_checkpoint(path: Path) -> dict[str, Any]:
    """Read a checkpoint, tensors and plain values only (`weights_only=True`), or a .safetensors file, onto the CPU.

    Raises InputError when the file is missing, is no checkpoint, or its content does not have the checksums in it.
    """
    try:
        state = load_file(path) if path.suffix == ".safetensors" else _load(path)
    except FileNotFoundError as error:
        raise InputError(f"checkpoint {path} does not exist") from error
    except Exception as error:  # a damaged file makes the unpickler raise nearly anything
        raise InputError(f"{path} is not a readable checkpoint ({_reason(error)})") from error
    if not isinstance(state, dict):
        raise InputError(f"{path} is not a checkpoint: it must hold a dict, got {type(state).__name__}")
    return state


def resume_checkpoint(*paths: Path) -> dict[str, Any] | None:
    """The state to resume from: that of the checkpoint among `paths` with the most steps; None if there is none.

    Missing files are skipped, damaged ones with a warning.
    """
    states = []
    for path in paths:
        if path.exists():
            try:
                states.append(load_checkpoint(path))
            except InputError as error:
                warnings.warn(f"{error}; training goes on from an earlier one or starts over", stacklevel=2)
    return max(states, key=lambda state: state["step"], default=None)


def _load(path: Path) -> Any:
    _verify(path)
    return torch.load(path, map_location="cpu", weights_only=True)


def _reason(error: Exception) -> str:
    """Why a file cannot be read, in one line. Objects in it are named; PyTorch's advice is to trust them."""
    found = FOREIGN.search(str(error))
    if found is not None:
        return f"it holds {found[1]}, an object of Python code, which is not run; save tensors alone, as a state dict"
    if isinstance(error, pickle.UnpicklingError):
        return "it is no file of PyTorch's, or a damaged one"
    return reason_of(error)


def _verify(path: Path) -> None:
    """Raise BadZipFile when a part of the file is not what its CRC-32 says: PyTorch writes them but never checks."""
    with path.open("rb") as file:
        if zipfile.is_zipfile(file):  # PyTorch's format before 1.6, which outside weights may have, is not
            with zipfile.ZipFile(file) as archive:
                damaged = archive.testzip()
            if damaged is not None:
                raise zipfile.BadZipFile(f"{damaged} does not have its checksum")
