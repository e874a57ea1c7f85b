"""What changed between two records of one study without any chance in it: counts, outcomes, and what was lost.

What the second record has beyond the first is no change.
"""

from __future__ import annotations

from collections.abc import Iterable

import pandas as pd

COUNTS = ("num_params", "macs", "hook_flops", "elementwise_ops", "num_features")
PLACE = ["test_set", "image"]
SHOWN = 3


def variant_changes(before: pd.DataFrame, after: pd.DataFrame, variant: str) -> list[str]:
    """Which counts and outcomes of a variant changed, in words; `before` and `after` have a row per cell."""
    mine, theirs = (cells[cells["variant"] == variant].set_index("seed") for cells in (before, after))
    if not len(mine):
        return []
    if not len(theirs):
        return ["the second has no cell of it"]
    seeds = mine.index.intersection(theirs.index)
    if not len(seeds):
        return ["no seed in common, so nothing was compared"]
    words = []
    for column in COUNTS:
        first, second = (_mean(cells.loc[seeds], column) for cells in (mine, theirs))
        if pd.notna(first) and first != second:
            words.append(f"{column} {first:,.0f} -> {'none' if pd.isna(second) else format(second, ',.0f')}")
    outcomes = [(seed, mine.loc[seed, "outcome"], theirs.loc[seed, "outcome"]) for seed in seeds]
    return words + [f"seed {seed} {first} -> {second}" for seed, first, second in outcomes if first != second]


def lost_scores(before: pd.DataFrame, after: pd.DataFrame, variant: str, seeds: Iterable[object]) -> list[str]:
    """That images which the variant was scored on with `seeds` have no score any more; a row per cell and image."""
    parts = (rows[(rows["variant"] == variant) & rows["seed"].isin(list(seeds))] for rows in (before, after))
    mine, theirs = (_scores(rows, ["seed", *PLACE]) for rows in parts)
    return _lost(mine, theirs)


def baseline_changes(before: pd.DataFrame, after: pd.DataFrame) -> dict[str, list[str]]:
    """By baseline (bicubic, say), that its scores of the same images changed: then scoring did; and which are lost."""
    frames = [rows[rows["seed"].isna()] for rows in (before, after)]
    found = {}
    for name in frames[0]["variant"].unique():
        mine, theirs = (_scores(rows[rows["variant"] == name], ["test_images", *PLACE]) for rows in frames)
        gap = (theirs - mine).abs().max()
        changed = [f"PSNR-Y of an image changed by up to {gap:.3g} dB"] if gap > 0 else []
        found[str(name)] = changed + _lost(mine, theirs)
    return found


def _mean(cells: pd.DataFrame, column: str) -> float:
    return float(pd.to_numeric(cells[column]).mean()) if column in cells else float("nan")


def _scores(rows: pd.DataFrame, place: list[str]) -> pd.Series[float]:
    return rows.set_index(place)["psnr_y"].astype(float).dropna()


def _lost(mine: pd.Series[float], theirs: pd.Series[float]) -> list[str]:
    """Which images have a score in the first alone, in words."""
    images = ["/".join(map(str, place[-2:])) for place in mine.index.difference(theirs.index)]
    names = list(dict.fromkeys(images))
    if not names:
        return []
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return [f"no score any more of {', '.join(names[:SHOWN])}{more}"]
