"""The record of `run_benchmark.py memory` as a table and a figure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from grla.report.figures.canvas import PALETTE, panels

PARTS = {"forward": "forward", "training_step": "training step"}


def memory_table(record: Mapping[str, Any]) -> str:
    """Markdown: model, median MiB of each part with its lowest and highest, on a GPU MiB reserved; outcome, reason."""
    frame = pd.DataFrame(record["models"])
    shown = {"model": frame["model"]}
    for part, name in PARTS.items():
        shown[f"{name} MiB [low, high]"] = frame.apply(_spread, axis=1, part=part)
        if frame[f"{part}_reserved_mib"].notna().any():
            shown[f"{name} MiB reserved"] = frame[f"{part}_reserved_mib"]
    return pd.DataFrame(shown | {"outcome": frame["outcome"], "reason": frame["reason"]}).to_markdown(
        index=False, floatfmt=".0f"
    )


def memory_figure(record: Mapping[str, Any]) -> Figure:
    """A bar per network, its lowest and highest as whiskers, for the forward pass and for the training step (MiB).

    A network without a number keeps its place, empty, so that a row is the same network in both panels.
    """
    frame = pd.DataFrame(record["models"])[::-1]
    figure, axes = panels([1.0], len(PARTS), (11, 1.6 + 0.35 * len(frame)))
    (height, width), batch, side = record["lr_size"], record["batch_size"], record["patch_size"]
    rows = range(len(frame))
    titles = (f"forward pass, LR input {width}x{height}", f"training step, {batch} LR patches of {side}x{side}")
    for panel, part, title, colour in zip(axes, PARTS, titles, PALETTE, strict=False):
        middle = frame[f"{part}_mib"].astype(float)
        whiskers = [middle - frame[f"{part}_low_mib"].astype(float), frame[f"{part}_high_mib"].astype(float) - middle]
        panel.barh(rows, middle, xerr=whiskers, color=colour)
        panel.set(title=title, xlabel=f"growth of {_kind(record)} at its peak (MiB)", ylim=(-0.5, len(rows) - 0.5))
        panel.set_yticks(rows, frame["model"] if panel is axes[0] else [""] * len(rows))
    return figure


def _spread(row: Mapping[str, Any], part: str) -> str:
    middle, low, high = (row[f"{part}_{name}"] for name in ("mib", "low_mib", "high_mib"))
    return "-" if pd.isna(middle) else f"{middle:.0f} [{low:.0f}, {high:.0f}]"


def _kind(record: Mapping[str, Any]) -> str:
    return "allocated GPU memory" if record["device"] == "cuda" else "resident memory"
