"""The state of the machine around a measurement of time, and whether something else was running."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path

import torch

TOLERATED_LOAD = 0.5
"""How many running processes beyond our own threads, on average over a minute, do not yet count as other work."""
ROOT = Path("/")

Conditions = Mapping[str, float | None]


def conditions_now() -> Conditions:
    """The state of the machine, ready for JSON; None for what the system does not report.

    `threads` that PyTorch computes with, `clock_mhz`, the mean clock of the cores, and `load_average`, the number of
    running processes over the last minute.
    """
    try:
        load = os.getloadavg()[0]
    except (AttributeError, OSError):  # Windows has none
        load = None
    return {"threads": torch.get_num_threads(), "clock_mhz": clock_mhz(), "load_average": load}


def other_work(before: Conditions, after: Conditions) -> str | None:
    """A warning when the load averages before and after a measurement show more than our own threads, else None.

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
