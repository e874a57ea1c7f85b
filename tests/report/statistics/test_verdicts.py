from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from numpy.typing import NDArray
from scipy import stats
from statsmodels.stats.multitest import multipletests

from grla.errors import InputError
from grla.report.statistics.bootstrap import crossed_interval
from grla.report.statistics.verdicts import (
    best_and_second,
    corrected,
    difference_of,
    differences_to_base,
    paired_difference,
    study_differences,
)
from grla.study import Layout
from tests.shared import factor

Floats = NDArray[np.float64]


def frame(variant: Floats, base: Floats, name: str = "kernel=relu") -> pd.DataFrame:
    """Rows of two tables of PSNR, each of shape (num_seeds, num_images)."""
    rows = [
        {"variant": label, "seed": seed, "test_set": "Set5", "image": f"{image}.png", "psnr_y": value}
        for label, table in ((name, variant), ("base", base))
        for (seed, image), value in np.ndenumerate(table)
    ]
    return pd.DataFrame(rows)


def test_hand_worked_mean_and_counts() -> None:
    base = np.array([[28.0, 30.0], [28.1, 30.1]])
    result = paired_difference(frame(base + np.array([[0.1, 0.2], [0.3, 0.4]]), base), "kernel=relu")
    assert result.mean == pytest.approx(0.25)
    assert (result.num_seeds, result.num_images, result.note) == (2, 2, "")
    assert result.half_width == pytest.approx((result.high - result.low) / 2)


@pytest.mark.parametrize(
    ("shift", "verdict"),
    [(0.1, "better"), (-0.1, "worse"), (0.001, "not distinguishable"), (0.0, "not distinguishable")],
)
def test_verdicts(shift: float, verdict: str) -> None:
    base = np.array([[28.0, 30.0, 26.0], [28.1, 30.1, 26.1], [28.0, 30.2, 26.0]])
    wiggle = np.array([[0.003, -0.002, 0.0], [-0.001, 0.002, 0.001], [0.0, 0.001, -0.003]])
    images = frame(base + shift + wiggle, base)
    assert paired_difference(images, "kernel=relu").verdict == verdict
    assert differences_to_base(images, ["base", "kernel=relu"])["kernel=relu"].verdict == verdict


def test_equal_scores_are_not_distinguishable() -> None:
    base = np.array([[28.0, 30.0], [28.1, 30.1]])
    result = paired_difference(frame(base, base), "kernel=relu")
    assert (result.low, result.high, result.verdict) == (0.0, 0.0, "not distinguishable")


def test_one_seed_says_that_seeds_were_not_sampled() -> None:
    base = np.array([[28.0, 30.0, 26.0]])
    result = paired_difference(frame(base + np.array([[0.1, 0.12, 0.11]]), base), "kernel=relu")
    assert result.verdict == "better"
    assert "seeds were not sampled" in result.note
    half = stats.t.ppf(0.975, 2) * 0.01 / np.sqrt(3)
    assert result.half_width == pytest.approx(half, rel=0.1)


def test_one_image_and_one_value() -> None:
    base = np.array([[28.0], [28.2]])
    assert "images were not sampled" in paired_difference(frame(base + 0.1, base), "kernel=relu").note
    single = paired_difference(frame(base[:1] + 0.1, base[:1]), "kernel=relu")
    assert single.mean == pytest.approx(0.1)
    assert np.isnan(single.low)
    assert single.verdict == "not distinguishable"


def test_only_common_pairs_count() -> None:
    """Seed 2 lacks in the base, image 1 lacks for seed 1 of the variant, image 2 is infinitely good."""
    images = frame(np.full((3, 4), 28.5), np.full((3, 4), 28.0))
    images = images[~((images["variant"] == "base") & (images["seed"] == 2))]
    images = images[~((images["variant"] != "base") & (images["seed"] == 1) & (images["image"] == "1.png"))]
    images.loc[(images["image"] == "2.png") & (images["seed"] == 0), "psnr_y"] = np.inf
    result = paired_difference(images, "kernel=relu")
    assert (result.num_seeds, result.num_images) == (2, 2)
    assert result.mean == pytest.approx(0.5)


def test_nothing_in_common_is_not_compared() -> None:
    images = frame(np.full((1, 2), 28.5), np.full((1, 2), 28.0))
    for rows in (images[images["variant"] == "base"], images[images["variant"] != "base"], images.iloc[:0]):
        result = paired_difference(rows, "kernel=relu")
        assert (result.verdict, result.num_seeds, result.num_images) == ("not compared", 0, 0)
        assert np.isnan(result.mean)
        assert "no seed" in result.note


def test_other_metric_and_same_image_name_in_two_sets() -> None:
    images = pd.concat([frame(np.full((2, 2), 0.8), np.full((2, 2), 0.7)).assign(test_set=s) for s in ("a", "b")])
    result = paired_difference(images.rename(columns={"psnr_y": "ssim_y"}), "kernel=relu", metric="ssim_y")
    assert result.num_images == 4
    assert result.mean == pytest.approx(0.1)


def test_another_base() -> None:
    images = frame(np.full((2, 2), 28.5), np.full((2, 2), 28.0))
    found = differences_to_base(images, ["base", "kernel=relu"], "kernel=relu")
    assert list(found) == ["base"]
    assert found["base"].mean == pytest.approx(-0.5)


def test_bad_input_is_named() -> None:
    with pytest.raises(InputError, match="psnr_y"):
        paired_difference(pd.DataFrame({"variant": [], "seed": [], "test_set": [], "image": []}), "relu")


def p_value(table: Floats) -> float:
    """The level at which the interval of a difference just touches 0, by bisection."""
    below, above = 1e-6, 1.0 - 1e-6
    for _ in range(14):
        middle = (below + above) / 2
        low, high = crossed_interval(table, 1 - middle)
        below, above = (below, middle) if low > 0 or high < 0 else (middle, above)
    return above


def test_verdicts_are_those_of_holms_method() -> None:
    """statsmodels corrects the p values that the intervals stand for."""
    generator = np.random.default_rng(3)
    for _ in range(4):
        tables = generator.normal(generator.choice([0, 0.8, 1.5], 6)[:, None, None], 1, (6, 4, 12))
        real, *_ = multipletests([p_value(table) for table in tables], 0.05, method="holm")
        found = corrected({str(number): difference_of(table) for number, table in enumerate(tables)})
        assert [difference.verdict != "not distinguishable" for difference in found.values()] == real.tolist()


def test_a_difference_may_be_lost_to_the_correction_and_says_so() -> None:
    wiggle = np.array([[0.003, -0.002, 0.001], [-0.001, 0.002, -0.002], [0.0, 0.001, -0.003]])
    tables = {"small": 0.004 + wiggle, "large": 0.5 + wiggle, **{str(n): wiggle - wiggle.mean() for n in range(6)}}
    alone = {name: difference_of(table) for name, table in tables.items()}
    together = corrected(alone)
    assert (alone["small"].verdict, together["small"].verdict) == ("better", "not distinguishable")
    assert (together["small"].low, together["small"].high) == (alone["small"].low, alone["small"].high)
    assert together["small"].lost_to_correction
    assert together["large"].verdict == "better"
    assert not any(difference.lost_to_correction for name, difference in together.items() if name != "small")
    assert {difference.level for difference in together.values()} == {0.05 / 8}
    assert corrected({"small": alone["small"]})["small"].verdict == "better"
    assert corrected({"small": alone["small"]}, num_looks=20)["small"].lost_to_correction


def test_holm_goes_on_after_the_first_round() -> None:
    """0.05 / 2 is too strict for the second difference, but once the first is real only one is left."""
    wiggle = np.array([[0.003, -0.002, 0.001], [-0.001, 0.002, -0.002], [0.0, 0.001, -0.003]])
    shift = next(shift for shift in np.arange(0.001, 0.02, 0.0001) if difference_of(shift + wiggle).verdict == "better")
    tables = {"second": shift + wiggle, "first": 0.5 + wiggle}
    found = corrected({name: difference_of(table) for name, table in tables.items()})
    assert [difference.verdict for difference in found.values()] == ["better", "better"]
    tables["first"] = wiggle - wiggle.mean()
    found = corrected({name: difference_of(table) for name, table in tables.items()})
    assert found["second"].lost_to_correction


def test_only_what_has_an_interval_is_corrected_for() -> None:
    """A variant that diverged and one with a single value leave the others alone."""
    tables = {"a": np.full((2, 3), 0.1), "diverged": np.empty((0, 0)), "single": np.full((1, 1), 0.1)}
    found = corrected({name: difference_of(table) for name, table in tables.items()})
    assert [difference.verdict for difference in found.values()] == ["better", "not compared", "not distinguishable"]
    assert found["a"].num_comparisons == 1
    assert corrected({}) == {}


def test_a_study_is_corrected_over_all_its_groups_and_looks() -> None:
    factors = (factor("kernel", ("gaussian_rbf", "relu"), "gaussian_rbf"), factor("depth", ("1", "2"), "1"))
    layout = Layout("s", "q?", "none", "quick", "one_at_a_time", factors, num_looks=3)
    base = np.full((2, 3), 28.0)
    images = pd.concat([frame(base + 0.1, base), frame(base - 0.1, base, "depth=2").iloc[:6]])
    found = study_differences(layout, images)
    assert {name: difference.verdict for name, difference in found.items()} == {
        "kernel=relu": "better",
        "depth=2": "worse",
    }
    assert {(difference.num_comparisons, difference.num_looks) for difference in found.values()} == {(2, 3)}


def scores(**means: float) -> pd.DataFrame:
    """Four images, three seeds; all variants differ from each other by constants and noise of 0.001 dB."""
    noise = np.random.default_rng(0).normal(0, 0.001, (len(means), 3, 4))
    rows = [
        (variant, seed, "Set5" if image < 2 else "Set14", str(image), 30.0 + image + mean + noise[number, seed, image])
        for number, (variant, mean) in enumerate(means.items())
        for seed in range(3)
        for image in range(4)
    ]
    return pd.DataFrame(rows, columns=["variant", "seed", "test_set", "image", "psnr_y"])


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
    marks = best_and_second(scores(**means), list(means), "psnr_y")
    assert {name for name, mark in marks.items() if mark == "best"} == best
    assert {name for name, mark in marks.items() if mark == "second"} == second


def test_a_variant_without_scores_has_no_mark() -> None:
    marks = best_and_second(scores(a=0.0, b=0.5), ["a", "b", "c"], "psnr_y")
    assert marks == {"b": "best", "a": "second"}


def test_pairing_is_the_variance_between_seeds_that_it_leaves() -> None:
    """By hand: variances of seeds 0.02 and 0.02 on each image; differences that vary by 0, 0.04 and 0.08."""
    base = np.array([[28.0, 30.0], [28.2, 30.2]])
    alike, unlike = base + 0.1, base[::-1] + 0.1
    assert paired_difference(frame(alike, base), "kernel=relu").pairing == pytest.approx(0)
    assert paired_difference(frame(unlike, base), "kernel=relu").pairing == pytest.approx(2)  # worse than unpaired
    still = np.array([[28.0, 30.0]] * 2)
    assert paired_difference(frame(still, base), "kernel=relu").pairing == pytest.approx(1)  # nothing in common
    assert np.isnan(paired_difference(frame(base[:1], base[:1]), "kernel=relu").pairing)


def test_effects_of_images_are_too_skewed_for_an_interval_only_where_they_are() -> None:
    random = np.random.default_rng(0)
    assert not difference_of(random.normal(0, 1, (3, 100))).too_bold
    assert difference_of(np.exp(1.5 * random.normal(0, 1, (1, 100))).repeat(3, 0)).too_bold
    assert not difference_of(np.zeros((3, 5))).too_bold
    assert not difference_of(np.empty((0, 0))).too_bold
