"""Peak memory of a piece of work."""

from __future__ import annotations

import ctypes
import gc
import re
import resource
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import torch

MIB = 2**20
M_MMAP_THRESHOLD = -3  # of mallopt(3)
LACK_OF_MEMORY = (
    "can't allocate memory",  # on a CPU
    "error: out of memory",  # of CUDA, its driver or HIP, outside of PyTorch's allocator
    "MPS backend out of memory",
    "STATUS_ALLOC_FAILED",  # cuBLAS, cuDNN before 9
    "ALLOCATION_FAILED",  # cuDNN
)
"""What errors say that have no type of their own."""


@dataclass(frozen=True)
class Peak:
    """MiB by which memory grew at its peak above what was in use before.

    On a GPU `mib` is what tensors held and `reserved_mib` what the allocator reserved for them; on a CPU
    `mib` is resident memory and `reserved_mib` None.
    """

    mib: float
    reserved_mib: float | None = None


def peak_memory(work: Callable[[], object], device: torch.device) -> Peak | None:
    """The peak of memory during `work()` above what was in use before.

    On a GPU: the allocator's peaks. On a CPU: the peak of this process' resident memory, which only Linux can
    reset; elsewhere, and on Apple's GPUs, the result is None (not measured).
    """
    gc.collect()
    if device.type == "mps":
        work()
        return None
    return _allocator_peak(work, device) if device.type == "cuda" else _resident_peak(work)


@contextmanager
def quick_collection() -> Iterator[None]:
    """Inside, garbage is looked for among objects made since: `peak_memory` does so each time, and all that libraries
    have made takes a fifth of a second. What was kept out before stays out."""
    gc.collect()
    before = gc.get_freeze_count()
    gc.freeze()
    try:
        yield
    finally:
        if not before:
            gc.unfreeze()


def peak_memory_mib(work: Callable[[], object], device: torch.device) -> float | None:
    """The `mib` of `peak_memory`."""
    peak = peak_memory(work, device)
    return None if peak is None else peak.mib


def process_peak_mib(device: torch.device) -> float:
    """Peak memory so far of this process: the GPU allocator's, or resident memory on a CPU, in MiB."""
    if device.type == "cuda":
        return float(torch.cuda.max_memory_allocated(device) / MIB)
    unit = 1 if sys.platform == "darwin" else 1024  # macOS reports bytes, Linux KiB
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / MIB


def map_every_tensor() -> None:
    """From now on, allocate tensors of 64 KiB or more as pages of their own, which are unmapped when freed (glibc).

    Otherwise malloc keeps freed tensors of up to 32 MiB, and resident memory depends on what the process did before;
    with this, it follows the live tensors. It slows down allocation for the rest of the process: call it only in
    processes that measure memory and nothing else.
    """
    with suppress(AttributeError, OSError):
        ctypes.CDLL(None).mallopt(M_MMAP_THRESHOLD, 2**16)


def is_out_of_memory(error: BaseException) -> bool:
    """Whether an error says that memory could not be allocated, on a GPU or a CPU."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(words in str(error) for words in LACK_OF_MEMORY)


def _allocator_peak(work: Callable[[], object], device: torch.device) -> Peak:
    torch.cuda.synchronize(device)
    torch.cuda.empty_cache()  # cached blocks would hide growth
    allocated, reserved = torch.cuda.memory_allocated(device), torch.cuda.memory_reserved(device)
    torch.cuda.reset_peak_memory_stats(device)
    work()
    torch.cuda.synchronize(device)
    most_allocated, most_reserved = torch.cuda.max_memory_allocated(device), torch.cuda.max_memory_reserved(device)
    return Peak((most_allocated - allocated) / MIB, (most_reserved - reserved) / MIB)


def _resident_peak(work: Callable[[], object]) -> Peak | None:
    try:
        # Freed memory that malloc keeps would hide growth: return it to the system first.
        with suppress(AttributeError, OSError):
            ctypes.CDLL(None).malloc_trim(0)
        Path("/proc/self/clear_refs").write_text("5")  # resets the peak, see man 5 proc
        before_kib = _status_kib("VmRSS")
    except OSError:
        work()
        return None
    work()
    return Peak(max(_status_kib("VmHWM") - before_kib, 0) * 1024 / MIB)


def _status_kib(field: str) -> int:
    match = re.search(rf"^{field}:\s+(\d+) kB$", Path("/proc/self/status").read_text(), re.MULTILINE)
    if match is None:
        raise OSError(f"/proc/self/status has no field {field}")
    return int(match[1])
