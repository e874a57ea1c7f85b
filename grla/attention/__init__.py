"""Attention kernels, found by file name, and the layers that use them."""

from __future__ import annotations

import importlib
import inspect
import pkgutil
from typing import Any

from grla.attention import kernels
from grla.attention.interface import AttentionKernel, LinearKernel, unit
from grla.attention.layers import GlobalAttention, WindowAttention
from grla.attention.linear import Linear, linear, watched
from grla.attention.windows import reflect_pad
from grla.errors import InputError
from grla.precision import set_float32

set_float32("ieee")  # here, because whatever computes a network or a kernel imports this


def kernel_names() -> list[str]:
    """The names of all kernels: the files in `grla/attention/kernels/`."""
    return sorted(module.name for module in pkgutil.iter_modules(kernels.__path__))


def build_kernel(name: str, head_dim: int, num_heads: int = 1, **options: float | int | str | bool) -> AttentionKernel:
    """Build the kernel of file `grla/attention/kernels/{name}.py` for heads of width `head_dim`.

    `num_heads` is passed to kernels that have parameters per head.
    Raises InputError, listing the valid ones, for an unknown name or option, or when the file breaks the contract.
    """
    if name not in kernel_names():
        raise InputError(f"unknown kernel {name!r}; known kernels: {', '.join(kernel_names())}")
    kernel_class = getattr(importlib.import_module(f"{kernels.__name__}.{name}"), "Kernel", None)
    if not (isinstance(kernel_class, type) and issubclass(kernel_class, AttentionKernel)):
        raise InputError(f"kernels/{name}.py must export a class `Kernel` derived from AttentionKernel")
    parameters = inspect.signature(kernel_class).parameters
    sizes = {"head_dim": head_dim, "num_heads": num_heads}
    valid = [option for option in parameters if option not in sizes]
    for option in options:
        if option not in valid:
            raise InputError(f"kernel {name!r} has no option {option!r}; its options: {', '.join(valid) or 'none'}")
    if inspect.isabstract(kernel_class):
        missing = ", ".join(sorted(kernel_class.__abstractmethods__))
        raise InputError(f"kernels/{name}.py: Kernel must also define {missing}")
    arguments: dict[str, Any] = {**{size: value for size, value in sizes.items() if size in parameters}, **options}
    return kernel_class(**arguments)
