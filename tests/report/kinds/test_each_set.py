"""Each test set judged alone."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pandas as pd

from grla.report.kinds.each_set import by_test_set, each_set_blocks


def shown(results: Any) -> pd.DataFrame:
    """The texts of the table of kernels, by variant."""
    _, table = each_set_blocks(results)["kernel"]
    return table.frame.map(str).set_index("variant")


def test_a_set_is_judged_by_its_images_alone(made_up: Any) -> None:
    """On Set5 alone the variant is worse by 1 dB; over all images nobody would see where."""
    images = made_up.images.copy()
    worse = (images["variant"] == "kernel=relu") & (images["test_set"] == "Set5")
    images.loc[worse, "psnr_y"] -= 1.0
    table = shown(replace(made_up.results, images=images))
    assert table.loc["relu", "Set5 dB"].startswith("-1.0")
    assert table.loc["relu", "Set5: equal within 0.02 dB"] == "different"
    assert abs(float(table.loc["relu", "Set14 dB"].split()[0])) < 0.01
    assert table.loc["relu", "Set14: equal within 0.02 dB"] == "open"  # one image shows no equality of others
    assert "gaussian_rbf" not in table.index


def test_comparisons_are_counted_within_a_set(made_up: Any) -> None:
    parts = by_test_set(made_up.results)
    assert list(parts) == ["Set5", "Set14"]
    assert {d.num_images for d in parts["Set5"].differences.values() if d.num_images} == {2}


def test_one_set_needs_no_table_of_its_own(made_up: Any, summary: Callable[[Any], str]) -> None:
    assert "judged alone" in summary(made_up)
    one = made_up._replace(images=made_up.images.assign(test_set="Set5"))
    assert each_set_blocks(one.results) == {}
    assert "judged alone" not in summary(one)
