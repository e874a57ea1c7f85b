"""All figures of a study, each with its data."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from grla.report.figures.costs import cost_data, cost_figure, curve_data, curves_figure
from grla.report.figures.crop_files import crop_data, crop_rows
from grla.report.figures.crops import crops_figure
from grla.report.figures.gradients import gradient_data, gradients_figure
from grla.report.figures.images import image_difference_data, image_differences_figure
from grla.report.figures.levels import gain_figure, level_data, levels_figure, seed_data
from grla.report.figures.recall import has_recall, recall_data, recall_figure
from grla.report.pictures import Picture
from grla.report.results import Results
from grla.report.tables import baseline_rows
from grla.study import BASE

COST = "cost"
"""The name of the figure that belongs to the costs; the others are about quality."""


def study_pictures(results: Results, folder: Path) -> list[Picture]:
    """The figures of a study in the order of a page; none while no cell has finished.

    Crops need the pictures that a run keeps in `folder`/images; without them there are none.
    """
    layout, cells, images, curves = results.layout, results.cells, results.images, results.curves
    if not (cells["outcome"] == "ok").any():
        return []
    levels = level_data(layout, cells, images)
    found = [
        Picture(
            "difference",
            "PSNR-Y of each variant minus that of the base, paired by image and seed, with 95 % intervals.",
            (levels,),
            lambda: gain_figure(layout, cells, images),
        ),
        Picture(
            "psnr",
            "PSNR-Y of each variant, with its seeds and with the interval of the difference to the base.",
            (levels, seed_data(images), _baselines(results)),
            lambda: levels_figure(layout, cells, images),
        ),
        *_recall(results),
        *_differences(results),
        Picture(
            "curves",
            "PSNR-Y on the validation images along training, by step and by time; the bands span the seeds.",
            (curve_data(layout, curves),),
            lambda: curves_figure(layout, curves),
        ),
        Picture(
            COST,
            "PSNR-Y against what it costs. On the Pareto front nothing is as good at a lower cost.",
            (cost_data(layout, cells, images),),
            lambda: cost_figure(layout, cells, images, results.base["cost"]),
        ),
    ]
    return found + _gradients(results) + _crops(results, folder / "images")


def _baselines(results: Results) -> pd.DataFrame:
    groups = results.layout.groups()
    rows = [baseline_rows(results.images, group).assign(group=group.title) for group in groups]
    means: pd.DataFrame = pd.concat(rows).groupby(["group", "variant"], sort=False)["psnr_y"].mean().reset_index()
    return means


def _recall(results: Results) -> list[Picture]:
    if not has_recall(results.images):
        return []
    base = next(group for group in results.layout.groups() if group.base == BASE)
    return [
        Picture(
            "recall",
            "PSNR-Y of the blanked pixels, and the share of their error that is gone, by number of pairs.",
            (recall_data(base, results.images),),
            lambda: recall_figure(base, results.cells, results.images),
        )
    ]


def _differences(results: Results) -> list[Picture]:
    data = image_difference_data(results.layout, results.images)
    if data.empty:
        return []
    return [
        Picture(
            "per-image",
            "The difference to the base on every test image; thin lines span the seeds.",
            (data,),
            lambda: image_differences_figure(results.layout, results.cells, results.images),
        )
    ]


def _gradients(results: Results) -> list[Picture]:
    data = gradient_data(results.layout, results.curves)
    if data.empty:
        return []
    return [
        Picture(
            "gradients",
            "How large the gradients are from part to part of the network, mean over training.",
            (data,),
            lambda: gradients_figure(results.layout, results.curves),
        )
    ]


def _crops(results: Results, folder: Path) -> list[Picture]:
    rows = crop_rows(results, folder)
    if not rows:
        return []
    return [
        Picture(
            "crops",
            "The sharpest place of test images: HR, bicubic and the variants of the first seed, and their errors.",
            (crop_data(rows),),
            lambda: crops_figure(rows),
        )
    ]
