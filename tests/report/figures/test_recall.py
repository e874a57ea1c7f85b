"""The data behind the recall figure, on made-up scores, without drawing."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from grla.report.figures.recall import has_recall, recall_data, recall_figure
from grla.study import Layout
from tests.shared import factor

LAYOUT = Layout("recall", "q?", "none", "quick", "one_at_a_time", (factor("kernel", ("a", "b"), "a"),))
MSE = {"no look": 0.08, "mean of values": 0.06, "base": 0.01, "kernel=b": 0.0}


def images() -> pd.DataFrame:
    rows = []
    for variant, mse in MSE.items():
        for seed in [np.nan] if variant in ("no look", "mean of values") else [0, 1]:
            for pairs in (2, 16):
                for image in range(4):
                    error = mse * (1 + 0.1 * (image - 1.5))
                    psnr = 20.0 + image - 1.5
                    rows.append((variant, seed, "k", f"{pairs} pairs", str(image), error, psnr))
    names = ["variant", "seed", "test_images", "test_set", "image", "mse", "psnr_y"]
    return pd.DataFrame(rows, columns=names)


def test_recall_is_the_mean_over_images_and_the_share_of_the_error_that_is_gone() -> None:
    data = recall_data(LAYOUT.groups()[0], images()).set_index(["label", "pairs"])
    assert data.loc[("a", 2), "psnr"] == pytest.approx(20.0)
    assert data.loc[("a", 2), "restored"] == pytest.approx(1 - 0.01 / 0.08)
    assert data.loc[("a", 2), "low"] < 20 < data.loc[("a", 2), "high"]
    assert data.loc[("b", 16), "restored"] == 1
    assert data.loc[("no look", 2), "restored"] == pytest.approx(0)
    assert data.loc[("mean of values", 2), "restored"] == pytest.approx(0.25)
    assert np.isnan(data.loc[("no look", 2), "low"])


def test_only_probes_have_a_recall_figure() -> None:
    frame = images()
    assert has_recall(frame)
    assert not has_recall(frame[frame["test_set"] == "2 pairs"])
    assert not has_recall(frame.assign(test_set="Set5"))


def test_the_figure_names_states_and_baselines() -> None:
    cells = pd.DataFrame({"variant": ["base", "kernel=b"], "num_features": [33, None]})
    figure = recall_figure(LAYOUT.groups()[0], cells, images())
    figure.draw_without_rendering()
    labels = [text.get_text() for text in figure.legends[0].get_texts()]
    assert labels == ["a (33 features)", "b", "no look", "mean of values"]
    assert [tick.get_text() for tick in figure.axes[0].get_xticklabels()] == ["2", "16"]
