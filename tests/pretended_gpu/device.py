"""A CUDA device for fake tensors, which have a shape, a type and a device but no data, in PyTorch's CPU build.

It must be there before PyTorch is imported, so that it needs a process of its own:

    python -m tests.pretended_gpu.device LIBRARY MODULE
"""

from __future__ import annotations

import ctypes
import runpy
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from unittest.mock import patch

HOOKS = Path(__file__).with_name("hooks.cpp")
CAPABILITY = (9, 0)


def torch_folder() -> Path:
    spec = find_spec("torch")  # which does not import it
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


def compile_hooks(folder: Path) -> Path:
    """The library, in `folder`; a few seconds."""
    library, torch = folder / "hooks.so", torch_folder()
    paths = [f"-I{torch / 'include'}", str(HOOKS), "-o", str(library), f"-L{torch / 'lib'}", "-lc10", "-ltorch_cpu"]
    subprocess.run(["g++", "-O0", "-shared", "-fPIC", "-std=c++20", *paths], check=True, capture_output=True)
    return library


def load_hooks(library: Path) -> None:
    """To be called before PyTorch is imported."""
    for name in ("libc10.so", "libtorch_cpu.so"):
        ctypes.CDLL(str(torch_folder() / "lib" / name), mode=ctypes.RTLD_GLOBAL)
    ctypes.CDLL(str(library))


@contextmanager
def pretended() -> Iterator[None]:
    """Inside, new tensors are fake, and PyTorch finds a GPU. Networks are made before: fake ones cannot be moved."""
    import torch
    from torch._subclasses.fake_tensor import FakeTensorMode

    answers = {"is_available": True, "is_bf16_supported": True, "get_device_capability": CAPABILITY}
    with ExitStack() as stack:
        for name, answer in answers.items():
            stack.enter_context(patch.object(torch.cuda, name, return_value=answer))
        stack.enter_context(
            patch.object(FakeTensorMode, "avoid_device_init", new=True)
        )  # there is none to move data to
        stack.enter_context(FakeTensorMode(allow_non_fake_inputs=True))
        yield


if __name__ == "__main__":
    load_hooks(Path(sys.argv[1]))
    runpy.run_module(sys.argv[2], run_name="__main__")
