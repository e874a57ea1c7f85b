"""Memory that a training step frees stays with the process, as the next step needs as much again."""

from __future__ import annotations

import ctypes
import os
import sys

TRIM_THRESHOLD, MMAP_THRESHOLD = -1, -3
"""The parameters' numbers in malloc.h."""
LARGEST_MMAP_THRESHOLD = 32 * 2**20
"""Bytes; glibc accepts no more."""


def keep_freed_memory() -> None:
    """Have glibc, where that is the C library, keep freed memory up to 2 GiB.

    By default it returns large blocks to the system, which clears them page by page when they are asked for again: of
    a step of the paper's network a tenth. What a user has set in the environment counts.
    """
    if sys.platform != "linux" or any(name == "GLIBC_TUNABLES" or name.startswith("MALLOC_") for name in os.environ):
        return
    set_parameter = getattr(ctypes.CDLL(None), "mallopt", None)  # other C libraries for Linux have none
    if set_parameter is not None:
        set_parameter(MMAP_THRESHOLD, LARGEST_MMAP_THRESHOLD)
        set_parameter(TRIM_THRESHOLD, 2**31 - 1)
