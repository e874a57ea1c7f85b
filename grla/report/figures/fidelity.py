"""Figures of what kernels compute; their data are the frames of `grla.analysis.fidelity` and `grla.analysis.taylor`."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import TwoSlopeNorm
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from grla.report.figures.canvas import PALETTE, line_marks, line_style, panels, plain_ticks, point_mark

NORM_TITLES = {"both": "q and k normalised", "query": "only q normalised", "none": "neither normalised"}
STATED_MEAN, STATED_RANGE = 0.0042, 0.2  # GRLA A.3: mean of |exp(x) - (1 + x)|, and where 98 % of x lie
SMALLEST = 1e-9
MEASURES = {
    "output_error": "output, relative error",
    "matrix_error": "matrix, relative error",
    "kl": "KL(softmax || kernel), nats",
    "rank_correlation": "rank correlation of a row",
    "effective_rank": "effective rank of the matrix",
    "entropy": "entropy of a row / log N",
}


def profile_figure(profiles: pd.DataFrame) -> Figure:
    """GRLA figure 1 from `kernel_profiles`: value against angle (left) and cosine (right), a row per token length."""
    norms = list(dict.fromkeys(profiles["norm"]))
    kernels = list(dict.fromkeys(profiles["kernel"]))
    figure, axes = panels([1.0] * len(norms), 2, (9.5, 1.0 + 3.3 * len(norms)))
    for row, norm in enumerate(norms):
        for panel, x in zip(axes[2 * row : 2 * row + 2], ("angle", "cosine"), strict=True):
            panel.axhline(0, color="black", linewidth=0.6)
            for index, kernel in enumerate(kernels):
                line = profiles[(profiles["norm"] == norm) & (profiles["kernel"] == kernel)]
                colour, dashes = line_style(index)
                # Kernels that coincide stay visible: the first drawn is the widest.
                width = 3.6 - 2.4 * index / len(kernels)
                panel.plot(line[x], line["value"], color=colour, linestyle=dashes, linewidth=width)
            panel.set_title(f"|q| = |k| = {norm:.3g}", fontsize=10)
            panel.set_xlabel("angle between q and k (degrees)" if x == "angle" else "cosine of the angle")
        axes[2 * row].set_ylabel("weight / weight at 0 degrees")
        axes[2 * row].set_xticks(range(0, 181, 45))
        axes[2 * row + 1].set_xticks([-1, -0.5, 0, 0.5, 1])
    figure.legend(handles=line_marks(kernels), loc="outside upper left", ncols=4, frameon=False, fontsize=9)
    return figure


def taylor_figure(histogram: pd.DataFrame) -> Figure:
    """GRLA figure 6 from `taylor_histogram`: x above, |exp(x) - (1 + x)| below; a column per `qk_norm`."""
    sources = list(dict.fromkeys(histogram["source"]))
    figure, axes = panels([1.0, 1.0], len(NORM_TITLES), (11.0, 6.4))
    for row, (quantity, label) in enumerate({"x": r"$x = 2\gamma\, q\cdot k$", "error": "|exp(x) - (1 + x)|"}.items()):
        for panel, (norm, title) in zip(axes[3 * row : 3 * row + 3], NORM_TITLES.items(), strict=True):
            chosen = histogram[(histogram["qk_norm"] == norm) & (histogram["quantity"] == quantity)]
            for index, source in enumerate(sources):
                line = chosen[chosen["source"] == source]
                colour, dashes = line_style(index)
                heights = line["share"] / (line["right"] - line["left"]) if quantity == "x" else line["share"]
                edges = [*line["left"], line["right"].iloc[-1]]
                panel.stairs(heights / heights.max(), edges, color=colour, linestyle=dashes, linewidth=1.4)
            _stated(panel, quantity)
            panel.set_title(title if quantity == "x" else "", fontsize=10)
            panel.set_xlabel(label)
            panel.set_yticks([])
        axes[3 * row].set_ylabel("share of pairs / its largest")
    label = f"stated: 98 % within {STATED_RANGE}; mean error {STATED_MEAN}"
    stated = Line2D([], [], color="black", linestyle=":", label=label)
    figure.legend(handles=[*line_marks(sources), stated], loc="outside upper left", ncols=4, frameon=False, fontsize=9)
    return figure


def distance_figure(distances: pd.DataFrame) -> Figure:
    """`distances_to_softmax` of one source at the same temperature: a panel per measure, a row per kernel.

    Circles: the kernel; crosses: plain averaging against the same softmax (for effective rank and entropy: the softmax
    itself). Errors are drawn at no less than SMALLEST. A kernel without a number (weights that are no distributions,
    constant rows) has no circle.
    """
    source = distances["source"].iloc[0]
    rows = distances[distances["reference"] == "same temperature"]
    positions = np.arange(len(rows))
    figure, axes = panels([1.0, 1.0], 3, (12.0, 1.8 + 0.56 * len(rows)))
    for index, (panel, (measure, label)) in enumerate(zip(axes, MEASURES.items(), strict=True)):
        least = SMALLEST if index < 3 else -np.inf
        other = next((name for name in (f"uniform_{measure}", f"softmax_{measure}") if name in rows), None)
        panel.plot(rows[measure].clip(lower=least), positions, "o", color=PALETTE[0], markersize=8)
        if other is not None:
            panel.plot(rows[other].clip(lower=least), positions, "x", color="black", markersize=6)
        if index < 3 or measure == "effective_rank":
            panel.set_xscale("log")
        if measure == "effective_rank":
            plain_ticks(panel)
        panel.set_yticks(positions, rows["kernel"] if index % 3 == 0 else [""] * len(rows))
        panel.set_ylim(len(rows) - 0.4, -0.6)
        panel.set_title(label, fontsize=10)
    beside = "plain averaging (rank and entropy: softmax itself)"
    marks = [
        point_mark(PALETTE[0], "o", f"kernel, {source} tokens", markersize=8),
        point_mark("black", "x", beside),
    ]
    figure.legend(handles=marks, loc="outside upper left", ncols=2, frameon=False, fontsize=9)
    return figure


def margin_figure(margins: pd.DataFrame) -> Figure:
    """`denominator_margins` in float32: a heat map per `qk_norm` (columns) and alignment of the keys (rows).

    Blue is far from 0, red is below it, where weights change sign.
    """
    shown = margins[margins["dtype"] == "float32"]
    alignments = sorted(shown["alignment"].unique())
    figure, axes = panels([1.0] * len(alignments), len(NORM_TITLES), (11.0, 0.9 + 2.9 * len(alignments)))
    for row, alignment in enumerate(alignments):
        for panel, (norm, title) in zip(axes[3 * row : 3 * row + 3], NORM_TITLES.items(), strict=True):
            chosen = shown[(shown["alignment"] == alignment) & (shown["qk_norm"] == norm)]
            grid = chosen.pivot(index="length", columns="gamma", values="margin")
            norm_of = TwoSlopeNorm(vmin=-1, vcenter=0, vmax=1)
            image = panel.imshow(grid.to_numpy(), cmap="RdBu", norm=norm_of, aspect="auto", origin="lower")
            panel.grid(visible=False)
            _annotate(panel, grid)
            panel.set_title(f"{title}\nmean cosine of keys {alignment:g}", fontsize=10)
        axes[3 * row].set_ylabel("length of q and k as given")
    for panel in axes[-3:]:
        panel.set_xlabel(r"$\gamma\,\sqrt{d}$")
    figure.colorbar(image, ax=axes, label="smallest denominator, phi-weighted mean over keys", extend="both")
    return figure


def _annotate(panel: Axes, grid: pd.DataFrame) -> None:
    for (y, x), value in np.ndenumerate(grid.to_numpy()):
        text = f"{value:.2f}" if abs(value) < 9.95 else f"{value:.0f}"
        panel.text(x, y, text, ha="center", va="center", fontsize=8, color="white" if abs(value) > 0.6 else "black")
    panel.set_xticks(range(grid.shape[1]), [_fraction(float(gamma)) for gamma in grid.columns])
    panel.set_yticks(range(grid.shape[0]), [f"{length:g}" for length in grid.index])


def _fraction(gamma: float) -> str:
    return f"{gamma:g}" if gamma >= 1 else f"1/{1 / gamma:.3g}"


def _stated(panel: Axes, quantity: str) -> None:
    """The paper's numbers: lines at +-0.2 for x, at the mean error for the error, whose axis is logarithmic."""
    if quantity == "error":
        panel.set_xscale("log")
        panel.axvline(STATED_MEAN, color="black", linestyle=":")
        return
    for x in (-STATED_RANGE, STATED_RANGE):
        panel.axvline(x, color="black", linestyle=":")
