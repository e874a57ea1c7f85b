"""Main effects of a grid, by hand and against the seeds that a study of one comparison has."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from grla.report.statistics.main_effects import MainEffect, effects_within, main_effects
from grla.study import Layout
from tests.shared import factor

LAYOUT = Layout(
    "study", "q?", "none", "quick", "grid", (factor("a", ("x", "y", "z"), "x"), factor("b", ("off", "on"), "off"))
)
COMBINATIONS = list(itertools.product(("x", "y", "z"), ("off", "on")))
EFFECTS = {"x": 0.0, "y": 1.0, "z": 0.0}


def scores(noise_sd: float = 0.01, num_seeds: int = 3) -> pd.DataFrame:
    """y brings 1 dB, on brings 2, or 6 together with z; seeds, images and noise on top."""
    random = np.random.default_rng(0)
    rows = []
    for a, b in COMBINATIONS:
        effect = EFFECTS[a] + (0 if b == "off" else 6 if a == "z" else 2)
        for seed, image in itertools.product(range(num_seeds), range(4)):
            value = 30 + image + seed + effect + random.normal(0, noise_sd)
            rows.append((LAYOUT.variant({"a": a, "b": b}), float(seed), "set", str(image), value))
    names = ["variant", "seed", "test_set", "image", "psnr_y"]
    baseline = pd.DataFrame([("bicubic", np.nan, "set", str(image), 28.0) for image in range(4)], columns=names)
    return pd.concat([baseline, pd.DataFrame(rows, columns=names)], ignore_index=True)


def by_level(found: list[MainEffect]) -> dict[str, MainEffect]:
    return {f"{one.factor}={one.level}": one for one in found}


def test_a_main_effect_is_the_mean_over_all_pairs_that_differ_in_one_factor() -> None:
    found = by_level(main_effects(LAYOUT, scores()))
    assert list(found) == ["a=y", "a=z", "b=on"]
    y, z, on = found.values()
    assert (y.base, y.num_pairs, on.num_pairs) == ("x", 2, 3)
    assert y.difference.mean == pytest.approx(1, abs=0.02)
    assert (y.lowest, y.highest) == pytest.approx((1, 1), abs=0.02)
    assert z.difference.mean == pytest.approx(2, abs=0.02)  # of 0 without b and 4 with it: an interaction
    assert (z.lowest, z.highest) == pytest.approx((0, 4), abs=0.02)
    assert on.difference.mean == pytest.approx((2 + 2 + 6) / 3, abs=0.02)
    assert {one.difference.verdict for one in found.values()} == {"better"}
    assert {one.difference.num_comparisons for one in found.values()} == {3}
    assert on.difference.pairs.shape == (3, 4)


def test_noise_leaves_main_effects_open() -> None:
    found = by_level(main_effects(LAYOUT, scores(noise_sd=30.0)))
    assert {one.difference.verdict for one in found.values()} == {"not distinguishable"}


def test_a_pair_of_which_a_cell_failed_is_left_out_and_so_is_a_seed() -> None:
    rows = scores()
    found = by_level(main_effects(LAYOUT, rows[rows["variant"] != "a=z, b=on"]))
    assert (found["a=z"].num_pairs, found["a=z"].difference.mean) == (1, pytest.approx(0, abs=0.02))
    assert (found["b=on"].num_pairs, found["b=on"].difference.mean) == (2, pytest.approx(2, abs=0.02))
    lost = by_level(main_effects(LAYOUT, rows[~((rows["variant"] == "a=y, b=on") & (rows["seed"] == 1))]))
    assert (lost["a=y"].num_pairs, lost["a=y"].difference.num_seeds) == (2, 2)
    assert lost["a=y"].difference.mean == pytest.approx(1, abs=0.02)
    assert lost["a=z"].difference.num_seeds == 3


def test_effects_within_tell_what_another_factor_decides() -> None:
    """b brings 2, or 6 together with z, whatever c is, which brings nothing."""
    layout = Layout("study", "q?", "none", "quick", "grid", (*LAYOUT.factors, factor("c", ("l", "r"), "l")))
    images = scores()
    names = {layout.variant({"a": a, "b": b, "c": "r"}): LAYOUT.variant({"a": a, "b": b}) for a, b in COMBINATIONS}
    right = [images[images["variant"] == old].assign(variant=new) for new, old in names.items()]
    found = {(one.factor, one.level, one.within): one for one in effects_within(layout, pd.concat([images, *right]))}
    assert len(found) == 2 * (2 + 2) + (3 + 2) + (3 + 2)  # of a, b and c, at the levels of the two others
    assert found["b", "on", "a=z"].difference.mean == pytest.approx(6, abs=0.02)
    assert found["b", "on", "a=y"].difference.mean == pytest.approx(2, abs=0.02)
    assert found["b", "on", "a=z"].num_pairs == 2
    assert found["a", "z", "b=off"].difference.mean == pytest.approx(0, abs=0.02)
    assert found["a", "z", "b=on"].difference.mean == pytest.approx(4, abs=0.02)
    assert found["c", "r", "a=z"].difference.mean == pytest.approx(0, abs=1e-9)
    assert {one.difference.num_comparisons for one in found.values()} == {18}
    assert effects_within(LAYOUT, images) == []


def test_other_designs_have_none() -> None:
    alone = Layout("study", "q?", "none", "quick", "one_at_a_time", LAYOUT.factors)
    assert main_effects(alone, scores()) == []
    assert main_effects(Layout("study", "q?", "none", "quick", "grid", LAYOUT.factors[:1]), scores()) == []
