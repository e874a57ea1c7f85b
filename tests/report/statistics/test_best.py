"""Best and second best with their ties, on scores made so that the answer is known."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from grla.report.statistics.verdicts import best_and_second
from grla.report.tables import table_marks
from grla.study import Group


def images(**means: float) -> pd.DataFrame:
    """Four images, three seeds; all variants differ from each other by constants and noise of 0.001 dB."""
    noise = np.random.default_rng(0).normal(0, 0.001, (len(means), 3, 4))
    rows = [
        (variant, seed, "Set5" if image < 2 else "Set14", str(image), 30.0 + image + mean + noise[number, seed, image])
        for number, (variant, mean) in enumerate(means.items())
        for seed in range(3)
        for image in range(4)
    ]
    frame = pd.DataFrame(rows, columns=["variant", "seed", "test_set", "image", "psnr_y"])
    return frame.assign(ssim_y=frame["psnr_y"] / 40)


@pytest.mark.parametrize(
    ("means", "best", "second"),
    [
        ({"a": 0.0, "b": 0.5, "c": 0.2}, {"b"}, {"c"}),
        ({"a": 0.0, "b": 0.5, "c": 0.5}, {"b", "c"}, {"a"}),
        ({"a": 0.2, "b": 0.5, "c": 0.2}, {"b"}, {"a", "c"}),
        ({"a": 0.0, "b": 0.0, "c": 0.0}, {"a", "b", "c"}, set()),
        ({"a": 0.0}, set(), set()),
    ],
)
def test_ties_share_the_mark(means: dict[str, float], best: set[str], second: set[str]) -> None:
    marks = best_and_second(images(**means), list(means), "psnr_y")
    assert {name for name, mark in marks.items() if mark == "best"} == best
    assert {name for name, mark in marks.items() if mark == "second"} == second


def test_a_variant_without_scores_has_no_mark() -> None:
    marks = best_and_second(images(a=0.0, b=0.5), ["a", "b", "c"], "psnr_y")
    assert marks == {"b": "best", "a": "second"}


def test_marks_stand_in_the_columns_of_quality_and_baselines_have_none() -> None:
    frame = images(base=0.0, other=0.5)
    bicubic = frame[frame["variant"] == "base"].assign(variant="bicubic", seed=np.nan, psnr_y=99.0)
    group = Group("kernel", (("a", "base"), ("b", "other")))
    marks = table_marks(group, pd.concat([bicubic, frame]))
    assert {column for _, column in marks} == {"PSNR-Y dB", "Set5 dB", "Set14 dB", "SSIM-Y"}
    assert {row for row, _ in marks} == {"a (base)", "b"}
    assert marks["b", "Set5 dB"] == "best"
