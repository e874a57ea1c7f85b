"""One table per group of variants: quality, difference to the base, cost. All number formats live here."""

from __future__ import annotations

from collections.abc import Collection, Mapping

import numpy as np
import pandas as pd

from grla.report.layout import BICUBIC, Group
from grla.report.statistics import Difference, Spread, spread_over_seeds

EMPTY = "-"
FAILURES = {"diverged": "diverged", "out_of_memory": "ran out of memory", "error": "failed"}

# column heading -> (column of the cells frame, factor to the heading's unit, format)
COSTS = {
    "params K": ("num_params", 1e-3, ".1f"),
    "MACs G": ("macs", 1e-9, ".2f"),
    "hook_flops G": ("hook_flops", 1e-9, ".2f"),
    "latency ms": ("latency_ms", 1.0, ".1f"),
    "memory MiB": ("peak_memory_mib", 1.0, ".0f"),
    "train MiB": ("train_peak_memory_mib", 1.0, ".0f"),
    "train s": ("train_seconds", 1.0, ".0f"),
}


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
    """The verdict, in bold where it is one; from one seed it is about that seed only, never bold, and says so."""
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


def bicubic_rows(images: pd.DataFrame, group: Group) -> pd.DataFrame:
    """The bicubic baseline's rows of `images` at the upscale of the group's base.

    Where the base has no image the group's other variants tell the upscale; where none has, there must be only one, or
    no row is returned.
    """
    bicubic = images[images["variant"] == BICUBIC]
    variants = [[group.base], [variant for _, variant in group.rows]]
    upscales = pd.concat([images.loc[images["variant"].isin(names), "upscale"] for names in variants]).head(1)
    if upscales.empty and bicubic["upscale"].nunique() == 1:
        upscales = bicubic["upscale"]
    rows: pd.DataFrame = bicubic[bicubic["upscale"].isin(upscales)]
    return rows


def group_table(
    group: Group, cells: pd.DataFrame, images: pd.DataFrame, differences: Mapping[str, Difference]
) -> pd.DataFrame:
    """The text table of a group: bicubic first, then a row per level; needs the frames of `grla.report.load`.

    PSNR-Y and SSIM-Y are means over images, then over seeds; with several test sets each also has its PSNR-Y column.
    A variant without a finished cell keeps its row and says what became of it.
    """
    sets = list(dict.fromkeys(images["test_set"]))
    bicubic = bicubic_rows(images, group)
    rows = [{"variant": BICUBIC, **_quality(bicubic.assign(seed=0), sets)}]
    for label, variant in group.rows:
        mine = cells[cells["variant"] == variant]
        scores = images[images["variant"] == variant]
        row = {"variant": group.name(label, variant), "seeds": str(scores["seed"].nunique())}
        gain = scores.groupby("seed")["psnr_y"].mean().mean() - bicubic["psnr_y"].mean()
        row |= {**_quality(scores, sets), "over bicubic dB": number(gain, "+.3f")}
        row |= _comparison(differences.get(variant), outcomes(mine))
        rows.append(row | _costs(mine))
    columns = list(dict.fromkeys(column for row in reversed(rows) for column in row))
    return pd.DataFrame(rows, columns=columns).fillna(EMPTY)


def _quality(scores: pd.DataFrame, sets: list[str]) -> dict[str, str]:
    cells = {"PSNR-Y dB": decibel(_spread(scores, "psnr_y"))}
    if len(sets) > 1:
        cells |= {f"{name} dB": decibel(_spread(scores[scores["test_set"] == name], "psnr_y")) for name in sets}
    return cells | {"SSIM-Y": number(_spread(scores, "ssim_y").mean, ".4f")}


def _spread(scores: pd.DataFrame, metric: str) -> Spread:
    return spread_over_seeds(scores.groupby("seed")[metric].mean())


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
    return {
        heading: number(pd.to_numeric(cells[column]).mean() * factor, spec)
        for heading, (column, factor, spec) in COSTS.items()
    }
