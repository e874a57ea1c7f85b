"""Scores against steps, state and multiply-adds, on a made-up study of two budgets."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from grla.report.figures.steps import steps_data, steps_figure
from grla.report.results import Results
from grla.study import Factor, Layout
from tests.report.figures.drawn import check_saved, legend, points
from tests.shared import factor

STEPS = (100, 1600)


def study(unit: str = "steps") -> Results:
    """relu is 1 dB above base after few steps and 3 dB after many; softmax keeps no state."""
    budgets = {str(steps): {"train.budget": {"amount": steps, "unit": unit}} for steps in STEPS}
    kernels = factor("kernel", ("gaussian_rbf", "relu", "softmax"), "gaussian_rbf")
    layout = Layout("s", "q?", "none", "quick", "panels", (Factor("steps", budgets, "1600"), kernels))
    images, cells = [], []
    for steps in STEPS:
        for kernel, gain in (("gaussian_rbf", 0), ("relu", 1 if steps == 100 else 3), ("softmax", 2)):
            variant = layout.variant({"steps": str(steps), "kernel": kernel})
            features = {"gaussian_rbf": 9, "relu": 8, "softmax": None}[kernel]
            cells.append((variant, features, 1e9 if kernel == "relu" else 2e9))
            images += [(variant, seed, "4 pairs", str(i), 20.0 + gain + 0.1 * seed) for seed in (0, 1) for i in (0, 1)]
    return Results(
        layout,
        pd.DataFrame(cells, columns=["variant", "num_features", "macs"]),
        pd.DataFrame(images, columns=["variant", "seed", "test_set", "image", "psnr_y"]),
        pd.DataFrame(),
        {"base": {"model": {"dim": 32}}},
    )


def test_a_row_per_kernel_and_number_of_steps() -> None:
    data = steps_data(study()).set_index(["label", "steps"])
    assert len(data) == 6
    assert data.loc[("relu", 100), "psnr"] == pytest.approx(21.05)
    assert data.loc[("relu", 1600), "psnr"] == pytest.approx(23.05)
    assert data.loc[("relu", 1600), "state"] == 8 * 32
    assert np.isnan(data.loc[("softmax", 1600), "state"])
    assert data.loc[("relu", 1600), "low"] < 23.05 < data.loc[("relu", 1600), "high"]


def test_studies_of_other_panels_have_no_data() -> None:
    assert steps_data(study("min")).empty


def test_lines_by_steps_and_points_of_the_most_steps(tmp_path: Path) -> None:
    figure = steps_figure(study())
    by_steps, by_state, by_macs = figure.axes
    drawn = [line for line in by_steps.lines if len(line.get_xdata()) == 2]
    assert points(drawn[1:2]) == [[100, pytest.approx(21.05)], [1600, pytest.approx(23.05)]]
    assert legend(figure) == ["gaussian_rbf", "relu", "softmax"]
    shown = [container.lines[0].get_xydata().tolist() for container in by_macs.containers]
    assert shown == [[[2, pytest.approx(20.05)]], [[1, pytest.approx(23.05)]], [[2, pytest.approx(22.05)]]]
    assert [container.lines[0].get_xdata()[0] for container in by_state.containers][:2] == [9 * 32, 8 * 32]
    check_saved(figure, tmp_path)
