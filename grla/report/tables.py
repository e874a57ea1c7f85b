"""The tables of a study, one per group of variants: quality, difference to the base, cost, with all number formats."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from grla.report.document import EMPTY, Marks, Number, Strong, Table
from grla.report.results import Results
from grla.report.statistics.verdicts import Difference, best_and_second
from grla.study import COSTS as RECORD_COSTS
from grla.study import VALIDATION_PSNR, Group, Layout, Shown

FAILURES = {"diverged": "diverged", "out_of_memory": "ran out of memory", "error": "failed"}
# column of the images frame -> (column heading, format); columns without any value are left out
METRICS = {"ssim_y": ("SSIM-Y", ".4f"), "mse": ("MSE (RGB)", ".4f"), "psnr_y_outside": ("PSNR-Y outside dB", ".2f")}

MARKED = "Bold: the best, underlined: the second best; what cannot be told from them at 95 percent shares the mark."
DIFFERENCE = "difference to base dB"
DOUBLED = "gain of last doubling dB"
GAIN = ("copies", "alone")  # test sets of the self-similarity probe: what a network gains from the copies

STEPS_TIME = Shown("s per 1000 steps", 1.0, ".1f")
COSTS = {shown.heading: (column, shown) for column, shown in RECORD_COSTS.items()}
COSTS[STEPS_TIME.heading] = ("seconds_per_1000_steps", STEPS_TIME)
"""By heading, the column of the cells frame and how it is shown."""


def decibel(by_seed: pd.Series[float]) -> Number:
    """Mean and sd (n - 1) of one value in dB per seed; with one seed the mean alone. NaN is not counted."""
    return Number(float(by_seed.mean()), ".3f", float(by_seed.std()))


def interval(difference: Difference) -> Number:
    """Mean and interval in dB, for instance "+0.012 [-0.035, +0.059]"."""
    mean = np.nan if difference.verdict == "not compared" else difference.mean
    return Number(mean, "+.3f", interval=(difference.low, difference.high))


def verdict(difference: Difference) -> str | Strong:
    """The verdict in words; "better" and "worse" stand out unless they are about one seed only.

    Where the interval alone would say more than the corrected verdict, the text says that too.
    """
    if difference.lost_to_correction:
        looks = f" at {difference.num_looks} looks" if difference.num_looks > 1 else ""
        return f"not distinguishable (corrected for {difference.num_comparisons} comparisons{looks})"
    if difference.verdict not in ("better", "worse"):
        return difference.verdict
    if difference.num_seeds == 1:
        return f"{difference.verdict} on this seed (seeds not sampled)"
    return Strong(difference.verdict)


def within(margin: float) -> str:
    """The heading of what is said of equality with the base."""
    return f"equal within {margin:g} dB"


def steps_to(threshold: float, curves: pd.DataFrame, cells: pd.DataFrame) -> Number | str:
    """The median over cells of the first validated step with at least `threshold` dB of PSNR-Y."""
    mine = curves[curves["cell_hash"].isin(cells["cell_hash"])]
    reached = mine[pd.to_numeric(mine[VALIDATION_PSNR]) >= threshold].groupby("cell_hash")["step"].min()
    steps = np.sort([*reached, *[np.inf] * (len(cells) - len(reached))])
    middle = float(steps[len(steps) // 2]) if len(steps) else np.inf
    return Number(middle, ".0f") if np.isfinite(middle) else f"not reached ({len(reached)} of {len(cells)} cells)"


def outcomes(cells: pd.DataFrame) -> str:
    """Cells that did not finish, in words: "1 of 2 diverged at step 120"; "" if all did."""
    if cells.empty:
        return "not run yet"
    words = []
    for outcome, failed in cells[cells["outcome"] != "ok"].groupby("outcome", sort=False):
        where = ", ".join(f"{step:.0f}" for step in failed["steps"].dropna())
        at = f" at step{'s' if ',' in where else ''} {where}" if where else ""
        words.append(f"{len(failed)} of {len(cells)} {FAILURES.get(str(outcome), str(outcome))}{at}")
    return "; ".join(words)


def trained_rows(images: pd.DataFrame) -> pd.DataFrame:
    """The rows of `images` that come from a cell: baselines have no seed."""
    rows: pd.DataFrame = images[images["seed"].notna()]
    return rows


def baseline_rows(images: pd.DataFrame, group: Group) -> pd.DataFrame:
    """The baselines' rows of `images` on the test images of the group's base.

    Where the base has no image the group's other variants tell which these are; where none has, there must be only one
    kind, or no row is returned.
    """
    baselines = images[images["seed"].isna()]
    variants = [[group.base], [variant for _, variant in group.rows]]
    kinds = pd.concat([images.loc[images["variant"].isin(names), "test_images"] for names in variants]).head(1)
    if kinds.empty and baselines["test_images"].nunique() == 1:
        kinds = baselines["test_images"]
    rows: pd.DataFrame = baselines[baselines["test_images"].isin(kinds)]
    return rows


def study_tables(results: Results) -> list[tuple[Group, Table]]:
    """Each group of a study with its table, whose parts are quality and costs."""
    found = []
    for group in results.layout.groups():
        frame = group_table(group, results)
        caption = f"{results.layout.study}, {group.title}"
        words = ("variant", "verdict", within(results.layout.margin))
        parts = _parts(frame, table_marks(group, results.images), caption, words)
        file = re.sub(r"[^\w.]+", "-", group.title).strip("-")
        found.append((group, Table(frame, caption, words, file=file, parts=parts)))
    return found


def _parts(frame: pd.DataFrame, marks: Marks, caption: str, words: tuple[str, ...]) -> tuple[Table, Table]:
    """The columns of quality and those of cost, each with the variants; the costs without rows that have none.

    A page is not wide enough for more: what all rows have in common is left out.
    """
    costs = frame[["variant", *(name for name in COSTS if name in frame)]]
    known = costs.iloc[:, 1:].map(lambda cell: cell is not None and str(cell) != EMPTY).any(axis=1)
    told = [name for name in ("seeds", "images") if frame[name].nunique() <= 1]
    quality = frame.drop(columns=[*costs.columns[1:], *told])  # numbers that are the same in all rows are in the method
    return (
        Table(quality, f"{caption}: quality. {MARKED}", words, marks),
        Table(costs[known], f"{caption}: costs.", ("variant",)),
    )


def table_marks(group: Group, images: pd.DataFrame) -> Marks:
    """The best and the second best of a group, ties counted as ties: in PSNR-Y, also by test set, and in SSIM-Y."""
    mine = images[images["variant"].isin([variant for _, variant in group.rows])]
    sets = list(dict.fromkeys(mine["test_set"]))
    columns = {"PSNR-Y dB": (mine, "psnr_y"), METRICS["ssim_y"][0]: (mine, "ssim_y")}
    if len(sets) > 1:
        columns |= {f"{name} dB": (mine[mine["test_set"] == name], "psnr_y") for name in sets}
    names = {variant: group.name(label, variant) for label, variant in group.rows}
    return {
        (names[variant], column): mark
        for column, (rows, metric) in columns.items()
        if rows[metric].notna().any()
        for variant, mark in best_and_second(rows, list(names), metric).items()
    }


def group_table(group: Group, results: Results) -> pd.DataFrame:
    """The values of a group's table: the baselines, then a row per level.

    PSNR-Y and SSIM-Y are means over images, then over seeds; with several test sets each also has its PSNR-Y column.
    A variant without a finished cell keeps its row and says what became of it.
    """
    cells, images, differences = results.cells, results.images, results.differences
    sets = list(dict.fromkeys(images["test_set"]))
    baselines = baseline_rows(images, group).assign(seed=0)
    names = images.loc[images["seed"].isna(), "variant"].unique()
    rows: list[dict[str, object]] = [
        {"variant": name, **_quality(baselines[baselines["variant"] == name], sets)} for name in names
    ]
    for label, variant in group.rows:
        mine = cells[cells["variant"] == variant]
        scores = images[images["variant"] == variant]
        row: dict[str, object] = {"variant": group.name(label, variant), "seeds": scores["seed"].nunique()}
        if results.layout.rates:
            row["learning rate"] = Number(_rate(results.layout, variant), "g")
        row["images"] = len(scores.dropna(subset=["psnr_y"])[["test_set", "image"]].drop_duplicates())
        row |= _quality(scores, sets)
        for name in names[:1]:
            row[f"over {name} dB"] = Number(_gain(scores, baselines[baselines["variant"] == name]), "+.3f")
        row |= _comparison(differences.get(variant), outcomes(mine))
        row[within(results.layout.margin)] = results.equivalences.get(variant)
        if results.layout.threshold is not None:
            row[f"steps to {results.layout.threshold:g} dB"] = steps_to(results.layout.threshold, results.curves, mine)
        if "gain_db" in mine:
            row[DOUBLED] = replace(decibel(pd.to_numeric(mine["gain_db"])), format="+.3f")
        rows.append(row | _costs(mine))
    columns = list(dict.fromkeys(column for row in reversed(rows) for column in row))
    known = {column for row in rows for column, cell in row.items() if str(cell) != EMPTY}
    optional = {heading for heading, _ in METRICS.values()} | {DOUBLED}
    shown = [column for column in columns if column in known or column not in optional]
    return pd.DataFrame([[row.get(column) for column in shown] for row in rows], columns=shown, dtype=object)


def _rate(layout: Layout, variant: str) -> float:
    (row,) = (row for row in layout.rows() if layout.variant(row) == variant)
    return layout.rates.get(layout.rated_as(row), np.nan)


def _quality(scores: pd.DataFrame, sets: list[str]) -> dict[str, Number]:
    cells = {"PSNR-Y dB": decibel(_by_seed(scores, "psnr_y"))}
    if len(sets) > 1:
        cells |= {f"{name} dB": decibel(_by_seed(scores[scores["test_set"] == name], "psnr_y")) for name in sets}
    if {*GAIN} <= set(sets):
        copies, alone = (_by_seed(scores[scores["test_set"] == name], "psnr_y") for name in GAIN)
        cells["gain dB"] = decibel(copies - alone)
    known = {metric: shown for metric, shown in METRICS.items() if metric in scores}
    return cells | {name: Number(_by_seed(scores, metric).mean(), form) for metric, (name, form) in known.items()}


def _gain(scores: pd.DataFrame, baseline: pd.DataFrame) -> float:
    """Mean PSNR-Y over the baseline's, over the images where both have one, then over seeds."""
    key = ["test_set", "image"]
    theirs = pd.Series(baseline["psnr_y"].astype(float).to_numpy(), pd.MultiIndex.from_frame(baseline[key]))
    both = scores.assign(theirs=theirs.reindex(pd.MultiIndex.from_frame(scores[key])).to_numpy())
    both = both.dropna(subset=["psnr_y", "theirs"])
    return float((_by_seed(both, "psnr_y") - _by_seed(both, "theirs")).mean())


def _by_seed(scores: pd.DataFrame, metric: str) -> pd.Series[float]:
    """The mean over images, for each seed."""
    return scores[metric].astype(float).groupby(scores["seed"]).mean()


def _comparison(difference: Difference | None, failures: str) -> dict[str, object]:
    """Difference and verdict; None stands for the base itself."""
    if difference is None:
        return {DIFFERENCE: Number(np.nan, "", interval=(np.nan, np.nan)), "verdict": failures or None}
    found = verdict(difference)
    if failures:
        found = replace(found, rest=f"; {failures}") if isinstance(found, Strong) else f"{found}; {failures}"
    return {DIFFERENCE: interval(difference), "verdict": found}


def _costs(cells: pd.DataFrame) -> dict[str, Number]:
    """Means over the cells that have the cost, finished or not: counts are known even where training failed.

    Rows of older runs may lack a column, and their tables lack it, too.
    """
    steps = pd.to_numeric(cells["steps"])
    cells = cells.assign(seconds_per_1000_steps=1000 * pd.to_numeric(cells["train_seconds"]) / steps.where(steps > 0))
    return {
        heading: Number(pd.to_numeric(cells[column]).mean() * shown.factor, shown.format)
        for heading, (column, shown) in COSTS.items()
        if column in cells
    }


def provenance_table(about: Mapping[str, Any], further: Mapping[str, object]) -> Table:
    """How and where a record was made, from its provenance.json; `further` comes after the protocol."""
    run: dict[str, object] = {"command": about["command_line"], "protocol": about["protocol"], **further}
    run |= {f"machine: {name}": value or "none" for name, value in about["machine"].items()}
    run |= {"packages": ", ".join(f"{name} {version}" for name, version in about["packages"].items())}
    run |= {f"checksum of {name}": value for name, value in about.get("image_checksums", {}).items()}
    names = ["what", "value"]
    return Table(pd.DataFrame(run.items(), columns=names), "How and where it was run.", left=names)


def batches(data: Mapping[str, Any]) -> str:
    """The batches of a data spec in words, those of later stages included."""
    later = [f", {number} of {side}x{side} from step {step} on" for step, side, number in data.get("stages", [])]
    side = data["patch_size"]
    return f"{data['batch_size']} patches of {side}x{side} LR pixels{''.join(later)}"
