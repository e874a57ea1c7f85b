"""The state of the machine around a measurement of time, and whether something else was running."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import torch

from grla.provenance import nvidia_smi

TOLERATED_LOAD = 0.5
"""How many running processes beyond our own threads, on average over a minute, do not yet count as other work."""
ROOT = Path("/")

Conditions = Mapping[str, float | None]


def conditions_now() -> Conditions:
    """The state of the machine, ready for JSON; None for what the system does not report.

    `threads` that PyTorch computes with, `clock_mhz`, the mean clock of the cores, and `load_average`, the number of
    running processes over the last minute. Where there is a GPU, also what `gpu_now` says.
    """
    try:
        load = os.getloadavg()[0]
    except (AttributeError, OSError):  # Windows has none
        load = None
    return {"threads": torch.get_num_threads(), "clock_mhz": clock_mhz(), "load_average": load, **gpu_now()}


def gpu_now() -> dict[str, float | None]:
    """The current GPU's clock and the highest it can have, its temperature in degrees Celsius, how much of the time it
    is busy (%), and how many processes compute on it, ours among them; {} without a GPU.
    """
    if not torch.cuda.is_available():
        return {}
    gpu = f"GPU-{torch.cuda.get_device_properties(torch.cuda.current_device()).uuid}"
    state = nvidia_smi("clocks.sm,clocks.max.sm,temperature.gpu,utilization.gpu", gpu=gpu)
    processes = nvidia_smi("pid", "compute-apps", gpu=gpu)
    names = ("gpu_clock_mhz", "gpu_most_clock_mhz", "gpu_celsius", "gpu_busy_percent")
    numbers = [_number(text) for text in state[0]] if state else [None] * len(names)
    return dict(zip(names, numbers, strict=True)) | {"gpu_processes": None if processes is None else len(processes)}


def _number(text: str) -> float | None:
    """What the driver's command prints; None for "[N/A]"."""
    try:
        return float(text)
    except ValueError:
        return None


def other_work(before: Conditions, after: Conditions) -> str | None:
    """A warning when load averages around a measurement show more than our threads, or a GPU was shared; else None.

    Before a measurement none of the load is ours, but a run that ended within the last minute is still in the average.
    """
    for when, load, ours in (
        ("before", before["load_average"], 0),
        ("after", after["load_average"], after["threads"] or 0),
    ):
        if load is not None and load > ours + TOLERATED_LOAD:
            return (
                f"warning: the load average {when} the measurement was {load:.2f}, of which {ours} is ours. Unless "
                "that was a run that has just ended, other processes distort these times: stop them and measure again"
            )
    processes = after.get("gpu_processes") or 0
    if processes > 1:
        return f"warning: {processes:g} processes computed on the GPU, which distorts these times: measure again alone"
    return None


def clock_mhz(root: Path = ROOT) -> float | None:
    """The mean clock of the cores below the file system's `root`: from cpufreq (kHz), else from /proc/cpuinfo."""
    try:
        files = root.glob("sys/devices/system/cpu/cpu[0-9]*/cpufreq/scaling_cur_freq")
        clocks = [float(file.read_text()) / 1000 for file in files]
        if not clocks:
            text = (root / "proc/cpuinfo").read_text()
            clocks = [float(number) for number in re.findall(r"^cpu MHz\s*:\s*([\d.]+)", text, re.MULTILINE)]
    except (OSError, ValueError):
        return None
    return sum(clocks) / len(clocks) if clocks else None
