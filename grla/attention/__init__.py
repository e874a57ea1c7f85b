"""Attention kernels, found by file name, and the layers that use them."""

from __future__ import annotations

import importlib
import inspect
import pkgutil

from grla.attention import kernels
from grla.attention.interface import AttentionKernel
from grla.errors import InputError


def kernel_names() -> list[str]:
    """The names of all kernels: the files in `grla/attention/kernels/`."""
    return sorted(module.name for module in pkgutil.iter_modules(kernels.__path__))


def build_kernel(name: str, head_dim: int, **options: float | int | str | bool) -> AttentionKernel:
    """Build the kernel of file `grla/attention/kernels/{name}.py` for heads of width `head_dim`.

    Raises InputError, listing the valid ones, for an unknown name or option, or when the file breaks the contract.
    """
    if name not in kernel_names():
        raise InputError(f"unknown kernel {name!r}; known kernels: {', '.join(kernel_names())}")
    kernel_class = getattr(importlib.import_module(f"{kernels.__name__}.{name}"), "Kernel", None)
    if not (isinstance(kernel_class, type) and issubclass(kernel_class, AttentionKernel)):
        raise InputError(f"kernels/{name}.py must export a class `Kernel` derived from AttentionKernel")
    valid = [option for option in inspect.signature(kernel_class).parameters if option != "head_dim"]
    for option in options:
        if option not in valid:
            raise InputError(f"kernel {name!r} has no option {option!r}; its options: {', '.join(valid) or 'none'}")
    if inspect.isabstract(kernel_class):
        missing = ", ".join(sorted(kernel_class.__abstractmethods__))
        raise InputError(f"kernels/{name}.py: Kernel must also define {missing}")
    return kernel_class(head_dim, **options)
