"""The record of `run_benchmark.py training` as a table, sentences and a figure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from grla.report.figures.canvas import PALETTE, panels

PHASES = ("data", "forward", "backward", "optimiser", "logging")


def training_table(record: Mapping[str, Any]) -> str:
    """Markdown, the paper's table 11 and more: seconds, patches per second, ratio to the base, memory, shares in %."""
    frame = _frame(record)
    shown = {
        "model": frame["model"],
        "s / 1000 iterations": frame["seconds_per_1000"].map("{:.1f}".format),
        "images / s": frame["images_per_second"].map("{:.2f}".format),
        "ratio to base [95 %]": frame.apply(_ratio, axis=1),
        "MiB": frame["training_step_mib"].map("{:.0f}".format),
        **{f"{phase} %": (100 * frame[f"{phase}_share"]).map("{:.1f}".format) for phase in PHASES},
        "outcome": frame["outcome"],
        "reason": frame["reason"],
    }
    return pd.DataFrame(shown).replace("nan", "-").to_markdown(index=False, disable_numparse=True)


def training_notes(record: Mapping[str, Any]) -> str:
    """The noise floor, and the harness' share of a small cell's time, in two sentences."""
    floor, harness = record["noise_floor"], record["harness"]
    size = f"{harness['budget']} of {harness['batch_size']} patches of {harness['patch_size']}x{harness['patch_size']}"
    return (
        f"Noise floor: the base against itself is {floor['ratio']:.3f} [{floor['low']:.3f}, {floor['high']:.3f}].\n"
        f"Sampling, logs, checkpoints and storage take {100 * harness['harness_share']:.1f} % of a small cell ({size})."
    )


def training_figure(record: Mapping[str, Any]) -> Figure:
    """A stacked bar per network: where the seconds of 1000 iterations go."""
    frame = _frame(record).dropna(subset=["seconds_per_1000"])[::-1]
    figure, (panel,) = panels([1.0], 1, (9, 1.8 + 0.35 * len(frame)))
    left = pd.Series(0.0, index=frame.index)
    for phase, colour in zip(PHASES, PALETTE, strict=False):
        seconds = frame[f"{phase}_share"] * frame["seconds_per_1000"]
        panel.barh(frame["model"], seconds, left=left, color=colour, label=phase)
        left += seconds
    batch, side = record["batch_size"], record["patch_size"]
    panel.set_xlabel(f"seconds for 1000 iterations of {batch} LR patches of {side}x{side}")
    panel.legend(ncols=len(PHASES), loc="lower center", bbox_to_anchor=(0.5, 1.0), frameon=False)
    return figure


def _frame(record: Mapping[str, Any]) -> pd.DataFrame:
    """A row per network; numbers that a failed one lacks are NaN."""
    frame = pd.DataFrame(record["models"])
    numbers = frame.columns.drop(["model", "outcome", "reason"])
    return frame.astype(dict.fromkeys(numbers, float))


def _ratio(row: Mapping[str, Any]) -> str:
    return "-" if pd.isna(row["ratio"]) else f"{row['ratio']:.3f} [{row['low']:.3f}, {row['high']:.3f}]"
