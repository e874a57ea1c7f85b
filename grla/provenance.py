"""Where a number comes from: code, packages, machine."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

PROTOCOL = "grla-1"
"""Names the meaning of our numbers (scoring, degradation, counting). It enters every cell's hash: change it when code
changes what an equal spec would measure."""
BENCHMARK_PROTOCOL = "grla-benchmark-1"
"""The same for the records of `run_benchmark.py`: those of another one are not compared."""

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("torch", "numpy", "scipy", "pillow", "scikit-image", "matplotlib", "pandas", "seaborn", "optuna", "fvcore")


@functools.cache  # the code that runs is the one that was there at the start
def code_version() -> str:
    """The git commit of this code, with "-dirty" when files differ from it; "unknown" outside a checkout."""
    commit = _git("rev-parse", "--short=12", "HEAD")
    if commit is None:
        return "unknown"
    return f"{commit}-dirty" if _git("status", "--porcelain", "--untracked-files=no") else commit


def commit_is_known(version: str) -> bool | None:
    """Whether `version` is a commit this code descends from; None where that cannot be told.

    That is outside of a checkout, and where the history was cut short and does not hold it.
    """
    if _git("rev-parse", "--is-shallow-repository") != "false":
        return None
    return _git("merge-base", "--is-ancestor", version, "HEAD") is not None


def machine() -> dict[str, Any]:
    """What the run's timings depend on: processor, cores, threads, memory, GPU, operating system."""
    import torch  # noqa: PLC0415  reports need versions, and must not wait for it

    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "system": platform.platform(),
        "python": platform.python_version(),
    }


def describe_run() -> dict[str, Any]:
    """Code version, package versions, machine, protocol and command line, ready for JSON."""
    return {
        "protocol": PROTOCOL,
        "code_version": code_version(),
        "packages": {name: importlib.metadata.version(name) for name in PACKAGES},
        "machine": machine(),
        "command_line": without_password(" ".join(["python", *sys.argv])),
    }


def without_password(text: str) -> str:
    """Any text with the passwords of the URLs in it replaced by ***: for messages, provenance and logs."""
    text = re.sub(r"(://[^:/@\s]*):[^@\s]*@", r"\1:***@", text)
    return re.sub(r"([?&]password=)[^&\s]*", r"\1***", text)


def _git(*arguments: str) -> str | None:
    try:
        command = ["git", "-C", str(ROOT), *arguments]
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _processor() -> str:
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()
