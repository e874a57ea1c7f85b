"""How a GPU multiplies float32 numbers: by IEEE's rules, or faster by TF32, whose factors have 10 bits of mantissa."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal

import torch

Float32 = Literal["ieee", "tf32"]


def set_float32(way: Float32) -> None:
    """Let matrix products and convolutions of float32 run so from now on, in this process.

    Triton's kernels choose for themselves: for float32 three products of TF32, which are nearly IEEE's.
    PyTorch's own default, TF32 in convolutions alone, would compare networks of convolutions and of linear maps at
    different precisions.
    """
    # Not by the newer `fp32_precision`: what reads the older flags, as torch.compile does, would then raise an error.
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = way == "tf32"


@contextmanager
def float32_products(way: Float32) -> Iterator[None]:
    """The same inside only; afterwards they are IEEE's again."""
    set_float32(way)
    try:
        yield
    finally:
        set_float32("ieee")
