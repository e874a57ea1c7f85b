"""The device that computes: chosen by name, checked to be there and alive, and named."""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path

import torch

from grla.errors import InputError, require

NVIDIA_DRIVER = Path("/proc/driver/nvidia")
NAME = re.compile(r"auto|cpu|cuda(:\d+)?|mps")


def choose_device(name: str, here: bool = True) -> torch.device:
    """The device called "auto" (a GPU if there is one), "cpu", "cuda", "cuda:1" (the second GPU) or "mps".

    Where "auto" gives the CPU of a machine that has an NVIDIA GPU, stderr says so. A GPU is one that computes: PyTorch
    counts cards, too, that its build has no kernels for. One with its number becomes the current one of this process.
    Where `here` is False the device is only named, for a plan that other machines carry out. Raises InputError for any
    other name, and for a device that is not here or does not compute.
    """
    require(NAME.fullmatch(name) is not None, "device", "must be auto, cpu, cuda, cuda:NUMBER or mps", name)
    if name == "auto":
        return _automatic()
    device = torch.device(name)
    if here:
        _require_here(device)
        if device.type == "cuda" and device.index is not None:
            torch.cuda.set_device(device)
    return device


def start_a_kernel(device: torch.device) -> None:
    """Add one and one on a device; raises whatever keeps it from that."""
    torch.ones(1, device=device).add_(1).item()


def card_name(device: torch.device) -> str:
    """What a record calls the card that computes: "NVIDIA H100 80GB HBM3", say; "" for a CPU."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return "" if device.type == "cpu" else "Apple GPU"


def share_gpus(device: torch.device, number: int) -> None:
    """Make the GPU of process `number` (from 0) of several on this machine its current one.

    That is the one that `device` names, or else the GPUs in turn. On other devices nothing happens.
    """
    if device.type == "cuda":
        torch.cuda.set_device(number % torch.cuda.device_count() if device.index is None else device)


def take_own_gpu(device: torch.device, number: int, size: int) -> None:
    """Make the GPU of process `number` (from 0) of the `size` that torchrun started here its current one.

    Raises InputError where there is no GPU for each, or `device` names one for all.
    """
    if device.type == "cuda":
        found = torch.cuda.device_count()
        rule = f"must be at most the GPUs of this machine, {found}: each process needs one of its own"
        require(size <= found, "nproc-per-node", rule, size)
        require(device.index is None, "device", "must be cuda under torchrun, which shares out the GPUs", str(device))
        torch.cuda.set_device(number)


def require_alive(device: torch.device) -> None:
    """Raise InputError for an NVIDIA or AMD GPU that answers nothing but errors, as after an illegal memory access.

    Until the process ends everything on it would fail.
    """
    if device.type != "cuda":
        return
    try:
        torch.cuda.synchronize(device)
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise InputError(f"the GPU is of no more use to this process ({reason}); run again to go on") from error


def _automatic() -> torch.device:
    device = torch.device("cuda")
    if not torch.cuda.is_available():
        _tell_of_unusable_gpu()
    elif why := _obstacle(device):
        print(f"PyTorch cannot use the GPU, so the CPU computes ({why}); see docs/gpu.md.", file=sys.stderr, flush=True)
    else:
        return device
    return torch.device("cpu")


def _obstacle(device: torch.device) -> str:
    """Why a device does not compute; "" if it does."""
    try:
        start_a_kernel(device)
    except RuntimeError as error:
        return str(error).splitlines()[0]
    return ""


def _tell_of_unusable_gpu() -> None:
    if not (NVIDIA_DRIVER.exists() or shutil.which("nvidia-smi")):
        return
    built = torch.version.cuda
    why = f"is for CUDA {built}: the driver or the card may be too old for it" if built else "is a build without CUDA"
    words = "This machine has an NVIDIA GPU that PyTorch cannot use, so the CPU computes"
    print(f"{words}: PyTorch {torch.__version__} {why}; see docs/gpu.md.", file=sys.stderr, flush=True)


def _require_here(device: torch.device) -> None:
    number = torch.cuda.device_count() if device.type == "cuda" else int(torch.backends.mps.is_available())
    if device.type != "cpu":
        require(number > 0, "device", f"must be auto or cpu: PyTorch sees no {device.type} here", str(device))
        require((device.index or 0) < number, "device", f"must be one of the {number} here, from 0 on", str(device))
        why = _obstacle(device)
        require(not why, "device", f"must be one that PyTorch can use, see docs/gpu.md ({why})", str(device))
