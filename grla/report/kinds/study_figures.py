"""All figures of a study, each with its data."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from grla.report.document import Figure
from grla.report.figures.costs import cost_data, cost_figure, curve_data, curves_figure
from grla.report.figures.crop_files import crop_data, crop_rows
from grla.report.figures.crops import crops_figure
from grla.report.figures.gradients import gradient_data, gradients_figure
from grla.report.figures.images import image_difference_data, image_differences_figure
from grla.report.figures.levels import gain_figure, level_data, levels_figure, seed_data
from grla.report.figures.recall import has_recall, recall_data, recall_figure
from grla.report.results import Results
from grla.report.tables import baseline_rows
from grla.study import BASE


def study_figures(results: Results, folder: Path) -> list[Figure]:
    """The figures of a study in the order of a page; none while no cell has finished.

    Crops need the pictures that a run keeps beside the study's `folder`; without them there are none.
    """
    layout, images, curves = results.layout, results.images, results.curves
    if not (results.cells["outcome"] == "ok").any():
        return []
    levels = level_data(results)
    found = [
        Figure(
            "difference",
            "PSNR-Y of each variant minus that of the base, paired by image and seed, with 95 % intervals.",
            (levels,),
            lambda: gain_figure(results),
        ),
        Figure(
            "psnr",
            "PSNR-Y of each variant, with its seeds and with the interval of the difference to the base.",
            (levels, seed_data(images), _baselines(results)),
            lambda: levels_figure(results),
        ),
    ]
    if has_recall(images):
        base = next(group for group in layout.groups() if group.base == BASE)
        words = "PSNR-Y of the blanked pixels, and the share of their error that is gone, by number of pairs."
        data = recall_data(base, images)
        found.append(Figure("recall", words, (data,), lambda: recall_figure(base, results.cells, images)))
    by_image = image_difference_data(layout, images)
    if len(by_image):
        words = "The difference to the base on every test image; thin lines span the seeds."
        found.append(Figure("per-image", words, (by_image,), lambda: image_differences_figure(results)))
    found += [
        Figure(
            "curves",
            "PSNR-Y on the validation images along training, by step and by time; the bands span the seeds.",
            (curve_data(layout, curves),),
            lambda: curves_figure(layout, curves),
        ),
        Figure(
            "cost",
            "PSNR-Y against what it costs. On the Pareto front nothing is as good at a lower cost.",
            (cost_data(results),),
            lambda: cost_figure(results),
        ),
    ]
    gradients = gradient_data(layout, curves)
    if len(gradients):
        words = "How large the gradients are from part to part of the network, mean over training."
        found.append(Figure("gradients", words, (gradients,), lambda: gradients_figure(layout, curves)))
    crops = crop_rows(results, folder)
    if crops:
        words = "The sharpest place of test images: HR, bicubic and the variants of the first seed, and their errors."
        found.append(Figure("crops", words, (crop_data(crops),), lambda: crops_figure(crops)))
    return found


def _baselines(results: Results) -> pd.DataFrame:
    groups = results.layout.groups()
    rows = [baseline_rows(results.images, group).assign(group=group.title) for group in groups]
    means: pd.DataFrame = pd.concat(rows).groupby(["group", "variant"], sort=False)["psnr_y"].mean().reset_index()
    return means
