"""Whether Triton's kernels can start on a GPU of this machine, found out once by starting one."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import warnings
from importlib.util import find_spec

import torch

SWITCH = "GRLA_TRITON"
"""The environment variable that, set to 0, turns Triton's kernels off."""
LEAST_CAPABILITY = (8, 0)  # the first with TF32


def triton_obstacle(device: torch.device) -> str:
    """Why Triton's kernels cannot run on `device`, a GPU; "" if they can. A kernel that does not start is warned of."""
    return f"{SWITCH}=0" if os.environ.get(SWITCH) == "0" else found_obstacle(device)


@functools.cache
def found_obstacle(device: torch.device) -> str:
    """The same but for the switch. Lack of memory goes through: it says nothing about later."""
    if find_spec("triton") is None:
        return "triton is not installed"
    if not torch.version.cuda:
        return "not a GPU of NVIDIA"
    if torch.cuda.get_device_capability(device) < LEAST_CAPABILITY:
        return "compute capability below 8.0"
    try:
        start_a_kernel(device)
    except Exception as error:  # a missing compiler, a missing header, a driver that is too old: each has its own
        if "out of memory" in str(error):
            raise
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        warnings.warn(
            f"Triton's kernels cannot start on {device} ({reason}); attention runs without them, which is slower. They "
            f"need a C compiler and Python.h (gcc and python3-dev); {SWITCH}=0 turns them off",
            stacklevel=2,
        )
        return reason
    return ""


def start_a_kernel(device: torch.device) -> None:
    """Run both passes for one token, as small as can be, in both widths; raises whatever keeps them from running."""
    from grla.attention.triton_first_order import fused_first_order_attention  # noqa: PLC0415  not installed everywhere

    for dtype in (torch.float32, torch.bfloat16):
        with torch.inference_mode(mode=False), torch.enable_grad():  # of whoever asks first
            token = torch.ones(1, 1, 1, 16, device=device, dtype=dtype, requires_grad=True)
            out = fused_first_order_attention(token, token, token, 1.0)
            (grad,) = torch.autograd.grad(out.sum(), token)
        # A token that sees itself alone is its own answer.
        if not all(torch.allclose(found, torch.ones_like(found), rtol=1e-2) for found in (out, grad)):
            raise RuntimeError("a kernel computed something else than it should")


def triton_version() -> str | None:
    """The version of the installed Triton."""
    return importlib.metadata.version("triton") if find_spec("triton") is not None else None
