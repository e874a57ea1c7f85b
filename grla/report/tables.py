"""One table per group of variants: quality, difference to the base, cost. All number formats live here."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from grla.report.statistics.verdicts import Difference, Spread, spread_over_seeds
from grla.study import COSTS as RECORD_COSTS
from grla.study import Group, Shown

EMPTY = "-"
FAILURES = {"diverged": "diverged", "out_of_memory": "ran out of memory", "error": "failed"}
# column of the images frame -> (column heading, format); those that nothing has are left out
METRICS = {"ssim_y": ("SSIM-Y", ".4f"), "mse": ("MSE (RGB)", ".4f"), "psnr_y_outside": ("PSNR-Y outside dB", ".2f")}

GAIN = ("copies", "alone")  # test sets of the self-similarity probe: what a network gains from the copies

STEPS_TIME = Shown("s per 1000 steps", 1.0, ".1f")
COSTS = {shown.heading: (column, shown) for column, shown in RECORD_COSTS.items()}
COSTS[STEPS_TIME.heading] = ("seconds_per_1000_steps", STEPS_TIME)
"""By heading, the column of the cells frame and how it is shown."""


def number(value: float, spec: str) -> str:
    """`value` in a format such as ".2f" or "+.3f"; "-" where nothing was measured."""
    return format(value, spec) if np.isfinite(value) else EMPTY


def decibel(spread: Spread) -> str:
    """Mean +- sd over seeds in dB; with one seed the mean alone."""
    return number(spread.mean, ".3f") + (f" ± {spread.sd:.3f}" if np.isfinite(spread.sd) else "")


def interval(difference: Difference) -> str:
    """Mean and interval in dB, for instance "+0.012 [-0.035, +0.059]"."""
    if difference.verdict == "not compared":
        return EMPTY
    if not np.isfinite(difference.low):
        return f"{difference.mean:+.3f}"
    return f"{difference.mean:+.3f} [{difference.low:+.3f}, {difference.high:+.3f}]"


def verdict(difference: Difference) -> str:
    """The verdict, in bold where it is one; from one seed it is about that seed only, never bold, and says so.

    Where the interval alone would say more than the corrected verdict, that is said too.
    """
    if difference.lost_to_correction:
        looks = f" at {difference.num_looks} looks" if difference.num_looks > 1 else ""
        return f"not distinguishable (corrected for {difference.num_comparisons} comparisons{looks})"
    if difference.verdict not in ("better", "worse"):
        return difference.verdict
    if difference.num_seeds == 1:
        return f"{difference.verdict} on this seed (seeds not sampled)"
    return f"**{difference.verdict}**"


def markdown(table: pd.DataFrame, left: Collection[str]) -> str:
    """`table` as a Markdown table, the columns named in `left` aligned left, the others right."""
    # A bar or a line break inside a cell (an error's message) would tear the table.
    clean = table.map(lambda cell: " ".join(str(cell).split()).replace("|", "\\|"))
    alignment = ["left" if column in left else "right" for column in table.columns]
    return str(clean.to_markdown(index=False, disable_numparse=True, colalign=alignment))


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


def group_table(
    group: Group, cells: pd.DataFrame, images: pd.DataFrame, differences: Mapping[str, Difference]
) -> pd.DataFrame:
    """The text table of a group: the baselines, then a row per level; needs the frames of `grla.report.results`.

    PSNR-Y and SSIM-Y are means over images, then over seeds; with several test sets each also has its PSNR-Y column.
    A variant without a finished cell keeps its row and says what became of it.
    """
    sets = list(dict.fromkeys(images["test_set"]))
    baselines = baseline_rows(images, group).assign(seed=0)
    names = images.loc[images["seed"].isna(), "variant"].unique()
    rows = [{"variant": name, **_quality(baselines[baselines["variant"] == name], sets)} for name in names]
    reference = baselines.loc[baselines["variant"].isin(names[:1]), "psnr_y"].mean()
    for label, variant in group.rows:
        mine = cells[cells["variant"] == variant]
        scores = images[images["variant"] == variant]
        row = {"variant": group.name(label, variant), "seeds": str(scores["seed"].nunique())}
        row["images"] = str(len(scores[["test_set", "image"]].drop_duplicates()))
        row |= _quality(scores, sets)
        for name in names[:1]:
            gain = scores.groupby("seed")["psnr_y"].mean().mean() - reference
            row[f"over {name} dB"] = number(gain, "+.3f")
        row |= _comparison(differences.get(variant), outcomes(mine))
        rows.append(row | _costs(mine))
    columns = list(dict.fromkeys(column for row in reversed(rows) for column in row))
    table = pd.DataFrame(rows, columns=columns).fillna(EMPTY)
    optional = [heading for heading, _ in METRICS.values() if heading in table]
    return table.drop(columns=[heading for heading in optional if (table[heading] == EMPTY).all()])


def _quality(scores: pd.DataFrame, sets: list[str]) -> dict[str, str]:
    cells = {"PSNR-Y dB": decibel(_spread(scores, "psnr_y"))}
    if len(sets) > 1:
        cells |= {f"{name} dB": decibel(_spread(scores[scores["test_set"] == name], "psnr_y")) for name in sets}
    if {*GAIN} <= set(sets):
        by_set = [scores[scores["test_set"] == name].groupby("seed")["psnr_y"].mean() for name in GAIN]
        cells["gain dB"] = decibel(spread_over_seeds(by_set[0] - by_set[1]))
    means = {metric: _spread(scores, metric).mean for metric in METRICS if metric in scores}
    return cells | {METRICS[metric][0]: number(mean, METRICS[metric][1]) for metric, mean in means.items()}


def _spread(scores: pd.DataFrame, metric: str) -> Spread:
    return spread_over_seeds(scores.assign(**{metric: scores[metric].astype(float)}).groupby("seed")[metric].mean())


def _comparison(difference: Difference | None, failures: str) -> dict[str, str]:
    """Difference and verdict; None stands for the base itself."""
    found = verdict(difference) if difference else ""
    words = [word for word in (found, failures) if word]
    return {
        "difference to base dB [95 %]": interval(difference) if difference else EMPTY,
        "verdict": "; ".join(words) or EMPTY,
    }


def _costs(cells: pd.DataFrame) -> dict[str, str]:
    """Means over the cells that have the cost, finished or not: counts are known even where training failed."""
    steps = pd.to_numeric(cells["steps"])
    cells = cells.assign(seconds_per_1000_steps=1000 * pd.to_numeric(cells["train_seconds"]) / steps.where(steps > 0))
    return {
        heading: number(pd.to_numeric(cells[column]).mean() * shown.factor, shown.format)
        for heading, (column, shown) in COSTS.items()
    }
