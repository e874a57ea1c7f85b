"""Bars per network: the peak of its memory, and where the time of a training step goes.

The data are the records of `run_benchmark.py memory` and `run_benchmark.py training`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from grla.report.figures.canvas import PALETTE, panels

PARTS = {"forward": "forward", "training_step": "training step"}
"""The parts of a network's work whose memory is measured, in words."""
SHARE = "_share"
"""Ends the columns of a training record that hold a phase's share of a step's time."""


def network_frame(record: Mapping[str, Any]) -> pd.DataFrame:
    """A row per network of a record; numbers that a failed one lacks are NaN."""
    frame = pd.DataFrame(record["models"])
    numbers = frame.columns.drop(["model", "outcome", "reason"])
    return frame.astype(dict.fromkeys(numbers, float))


def phases(frame: pd.DataFrame) -> list[str]:
    """The phases of a training step that `frame` has shares of, in their order."""
    return [str(name).removesuffix(SHARE) for name in frame if str(name).endswith(SHARE)]


def memory_figure(record: Mapping[str, Any]) -> Figure:
    """A bar per network, its lowest and highest as whiskers, for the forward pass and for the training step (MiB).

    A network without a number keeps an empty place, so that a row is the same network in both panels.
    """
    frame = network_frame(record)[::-1]
    figure, axes = panels([1.0], len(PARTS), (11, 1.6 + 0.35 * len(frame)))
    (height, width), batch, side = record["lr_size"], record["batch_size"], record["patch_size"]
    kind = "allocated GPU memory" if record["device"] == "cuda" else "resident memory"
    rows = range(len(frame))
    titles = (f"forward pass, LR input {width}x{height}", f"training step, {batch} LR patches of {side}x{side}")
    for panel, part, title, colour in zip(axes, PARTS, titles, PALETTE, strict=False):
        middle = frame[f"{part}_mib"]
        whiskers = [middle - frame[f"{part}_low_mib"], frame[f"{part}_high_mib"] - middle]
        panel.barh(rows, middle, xerr=whiskers, color=colour)
        panel.set(title=title, xlabel=f"growth of {kind} at its peak (MiB)", ylim=(-0.5, len(rows) - 0.5))
        panel.set_yticks(rows, frame["model"] if panel is axes[0] else [""] * len(rows))
    return figure


def training_figure(record: Mapping[str, Any]) -> Figure:
    """A stacked bar per network: where the seconds of 1000 iterations go."""
    frame = network_frame(record).dropna(subset=["seconds_per_1000"])[::-1]
    figure, (panel,) = panels([1.0], 1, (9, 1.8 + 0.35 * len(frame)))
    left = pd.Series(0.0, index=frame.index)
    for phase, colour in zip(phases(frame), PALETTE, strict=False):
        seconds = frame[f"{phase}{SHARE}"] * frame["seconds_per_1000"]
        panel.barh(frame["model"], seconds, left=left, color=colour, label=phase)
        left += seconds
    batch, side = record["batch_size"], record["patch_size"]
    panel.set_xlabel(f"seconds for 1000 iterations of {batch} LR patches of {side}x{side}")
    panel.legend(ncols=len(phases(frame)), loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
    return figure
