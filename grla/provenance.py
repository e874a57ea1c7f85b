"""Where a number comes from: code, packages, machine."""

from __future__ import annotations

import functools
import importlib.metadata
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import psutil

PROTOCOL = "grla-1"
"""Names the meaning of our numbers (scoring, degradation, counting) and is part of every cell's hash. Change it when a
code change alters what an equal spec measures."""
BENCHMARK_PROTOCOL = "grla-benchmark-1"
"""The same for the records of `run_benchmark.py`: those of another one are not compared."""

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("torch", "numpy", "scipy", "pillow", "scikit-image", "matplotlib", "pandas", "seaborn", "optuna", "fvcore")


@functools.cache  # the code that runs is the code that was there at the start
def code_version(root: Path = ROOT) -> str:
    """The git commit of the code in `root`; "unknown" outside a checkout.

    It ends in "-dirty" when tracked files differ from the commit or there are untracked Python files (a new kernel,
    say) that git does not ignore.
    """
    commit = _git(root, "rev-parse", "--short=12", "HEAD")
    if commit is None:
        return "unknown"
    modified = _git(root, "status", "--porcelain", "--untracked-files=no")
    added = _git(root, "ls-files", "--others", "--exclude-standard", "*.py")
    return f"{commit}-dirty" if modified or added else commit


def commit_is_known(version: str) -> bool | None:
    """Whether `version` is an ancestor of the checked-out commit; None outside a checkout and in a shallow clone."""
    if _git(ROOT, "rev-parse", "--is-shallow-repository") != "false":
        return None
    return _git(ROOT, "merge-base", "--is-ancestor", version, "HEAD") is not None


BUSY = 0.8
"""A machine is called busy if less than this share of the processor time that was asked for was got."""
DISTURBED = 0.1
"""Costs count as measured beside other work if others kept more than this share of the processors busy meanwhile."""


class ProcessorShare:
    """How much of the processor time that its threads could use this process gets, counted from here on."""

    def __init__(
        self,
        threads: int,
        clock: Callable[[], float] = time.perf_counter,
        used: Callable[[], float] = time.process_time,
    ) -> None:
        self.threads = threads
        self.clock = clock
        self.used = used
        self._start = clock(), used()

    def now(self) -> float:
        """The share so far, 0 to 1; what other threads of the process used counts as well."""
        seconds, used = self.clock() - self._start[0], self.used() - self._start[1]
        return min(used / max(seconds * self.threads, 1e-9), 1.0)


class OthersShare:
    """How much of the machine's processors other processes keep busy, counted from here on."""

    def __init__(self) -> None:
        self._start = _processor_seconds()

    def now(self) -> float:
        """The share so far, 0 to 1; what a child of this process that still runs used counts as another's."""
        others, all_of_them = (now - start for now, start in zip(_processor_seconds(), self._start, strict=True))
        return min(max(others / max(all_of_them, 1e-9), 0.0), 1.0)


def _processor_seconds() -> tuple[float, float]:
    """Seconds since the start of the machine that others than this process computed, and that there were of all cores.

    The system counts in hundredths of a second.
    """
    cores = psutil.cpu_times()._asdict()
    # Linux counts guests as users, too.
    total = sum(seconds for name, seconds in cores.items() if not name.startswith("guest"))
    own = sum(psutil.Process().cpu_times()[:4])  # its ended children's among them
    return total - cores["idle"] - cores.get("iowait", 0.0) - own, total


def machine() -> dict[str, Any]:
    """What the run's timings depend on: processor, cores, threads, memory, GPU, operating system."""
    import torch  # noqa: PLC0415  reports need versions but must not load torch

    return {
        "processor": f"{_processor()}, {torch.backends.cpu.get_cpu_capability()}",
        "cores": os.cpu_count(),
        "torch_threads": torch.get_num_threads(),
        "memory_gib": round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
        "system": platform.platform(),
        "python": platform.python_version(),
        **({"cuda": _cuda()} if torch.cuda.is_available() else {}),
    }


def nvidia_smi(fields: str, subject: str = "gpu", gpu: str = "0") -> list[list[str]] | None:
    """What the driver says about a GPU, by number or UUID, a list of values a line; None where it cannot be asked.

    `fields` are those of `nvidia-smi --help-query-SUBJECT`, separated by commas.
    """
    options = [f"--id={gpu}", f"--query-{subject}={fields}", "--format=csv,noheader,nounits"]
    answer = _output("nvidia-smi", *options)
    return None if answer is None else [line.split(", ") for line in answer.splitlines()]


def _cuda() -> dict[str, Any]:
    """Versions of what computes on a GPU, its compute capability, and how it multiplies float32 numbers."""
    import torch  # noqa: PLC0415

    driver = nvidia_smi("driver_version")
    return {
        "capability": ".".join(map(str, torch.cuda.get_device_capability())),
        "cuda": torch.version.cuda,
        "cudnn": torch.backends.cudnn.version(),
        "driver": driver[0][0] if driver else None,
        "triton": importlib.metadata.version("triton") if find_spec("triton") else None,
        "float32_products": "tf32" if torch.backends.cuda.matmul.allow_tf32 else "ieee",
        "float32_convolutions": "tf32" if torch.backends.cudnn.allow_tf32 else "ieee",
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
    """`text` with the passwords of all URLs in it replaced by ***: for messages, provenance and logs."""
    text = re.sub(r"(://[^:/@\s]*):[^@\s]*@", r"\1:***@", text)
    return re.sub(r"([?&]password=)[^&\s]*", r"\1***", text)


def _git(root: Path, *arguments: str) -> str | None:
    return _output("git", "-C", str(root), *arguments)


def _output(*command: str) -> str | None:
    """What a command prints; None where it fails or does not exist."""
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


def _processor(cpuinfo: Path = Path("/proc/cpuinfo")) -> str:
    """The processor's name, with family and model: virtual machines give one name to generations of twice the speed."""
    try:
        lines = [line.partition(":") for line in cpuinfo.read_text().split("\n\n")[0].splitlines()]
    except OSError:
        lines = []
    found = {key.strip(): value.strip() for key, _, value in lines}
    name = found.get("model name") or platform.processor() or platform.machine()
    return f"{name} (family {found['cpu family']}, model {found['model']})" if "cpu family" in found else name
