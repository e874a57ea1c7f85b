"""Compile the kernels of `grla.attention.triton_kernels` for a GPU that need not be there; run by the tests.

    python compile_triton.py CAPABILITY (90) DTYPE (fp32, bf16, fp16)

Prints each kernel's shared memory in bytes, for heads of 55 channels with neighbouring channels side by side.
"""

from __future__ import annotations

import sys

import triton
from triton.backends.compiler import GPUTarget
from triton.compiler import ASTSource

from grla.attention import triton_kernels
from grla.attention.triton_first_order import STAGES, TILE, WARPS

HEAD_DIM, WIDTH = 55, 64


def shared_memory(name: str, capability: int, dtype: str) -> int:
    """Bytes, after compiling to machine code."""
    kernel = getattr(triton_kernels, name)
    constants = {"HEAD_DIM": HEAD_DIM, "WIDTH": WIDTH, "BLOCK": TILE // WIDTH}
    constants["PRECISION"] = "tf32x3" if dtype == "fp32" else "tf32"
    signature: dict[str, object] = dict.fromkeys(kernel.arg_names, "i32") | dict.fromkeys(constants, "constexpr")
    values = {(kernel.arg_names.index(key),): value for key, value in constants.items()}
    for index, argument in enumerate(kernel.arg_names):
        if argument.endswith("_strides"):
            signature[argument] = ("i32", "i32", "i32", "constexpr")
            signature[argument.removesuffix("_strides")] = f"*{dtype}"
            values[index, 3] = 1
    signature |= dict.fromkeys({"sums", "grad_sums"} & set(signature), "*fp32")
    signature |= dict.fromkeys({"slope"} & set(signature), "fp32")
    source = ASTSource(kernel, signature, values)
    options = {"num_warps": WARPS, "num_stages": STAGES}
    compiled = triton.compile(source, target=GPUTarget("cuda", capability, 32), options=options)
    assert compiled.asm["cubin"]
    return int(compiled.metadata.shared)


if __name__ == "__main__":
    for kernel_name in ("sum_keys", "answer", "query_gradients", "key_gradients"):
        print(shared_memory(kernel_name, int(sys.argv[1]), sys.argv[2]))
