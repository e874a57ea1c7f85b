"""Recall against the number of pairs, on made-up scores: the frame, and what is drawn of it."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from grla.data.recall import RecallSampler
from grla.report.figures.recall import numbers_of_pairs, recall_data, recall_figure
from grla.report.results import Results
from grla.study import Layout
from tests.report.figures.drawn import check_saved, legend, points, texts
from tests.shared import factor

LAYOUT = Layout("recall", "q?", "none", "quick", "one_at_a_time", (factor("kernel", ("a", "b"), "a"),))
MSE = {"no look": 0.08, "best guess that ignores keys": 0.06, "base": 0.01, "kernel=b": 0.0}


CELLS = pd.DataFrame({"variant": ["base", "kernel=b"], "num_features": [33, None]})


def study(images: pd.DataFrame) -> Results:
    return Results(LAYOUT, CELLS, images, pd.DataFrame(), {"base": {"data": {"num_pairs": [2, 16]}}})


def images() -> pd.DataFrame:
    rows = []
    for variant, mse in MSE.items():
        for seed in [np.nan] if variant in ("no look", "best guess that ignores keys") else [0, 1]:
            for pairs in (2, 16):
                for image in range(4):
                    error = mse * (1 + 0.1 * (image - 1.5))
                    psnr = 20.0 + image - 1.5
                    rows.append((variant, seed, "k", f"{pairs} pairs", str(image), error, psnr))
    names = ["variant", "seed", "test_images", "test_set", "image", "mse", "psnr_y"]
    return pd.DataFrame(rows, columns=names)


def test_recall_is_the_mean_over_images_and_the_share_of_the_error_that_is_gone() -> None:
    data = recall_data(study(images())).set_index(["label", "pairs"])
    assert data.loc[("a", 2), "psnr"] == pytest.approx(20.0)
    assert data.loc[("a", 2), "restored"] == pytest.approx(1 - 0.01 / 0.08)
    assert data.loc[("a", 2), "low"] < 20 < data.loc[("a", 2), "high"]
    assert data.loc[("b", 16), "restored"] == 1
    assert data.loc[("no look", 2), "restored"] == pytest.approx(0)
    assert data.loc[("best guess that ignores keys", 2), "restored"] == pytest.approx(0.25)
    assert np.isnan(data.loc[("no look", 2), "low"])


def test_only_probes_with_several_numbers_of_pairs_have_data() -> None:
    frame = images()
    assert len(recall_data(study(frame))) == 8
    assert recall_data(study(frame[frame["test_set"] == "2 pairs"])).empty
    assert recall_data(study(frame.assign(test_set="Set5"))).empty


def test_numbers_of_pairs_are_those_of_the_spec() -> None:
    sampler = RecallSampler((2, 16), side=16, glyph=2, texture=0.0, band=0, upscale=2)
    assert set(numbers_of_pairs(study(images()))) == {pair.test_set for pair in sampler.pairs("test", 1)}
    photographs = replace(study(images()), definition={"base": {"data": {"patch_size": 16}}})
    assert recall_data(photographs).empty  # whatever their folders are called


def test_a_line_per_kernel_and_baseline_over_the_pairs(tmp_path: Path) -> None:
    data = recall_data(study(images()))
    figure = recall_figure(study(images()))
    psnr, restored = figure.axes
    labels = ["a", "b", "no look", "best guess that ignores keys"]
    for panel, column in ((psnr, "psnr"), (restored, "restored")):
        lines = panel.lines[:4]
        by_label = {name: rows[["pairs", column]].to_numpy().tolist() for name, rows in data.groupby("label")}
        assert [points([line]) for line in lines] == [by_label[name] for name in labels]
        assert texts(panel.get_xticklabels()) == ["2", "16"]
        assert panel.get_xscale() == "log"
        assert [line.get_linestyle() for line in lines] == ["-", "-", "--", ":"]
    heights = [band.get_paths()[0].vertices[:, 1] for band in psnr.collections]
    trained = data[data["low"].notna()].groupby("label", sort=False)
    assert [(low.min(), low.max()) for low in heights] == [
        pytest.approx((rows["low"].min(), rows["high"].max())) for _, rows in trained
    ]
    assert len(restored.collections) == 0
    assert legend(figure) == ["a (33 features)", "b", "no look", "best guess that ignores keys"]
    check_saved(figure, tmp_path)
