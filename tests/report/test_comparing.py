"""What changed between two sets of results is told from chance, and named."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from grla.errors import InputError
from grla.report import compare_sets
from grla.report.comparing import Comparison
from tests.shared.commands import call

REFERENCE = Path(__file__).parents[2] / "results" / "reference"
NAME = "recall-photos-quick"
VARIANT = "kernel=uniform"


@pytest.fixture
def changed(tmp_path: Path) -> Callable[[str, Callable[[pd.DataFrame], pd.DataFrame]], Path]:
    """Makes a copy of a reference study in which a file's rows are changed."""

    def make(name: str, how: Callable[[pd.DataFrame], pd.DataFrame]) -> Path:
        folder = tmp_path / "after"
        if not folder.exists():
            shutil.copytree(REFERENCE / NAME, folder / NAME)
        path = folder / NAME / f"{name}.csv"
        how(pd.read_csv(path, keep_default_na=True)).to_csv(path, index=False)
        return folder

    return make


def compare(after: Path) -> Comparison:
    (found,) = compare_sets(REFERENCE / NAME, after)
    return found


def added(column: str, value: object, variant: str | None = VARIANT) -> Callable[[pd.DataFrame], pd.DataFrame]:
    """Adds to a column of a variant's rows, or of all that have a seed."""

    def how(rows: pd.DataFrame) -> pd.DataFrame:
        meant = rows["seed"].notna() if variant is None else rows["variant"] == variant
        return rows.assign(**{column: rows[column] + np.where(meant, value, 0)})

    return how


def test_equal_sets_have_not_changed() -> None:
    found = compare(REFERENCE / NAME)
    assert found.changed() == []
    others = {"base", "kernel=softmax", "kernel=rbf_ridge", "kernel=random_features"}
    assert found.equal == set(found.differences) == {*others, VARIANT}
    assert "equal to the last bit" in found.markdown()
    assert "latency_ms: 1.000 [1.000, 1.000] times, equivalent" in found.markdown()


def test_a_change_beyond_chance_is_named_with_its_interval(changed: Callable[..., Path]) -> None:
    found = compare(changed("images", added("psnr_y", -0.05)))
    assert found.changed() == [f"{found.title}: {VARIANT}: PSNR-Y is worse, -0.050 [-0.050, -0.050] dB"]
    assert found.differences[VARIANT].num_comparisons == 5
    assert (found.differences[VARIANT].num_seeds, found.differences[VARIANT].num_images) == (3, 19)


def test_noise_is_not_a_change_but_is_not_equal_either(changed: Callable[..., Path]) -> None:
    rows = len(pd.read_csv(REFERENCE / NAME / "images.csv"))
    found = compare(changed("images", added("psnr_y", np.random.default_rng(1).normal(0, 0.05, rows), None)))
    assert found.changed() == []
    assert not found.equal
    assert {one.verdict for one in found.differences.values()} == {"not distinguishable"}


def test_counts_outcomes_and_baselines_are_compared_exactly(changed: Callable[..., Path]) -> None:
    changed("cells", added("macs", 1000))
    changed("cells", lambda rows: rows.assign(outcome=["diverged", *rows["outcome"][1:]]))
    found = compare(changed("images", added("psnr_y", 1e-9, "bicubic")))
    lines = [line.removeprefix(f"{found.title}: ") for line in found.changed()]
    assert lines[0] == "base: seed 0 ok -> diverged"
    assert lines[1].startswith(f"{VARIANT}: macs ")
    assert lines[2] == "bicubic: PSNR-Y of an image changed by up to 1e-09 dB"
    assert len(lines) == 3
    assert "seed 0 ok -> diverged" in found.markdown()


@pytest.mark.parametrize(
    ("factor", "lines"), [(1.05, 0), (1.4, 1), (0.7, 1)], ids=["within the margin", "slower", "faster"]
)
def test_times_count_where_their_ratio_is_beyond_the_margin(
    changed: Callable[..., Path], factor: float, lines: int
) -> None:
    found = compare(changed("cells", lambda rows: rows.assign(latency_ms=rows["latency_ms"] * factor)))
    assert np.exp(found.ratios["latency_ms"].mean) == pytest.approx(factor)
    assert (
        found.changed()
        == [f"{found.title}: latency_ms: different, {factor:.3f} [{factor:.3f}, {factor:.3f}] times"] * lines
    )


def test_a_variant_that_is_gone_is_a_change_and_fewer_seeds_are_not(changed: Callable[..., Path]) -> None:
    for name in ("cells", "images", "curves"):
        folder = changed(name, lambda rows: rows[(rows["seed"] != 2) & (rows["variant"] != VARIANT)])
    found = compare(folder)
    assert found.changed() == [f"{found.title}: {VARIANT}: the second has no cell of it"]
    assert f"only in one of the two: {VARIANT}" in found.notes
    assert {one.num_seeds for one in found.differences.values()} == {2}


def test_a_variant_that_is_new_is_not_a_change(changed: Callable[..., Path]) -> None:
    for name in ("cells", "images", "curves"):
        folder = changed(name, lambda rows: rows[rows["variant"] != VARIANT])
    (found,) = compare_sets(folder, REFERENCE / NAME)
    assert found.changed() == []
    assert f"only in one of the two: {VARIANT}" in found.notes


def other_seeds(rows: pd.DataFrame) -> pd.DataFrame:
    return rows.assign(seed=rows["seed"] + np.where(rows["variant"] == VARIANT, 100, 0))


def test_what_has_no_seed_in_common_is_a_change(changed: Callable[..., Path]) -> None:
    changed("cells", other_seeds)
    found = compare(changed("images", other_seeds))
    assert found.changed() == [f"{found.title}: {VARIANT}: no seed in common, so nothing was compared"]


def test_counts_and_scores_that_are_lost_are_changes(changed: Callable[..., Path]) -> None:
    changed("cells", lambda rows: rows.assign(macs=rows["macs"].where(rows["variant"] != VARIANT)))
    gone = lambda rows: (rows["image"] == "baby") & rows["variant"].isin(["base", "bicubic"])  # noqa: E731
    found = compare(changed("images", lambda rows: rows[~gone(rows)]))
    lines = [line.removeprefix(f"{found.title}: ") for line in found.changed()]
    assert lines[0] == "base: no score any more of Set5/baby"
    assert lines[1].startswith(f"{VARIANT}: macs ")
    assert lines[1].endswith(" -> none")
    assert lines[2:] == ["bicubic: no score any more of Set5/baby"]


def test_without_a_pair_nothing_is_compared(changed: Callable[..., Path]) -> None:
    for name in ("cells", "images", "curves"):
        folder = changed(name, lambda rows: rows.assign(seed=rows["seed"] + 100))
    with pytest.raises(InputError, match=r"have no variant, seed and image in common\n.*base: no seed in common"):
        compare(folder)


def test_before_and_after_are_of_what_both_have(changed: Callable[..., Path]) -> None:
    found = compare(changed("images", lambda rows: rows[(rows["seed"] != 2) & (rows["image"] != "baby")]))
    assert {one.num_images for one in found.differences.values()} == {18}
    assert found.equal == set(found.levels)
    assert all(before == after for before, after in found.levels.values())


def test_times_are_one_value_for_each_variant(changed: Callable[..., Path]) -> None:
    noise = dict(zip(compare(REFERENCE / NAME).levels, (1.3, 0.9, 1.2, 1.1, 1.25), strict=True))
    found = compare(
        changed("cells", lambda rows: rows.assign(latency_ms=rows["latency_ms"] * rows["variant"].map(noise)))
    )
    assert found.ratios["latency_ms"].num_seeds == 1
    assert found.changed() == []


def test_few_variants_are_not_judged_and_a_large_factor_is_named(changed: Callable[..., Path]) -> None:
    for name in ("cells", "images", "curves"):
        changed(name, lambda rows: rows[rows["variant"].isin(["base", VARIANT, "bicubic"])])
    two = changed("cells", lambda rows: rows)
    shutil.copytree(two, two.parent / "before")
    after = changed("cells", lambda rows: rows.assign(latency_ms=rows["latency_ms"] * 1.4))
    (found,) = compare_sets(two.parent / "before", after)
    assert found.changed() == []
    assert "not judged: too few" in found.markdown()
    after = changed("cells", added("latency_ms", 1e3))
    (found,) = compare_sets(two.parent / "before", after)
    (line,) = found.changed()
    assert line.startswith(f"{found.title}: {VARIANT}: latency_ms is ")


def test_what_differs_in_the_question_is_a_note(changed: Callable[..., Path]) -> None:
    path = changed("cells", lambda rows: rows) / NAME / "study.json"
    path.write_text(path.read_text().replace('"amount": 4000', '"amount": 8000'))
    assert "base.train.budget.amount: 4000 and 8000" in compare(path.parents[1]).notes


def test_the_command_tells_a_change_by_its_status(changed: Callable[..., Path], tmp_path: Path) -> None:
    shown = call("report.py", "compare", REFERENCE / NAME, REFERENCE)
    assert "Nothing changed that can be told from chance." in shown
    assert f"only in {REFERENCE}: attention, quick, tested on bundled" in shown
    after = changed("images", added("psnr_y", 0.05))
    shown = call("report.py", "compare", REFERENCE / NAME, after, code=1)
    assert f"{VARIANT}: PSNR-Y is better, +0.050" in shown
    shown = call("report.py", "compare", REFERENCE / "attention-quick", after, code=1)
    assert "have no study in common" in shown
    shown = call("report.py", "merge", REFERENCE / NAME, REFERENCE / "shipped-quick", "--out", tmp_path / "c")
    assert str(tmp_path / "c") in shown
    shown = call("report.py", "merge", REFERENCE / NAME, after, "--out", tmp_path / "c", code=1)
    assert "error: --out must be a folder that is empty" in shown


def test_nothing_in_common_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="have no study in common"):
        compare_sets(REFERENCE / NAME, REFERENCE / "attention-quick")
