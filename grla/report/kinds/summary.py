"""The page a reader opens first, summary.md: question, how it was measured, tables, and what they cannot tell."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from grla.report.kinds.visibility import limits_markdown, visibility_markdown
from grla.report.published import published_markdown
from grla.report.statistics.verdicts import study_differences
from grla.report.tables import group_table, markdown, number
from grla.study import Layout

COUNTING = """\
How to read the tables: PSNR-Y and SSIM-Y on the Y channel, mean over images, then mean ± sd over seeds. The difference
to the base is paired by image and seed; its 95 % interval (hierarchical bootstrap over seeds and images, corrected for
few of either) covers other seeds and other images of the same kind. Where it covers 0 the two are not distinguishable;
where it does not, they may still not be once the verdict is corrected for all comparisons of the study (Holm).
MACs: every multiply-add. hook_flops: the paper's rule, which leaves out the matrix products inside attention; not
comparable with MACs. FLOPs would be 2 x MACs. Cost columns are means over cells."""

PROBE = """\
The images are a probe: PSNR-Y and MSE (RGB, of [0, 1]) are those of the blanked pixels, "outside" is the rest. The
baselines are exact: "no look" guesses the mean of all values there can be, "mean of values" that of the values
in the image, "LR copied" knows the missing LR pixels and nothing finer. Perfect recall has no error; the others do not
bound what a network of several layers can reach."""


def summary_markdown(
    layout: Layout,
    cells: pd.DataFrame,
    images: pd.DataFrame,
    budget: str,
    notes: Sequence[str] = (),
    published: pd.DataFrame | None = None,
) -> str:
    """The text of summary.md.

    `cells` has a row per cell, `images` a row per image and cell (baselines have no seed), as
    `grla.report.results` makes them. `budget` is a cell's training budget in words; `notes` are further lines on how it
    was measured (machine, size the costs refer to). `published` are the paper's numbers (`load_published`); they make a
    section of their own at the end, never a row beside ours.
    """
    differences = study_differences(layout, images)
    parts = [f"# {layout.study}: {layout.question}", _measured(layout, cells, images, budget, notes), COUNTING]
    if "mse" in images and images["mse"].notna().any():
        parts.append(PROBE)
    for group in layout.groups():
        table = group_table(group, cells, images, differences)
        parts.append(f"## {group.title}\n\n{markdown(table, left=('variant', 'verdict'))}")
    parts += [_unfinished(cells), visibility_markdown(differences), limits_markdown(cells, differences)]
    parts.append("" if published is None else published_markdown(published))
    return "\n\n".join(part for part in parts if part) + "\n"


def _measured(layout: Layout, cells: pd.DataFrame, images: pd.DataFrame, budget: str, notes: Sequence[str]) -> str:
    counts = images.drop_duplicates(["test_set", "image"]).groupby("test_set", sort=False).size()
    sets = ", ".join(f"{name} ({_count(n, 'image')})" for name, n in counts.items())
    finished = int((cells["outcome"] == "ok").sum())
    lines = [
        f"Source: {layout.source}",
        f"Profile: {layout.profile}; budget of every cell: {budget}",
        f"Cells: {finished} of {len(cells)} finished; {_count(cells['seed'].nunique(), 'seed')}",
        f"Test images: {sets}",
        *notes,
    ]
    if layout.design == "panels":
        name = layout.factors[0].name
        lines.append(f"Compare only within one {name}: each {name} has its own base and its own baselines")
    return "\n".join(f"- {line}" for line in lines)


def _unfinished(cells: pd.DataFrame) -> str:
    failed = cells[cells["outcome"] != "ok"]
    if failed.empty:
        return ""
    table = failed[["variant", "seed", "outcome", "steps", "reason"]].rename(columns={"steps": "step"})
    table["step"] = [number(step, ".0f") for step in pd.to_numeric(table["step"])]
    return f"## Cells that did not finish\n\n{markdown(table, left=('variant', 'outcome', 'reason'))}"


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
