"""Compile the GPU kernels of GRBF attention for a GPU that need not be there; run by the tests.

    python compile_triton.py CAPABILITY (90) DTYPE (float32, bfloat16, float16)

All that a pass forward and backward through tokens as layers leave them does is done, but the kernels' work: each is
compiled for its arguments, and its shared memory in bytes is printed.
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
    """Instead of a kernel's run."""
    compiled = run(kernel, *arguments, warmup=True, **options)
    assert compiled.asm["cubin"]
    print(compiled.metadata.shared)


if __name__ == "__main__":
    target = GPUTarget("cuda", int(sys.argv[1]), 32)
    driver.set_active(
        SimpleNamespace(
            get_current_target=lambda: target, get_current_device=lambda: 0, get_current_stream=lambda device: 0
        )
    )
    run, JITFunction.run = JITFunction.run, compile_only
    qkv = torch.zeros(1, 100, 3, 1, HEAD_DIM, dtype=getattr(torch, sys.argv[2]), requires_grad=True)
    out = fused_first_order_attention(*qkv.permute(2, 0, 3, 1, 4), 0.3)
    out.backward(torch.zeros_like(out))
