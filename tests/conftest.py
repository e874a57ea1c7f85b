"""What every test may use; more of it is in tests/shared/fixtures.py."""

from __future__ import annotations

import gc
import os
from pathlib import Path

import pytest

# Tests run side by side, one thread each; set before torch is imported, and inherited by the processes tests start.
os.environ.setdefault("OMP_NUM_THREADS", "1")


def _interpret_gpu_kernels() -> None:
    """Without a GPU, GPU kernels run in Triton's interpreter. Triton must know before anything imports it."""
    import torch

    if not torch.cuda.is_available():
        os.environ.setdefault("TRITON_INTERPRET", "1")


_interpret_gpu_kernels()
pytest_plugins = ("tests.shared.fixtures",)


@pytest.fixture(scope="session")
def benchmark_data() -> Path:
    """The folder that holds `benchmark/Set5` and the like: $GRLA_DATA, or `../shared/data` beside the project.

    Without it the tests that compare with published numbers are skipped, except in CI, where they fail.
    """
    default = Path(__file__).parents[1] / ".." / "shared" / "data"
    folder = Path(os.environ.get("GRLA_DATA", default))
    if not (folder / "benchmark" / "Set5" / "HR").is_dir():
        message = f"no benchmark/Set5/HR in {folder}: set GRLA_DATA to the folder that holds benchmark/"
        if os.environ.get("CI"):
            pytest.fail(message)
        pytest.skip(message)
    return folder


def pytest_collection_finish() -> None:
    """What importing and collecting have made stays: who measures memory need not look through it for garbage."""
    gc.freeze()
