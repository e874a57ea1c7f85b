from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PROGRAM = """
import resource, sys, torch
from grla.training.freed_memory import keep_freed_memory
if sys.argv[1] == "keep":
    keep_freed_memory()
def faults():
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt
def step():
    kept = [torch.zeros(2**20) for _ in range(8)]  # 4 MiB each, all at once, as the activations of a step
step()
before = faults()
for _ in range(10):
    step()
print(faults() - before)
"""


def faults(keep: str, **environment: str) -> int:
    """How often the system had to give and clear a page in ten steps of 32 MiB: 8192 pages of 4 KiB each."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    ran = subprocess.run(
        [sys.executable, "-c", PROGRAM, keep],
        cwd=ROOT,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        check=True,
    )
    return int(ran.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="glibc's allocator")
def test_a_step_gets_the_memory_that_the_last_one_freed() -> None:
    # glibc's default, which it would else raise by itself, or not: that depends on what lies behind the freed memory.
    usual = faults("leave", MALLOC_TRIM_THRESHOLD_="131072")
    assert usual > 50_000
    assert faults("keep") < usual / 20
    assert faults("keep", MALLOC_TRIM_THRESHOLD_="131072") > usual / 2
