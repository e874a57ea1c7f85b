"""Recall against the number of pairs, a line per kernel: the data (a frame), then the drawing."""

from __future__ import annotations

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from grla.report.figures.canvas import BASELINE_DASHES, GRAY, line_style, panels
from grla.report.results import Results
from grla.report.statistics.bootstrap import crossed_interval
from grla.report.tables import baseline_rows
from grla.study import BASE


def numbers_of_pairs(results: Results) -> dict[str, int]:
    """The numbers of pairs that the study's base has test images of, by test set; none unless it is the recall probe.

    The names are those that `grla.data.recall.RecallSampler` gives.
    """
    return {f"{number} pairs": number for number in results.base["data"].get("num_pairs", ())}


def recall_data(results: Results) -> pd.DataFrame:
    """One row per label and number of pairs that finished: label, variant, pairs, psnr, low, high, restored.

    Of panels it is the one that holds the study's base. No row unless it is the recall probe, with more than one number
    of pairs.

    `psnr` is PSNR-Y (dB) of the blanked pixels, averaged over images and seeds as in the tables; low and high are its
    95 % interval for other seeds and images. `restored` in (-inf, 1] is the share of the squared error of the best
    guess without looking that is gone, 1 for perfect recall. Baselines come last and have NaN intervals.
    """
    names, images = ["label", "variant", "pairs", "psnr", "low", "high", "restored"], results.images
    pairs = numbers_of_pairs(results)
    images = images[images["test_set"].isin(pairs)]
    if images["test_set"].nunique() < 2:
        return pd.DataFrame(columns=names)
    group = next(group for group in results.layout.groups() if group.base == BASE)
    baselines = baseline_rows(images, group)
    blind = baselines[baselines["variant"] == "no look"].groupby("test_set")["mse"].mean()
    named = [(label, variant, images[images["variant"] == variant]) for label, variant in group.rows]
    named += [(str(name), str(name), rows) for name, rows in baselines.groupby("variant", sort=False)]
    rows = []
    for label, variant, mine in named:
        for test_set, scores in mine.groupby("test_set", sort=False):
            matrix = scores.pivot_table(index="seed", columns="image", values="psnr_y", dropna=False).to_numpy(float)
            low, high = crossed_interval(matrix) if scores["seed"].notna().all() else (np.nan, np.nan)
            restored = 1 - scores["mse"].mean() / blind[test_set]
            rows.append((label, variant, pairs[str(test_set)], scores["psnr_y"].mean(), low, high, restored))
    return pd.DataFrame(rows, columns=names)


def recall_figure(results: Results) -> Figure:
    """PSNR-Y of the blanked pixels and the share of their error that is gone, against the number of pairs.

    Intervals are those of `recall_data`; the baselines are gray. The legend gives the number of features of each linear
    kernel: the rows of its state, which is all it keeps of an image.
    """
    data, cells = recall_data(results), results.cells
    figure, axes = panels([1.0], 2, (11, 4.6))
    ticks = sorted(data["pairs"].unique())
    features = pd.to_numeric(cells["num_features"]).groupby(cells["variant"]).max()
    for axis, column in zip(axes, ("psnr", "restored"), strict=True):
        _draw(axis, data, column, features)
        axis.set(xscale="log", xlabel="distinct pairs in the image")
        axis.set_xticks(ticks, [str(tick) for tick in ticks])
        axis.minorticks_off()
    axes[0].set_ylabel("PSNR-Y (dB) of the blanked pixels, 95 % interval")
    axes[1].set_ylabel("share of the missing energy restored")
    axes[1].axhline(1, color="black", linewidth=0.8)
    axes[1].text(data["pairs"].min(), 1.01, "perfect recall: no error", fontsize=9, va="bottom")
    axes[1].set_ylim(-0.08, 1.1)
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", frameon=False, fontsize=9)
    return figure


def _draw(axis: Axes, data: pd.DataFrame, column: str, features: pd.Series) -> None:
    is_baseline = data["label"] == data["variant"]
    for index, ((label, variant), rows) in enumerate(data[~is_baseline].groupby(["label", "variant"], sort=False)):
        colour, dashes = line_style(index)
        size = features.get(variant, np.nan)
        name = f"{label} ({size:.0f} feature{'' if size == 1 else 's'})" if np.isfinite(size) else str(label)
        axis.plot(rows["pairs"], rows[column], marker="o", color=colour, linestyle=dashes, label=name)
        if column == "psnr":
            axis.fill_between(rows["pairs"], rows["low"], rows["high"], color=colour, alpha=0.15, linewidth=0)
    baselines = data[is_baseline].groupby("label", sort=False)
    for dashes, (label, rows) in zip(BASELINE_DASHES, baselines, strict=False):
        axis.plot(rows["pairs"], rows[column], color=GRAY, linestyle=dashes, label=str(label))
