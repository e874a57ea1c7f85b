"""Compile the GPU kernels of GRBF attention for a GPU that need not be there; run by the tests.

    python compile_triton.py CAPABILITY:DTYPE ... (90:float32, 80:bfloat16)

A forward and a backward pass through tokens as layers leave them do everything but run the kernels: each is compiled
for its arguments, and the target and the kernel's shared memory in bytes are printed.
"""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any

import torch
from triton.backends.compiler import GPUTarget
from triton.runtime import driver
from triton.runtime.jit import JITFunction

from grla.attention.triton_first_order import fused_first_order_attention

HEAD_DIM = 55


def compile_only(kernel: JITFunction, *arguments: Any, warmup: bool, **options: Any) -> None:
    """Takes the place of a kernel's run."""
    compiled = run(kernel, *arguments, warmup=True, **options)
    assert compiled.asm["cubin"]
    print(driver.active.get_current_target().arch, compiled.metadata.target.arch, compiled.metadata.shared)


if __name__ == "__main__":
    run, JITFunction.run = JITFunction.run, compile_only
    for device, (capability, dtype) in enumerate(argument.split(":") for argument in sys.argv[1:]):
        gpu = {
            "get_current_target": GPUTarget("cuda", int(capability), 32),
            "get_current_device": device,
            "get_current_stream": 0,
        }
        driver.set_active(SimpleNamespace(**{name: lambda *_, value=value: value for name, value in gpu.items()}))
        qkv = torch.zeros(1, 100, 3, 1, HEAD_DIM, dtype=getattr(torch, dtype), requires_grad=True)
        out = fused_first_order_attention(*qkv.permute(2, 0, 3, 1, 4), 0.3)
        out.backward(torch.zeros_like(out))
