"""What a study could see, as a table and in words."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest

from grla.report.document import Table
from grla.report.kinds.visibility import limits_section, visibility_section
from grla.report.statistics.power import seeds_needed, smallest_visible
from grla.report.statistics.verdicts import Difference, corrected, difference_of

HAND = np.array([[0.1, 0.2], [0.3, 0.4]])
CELLS = pd.DataFrame({"seed": [0, 1], "variant": "a", "outcome": "ok", "num_params": 100})


def visibility(differences: dict[str, Difference]) -> pd.DataFrame:
    """The texts of the table."""
    (table,) = (block for block in visibility_section(differences).blocks if isinstance(block, Table))
    return table.frame.map(str)


def test_a_row_by_hand() -> None:
    """Variances 0.02 of seeds, 0.005 of images, none left; the level is that of two comparisons."""
    found = corrected({"a": difference_of(HAND), "b": difference_of(-HAND)})
    row = visibility(found).set_index("variant").loc["a"]
    sds = [row[f"sd of {part} dB"] for part in ("seeds", "images", "noise")]
    assert [row["effect size d"], *sds] == ["+1.58", "0.141", "0.071", "0.000"]
    parts = found["a"].variance
    assert row["smallest visible dB"] == f"{smallest_visible(parts, 2, 2, 0.025):.3f}"
    assert seeds_needed(0.05, parts, 2, 0.025) == np.inf
    assert row["seeds for 0.05 dB"] == "over 1000: more images"


def test_only_comparisons_over_seeds_and_images_are_in_the_table(made_up: Any) -> None:
    found = made_up.results.differences
    assert visibility(found)["variant"].tolist() == ["kernel=relu", "depth=1"]  # the others lack a seed or all
    assert visibility_section({name: found[name] for name in ("kernel=softmax", "depth=2")}).blocks == ()
    assert visibility_section({}).blocks == ()


def test_the_correction_is_told_where_there_is_one() -> None:
    one = corrected({"a": difference_of(HAND)})
    assert "corrected" not in limits_section(CELLS, one).markdown()
    two = corrected({"a": difference_of(HAND), "b": difference_of(-HAND)}, num_looks=3)
    words = "corrected for the 2 comparisons (Holm) and 3 looks at numbers of seeds (Bonferroni)"
    assert words in limits_section(CELLS, two).markdown()


@pytest.mark.parametrize("pairs", [np.full((2, 3), 0.1), np.zeros((2, 3))])
def test_nothing_varies(pairs: np.ndarray) -> None:
    row = visibility({"a": difference_of(pairs)}).iloc[0]
    assert row.tolist() == ["a", "-", "0.000", "0.000", "0.000", "0.000", "-", "2"]


def test_what_pairing_left_is_shown_and_a_skewed_difference_is_named() -> None:
    found = dataclasses.replace(difference_of(HAND), pairing=0.42)
    assert visibility({"a": found}).loc[0, "left by pairing"] == "0.42"
    skewed = difference_of(np.array([[0.0] * 11 + [5.0]] * 2))
    assert skewed.too_bold
    text = limits_section(CELLS, {"a": found, "b": skewed}).markdown()
    assert "Differences that a few images dominate" in text
    assert text.split("would cover about 90 %: ")[1].startswith("b.")
    assert "dominate" not in limits_section(CELLS, {"a": found}).markdown()


def test_one_seed_has_an_interval_but_no_power() -> None:
    found = {"a": difference_of(HAND[:1])}
    text = limits_section(CELLS.iloc[:1], found).markdown()
    assert "One seed: seeds were not sampled" in text
    assert "smallest difference" not in text
    nothing = {"a": dataclasses.replace(found["a"], low=np.nan, high=np.nan)}
    assert "Nothing could be compared" in limits_section(CELLS, nothing).markdown()


def test_differences_without_their_pairs_are_left_out() -> None:
    assert visibility_section({"a": Difference(0.1, 0.05, 0.15, 3, 2, "better")}).blocks == ()


@pytest.mark.parametrize(("params", "said"), [(930e3, True), (2 * 22e3, False)])
def test_networks_of_very_different_size_are_named(params: float, said: bool) -> None:
    cells = pd.DataFrame({"variant": ["mine", "base", "gone"], "seed": 0, "outcome": ["ok", "ok", "diverged"]})
    text = limits_section(cells.assign(num_params=[params, 22e3, 1e9]), {}).markdown()
    assert ("Sizes differ: mine has 42.3 times the parameters of base" in text) == said
    assert said or "Sizes differ" not in text
