"""All figures of a study, each with its data."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path

import matplotlib.figure
import pandas as pd

from grla.report.document import Figure
from grla.report.figures.costs import cost_data, cost_figure
from grla.report.figures.crops import crop_data, crop_rows, crops_figure
from grla.report.figures.curves import curve_data, curves_figure
from grla.report.figures.gradients import gradient_data, gradients_figure
from grla.report.figures.images import image_difference_data, image_differences_figure
from grla.report.figures.levels import baseline_data, gain_figure, level_data, levels_figure, seed_data
from grla.report.figures.recall import recall_data, recall_figure
from grla.report.figures.steps import steps_data, steps_figure
from grla.report.kinds.interventions import intervention_figures
from grla.report.results import Results

CAPTIONS = {
    "difference": "PSNR-Y of each variant minus that of the base, paired by image and seed, with 95 % intervals.",
    "psnr": "PSNR-Y of each variant, with its seeds and with the interval of the difference to the base.",
    "recall": "PSNR-Y of the blanked pixels, and the share of their error that is gone, by number of pairs.",
    "steps": "PSNR-Y against training steps, and after the most of them against size of the state and multiply-adds.",
    "per-image": "The difference to the base on every test image; thin lines span the seeds.",
    "curves": "PSNR-Y on the validation images along training, by step and by time; the bands span the seeds.",
    "cost": "PSNR-Y against what it costs. On the Pareto front nothing is as good at a lower cost.",
    "gradients": "How large the gradients are from part to part of the network, mean over training.",
    "crops": "The sharpest place of test images: HR, bicubic and the variants of the first seed, and their errors.",
}
"""By the name of a figure, in the order of a page."""


def study_figures(results: Results, folder: Path) -> list[Figure]:
    """The figures of a study in the order of a page, those left out that have no data.

    None while no cell has finished. Crops need the pictures that a run keeps beside the study's `folder`, and
    interventions their rows in it.
    """
    if not (results.cells["outcome"] == "ok").any():
        return []
    levels, crops = level_data(results), crop_rows(results, folder)
    found: dict[str, tuple[Callable[[], matplotlib.figure.Figure], *tuple[pd.DataFrame, ...]]] = {
        "difference": (partial(gain_figure, results), levels),
        "psnr": (partial(levels_figure, results), levels, seed_data(results.images), baseline_data(results)),
        "recall": (partial(recall_figure, results), recall_data(results)),
        "steps": (partial(steps_figure, results), steps_data(results)),
        "per-image": (partial(image_differences_figure, results), image_difference_data(results)),
        "curves": (partial(curves_figure, results), curve_data(results)),
        "cost": (partial(cost_figure, results), cost_data(results)),
        "gradients": (partial(gradients_figure, results), gradient_data(results)),
        "crops": (partial(crops_figure, crops), crop_data(crops)),
    }
    own = [Figure(name, CAPTIONS[name], tuple(data), draw) for name, (draw, *data) in found.items() if len(data[0])]
    return own + intervention_figures(folder)
