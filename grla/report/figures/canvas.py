"""What all figures share: colours, font sizes, placement of labels, saving. Figure objects only, never pyplot."""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Literal

import matplotlib
import numpy as np
import seaborn
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Rectangle
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter
from numpy.typing import NDArray

from grla.files import atomic_write

Colour = tuple[float, float, float]

PALETTE: list[Colour] = list(seaborn.color_palette("colorblind"))
LINES = ("-", "--", ":", "-.")
BASELINE_DASHES: tuple[Literal["--", ":", "-."], ...] = ("--", ":", "-.")
MARKERS = "osDv^<>P*Xp"
GRAY = "0.45"
PSNR = "PSNR-Y (dB)"
METADATA: dict[str, dict[str, str | None]] = {"png": {"Software": None}, "svg": {"Date": None}}


def style() -> AbstractContextManager[None]:
    """Matplotlib's settings for our figures, whatever the user's own are; the salt makes SVG ids reproducible."""
    return matplotlib.rc_context(
        {"font.size": 10, "axes.grid": True, "grid.alpha": 0.3, "axes.axisbelow": True, "svg.hashsalt": "grla"}
    )


def panels(heights: Sequence[float], num_columns: int, size: tuple[float, float]) -> tuple[Figure, list[Axes]]:
    """A figure of `size` (width, height in inches) with len(heights) rows of axes, row by row in one list."""
    with style():
        figure = Figure(figsize=size, layout="constrained")
        axes = figure.subplots(len(heights), num_columns, squeeze=False, height_ratios=list(heights))
    return figure, list(axes.flat)


def bare_panels(heights: Sequence[float], num_columns: int, size: tuple[float, float]) -> tuple[Figure, list[Axes]]:
    """As `panels`, without ticks, grid and frames: for images."""
    figure, axes = panels(heights, num_columns, size)
    for panel in axes:
        panel.set(xticks=[], yticks=[])
        panel.set_frame_on(False)
    return figure, axes


def outline(panel: Axes, box: tuple[float, float, float], colour: Colour | str, width: float) -> None:
    """Draw the border of `box` (top, left, size; in pixels) on the image in `panel`, `width` points wide."""
    top, left, size = box
    # Pixel centres are whole numbers, so a pixel begins half before.
    panel.add_patch(Rectangle((left - 0.5, top - 0.5), size, size, fill=False, edgecolor=colour, linewidth=width))


def line_style(index: int) -> tuple[Colour, str]:
    """Colour and dashes of the index-th line: the palette's ten colours solid, then dashed, and so on."""
    return PALETTE[index % len(PALETTE)], LINES[index // len(PALETTE) % len(LINES)]


def line_marks(names: Iterable[str]) -> list[Line2D]:
    """Marks for a legend of lines: each name with the colour and dashes that `line_style` gives it."""
    styles = [(name, *line_style(index)) for index, name in enumerate(names)]
    return [Line2D([], [], color=colour, ls=dashes, label=name) for name, colour, dashes in styles]


def point_mark(colour: Colour | str, marker: str, label: str, **shape: Any) -> Line2D:
    """A mark for a legend of points; `shape` are further properties of the mark."""
    return Line2D([], [], color=colour, marker=marker, linestyle="", label=label, **shape)


def list_rows(panel: Axes, title: str, names: Sequence[str]) -> None:
    """Make a list of the panel: rows 0, 1, ... from top to bottom, their `names` beside them."""
    panel.set_yticks(range(len(names)), names)
    panel.set_ylim(len(names) - 0.4, -0.6)
    panel.set_title(title, loc="left", fontweight="bold", fontsize=10)


def point_style(index: int) -> tuple[Colour, str]:
    """Colour and shape of the index-th point; the first 110 (ten colours, eleven shapes) all differ."""
    return PALETTE[index % len(PALETTE)], MARKERS[index % len(MARKERS)]


def spread(wanted: Sequence[float], gap: float) -> NDArray[np.float64]:
    """Positions in [0, 1] close to the `wanted` ones, in their order and at least `gap` apart.

    A gap that does not fit is made smaller.
    """
    n = len(wanted)
    order, steps = np.argsort(wanted, kind="stable"), np.arange(n) * min(gap, 1 / max(n - 1, 1))
    room = np.asarray(wanted, dtype=np.float64)[order] - steps
    # Both passes keep the distance, one by moving up, one by moving down; so does their mean, which moves least.
    up, down = np.maximum.accumulate(room), np.minimum.accumulate(room[::-1])[::-1]
    positions = np.empty(n)
    positions[order] = np.clip((up + down) / 2, 0, 1 - steps[-1] if n else 1) + steps
    return positions


def label_points(axes: Axes, points: Sequence[tuple[float, float, str]]) -> None:
    """Name points (x, y, text; in data units) in a column right of the axes, joined by thin lines. Set limits first."""
    axes.get_ylim()  # updates limits that follow the data
    to_fraction = axes.transData + axes.transAxes.inverted()
    height = axes.get_position().height * axes.get_figure(root=True).get_size_inches()[1]  # type: ignore[union-attr]
    line = {"arrowstyle": "-", "color": GRAY, "linewidth": 0.6, "shrinkA": 1, "shrinkB": 3, "relpos": (0, 0.5)}
    positions = spread([to_fraction.transform((x, y))[1] for x, y, _ in points], gap=0.2 / height)
    for (x, y, text), position in zip(points, positions, strict=True):
        beside = (1.06, position)
        axes.annotate(text, (x, y), beside, textcoords="axes fraction", va="center", fontsize=9, arrowprops=line)


def plain_ticks(axes: Axes, which: Literal["x", "y"] = "x") -> None:
    """Label a logarithmic axis with 2, 30, 400 instead of powers of ten, and with enough of them if it is short."""
    axis = axes.xaxis if which == "x" else axes.yaxis
    low, high = axes.get_xlim() if which == "x" else axes.get_ylim()
    crowded = which == "x" and high / low > 500  # labels side by side need more space than stacked ones
    axis.set_major_locator(LogLocator(subs=(1,) if crowded else (1, 2, 5)) if high / low > 5 else MaxNLocator(5))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def save(figure: Figure, path: Path) -> list[Path]:
    """Write `path`.png (150 dpi) and `path`.svg, each completely or not at all, and clear the figure.

    `path` has no suffix. The same figure gives the same bytes. Raises InputError for a folder that cannot be written.
    """
    written = []
    for suffix in METADATA:
        target = path.with_name(f"{path.name}.{suffix}")
        with atomic_write(target) as file:
            file.write(rendered(figure, suffix))
        written.append(target)
    figure.clear()
    return written


def rendered(figure: Figure, suffix: str) -> bytes:
    """The content of a "png" (150 dpi) or "svg" file of the figure."""
    content = io.BytesIO()
    with style():
        figure.savefig(content, format=suffix, dpi=150, metadata=METADATA[suffix], bbox_inches="tight")
    return content.getvalue()
