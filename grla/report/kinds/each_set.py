"""Differences and equality on each test set alone: what holds over all images may rest on the largest set."""

from __future__ import annotations

from dataclasses import replace

import pandas as pd

from grla.report.document import Table, Text
from grla.report.results import Results
from grla.report.tables import interval, within
from grla.study import Group

ALONE = """\
Each test set judged alone: the difference to the base with its 95 % interval, and whether the two are equal, corrected
for the comparisons on that set and not for the number of sets. What still rises is told by validation images alone."""


def by_test_set(results: Results) -> dict[str, Results]:
    """The same results for each test set, with its images alone; empty unless there are several."""
    images = results.images
    names = list(dict.fromkeys(images["test_set"]))
    return {name: replace(results, images=images[images["test_set"] == name]) for name in names if len(names) > 1}


def each_set_blocks(results: Results) -> dict[str, tuple[Text, Table]]:
    """By a group's title its table, a row per variant but the base: difference and equality on each test set.

    Verdicts of equality are at the study's level, corrected for the comparisons on that test set.
    """
    parts = by_test_set(results)
    groups = results.layout.groups() if parts else ()
    return {group.title: (Text(ALONE), _table(group, parts, within(results.layout.margin))) for group in groups}


def _table(group: Group, parts: dict[str, Results], equal: str) -> Table:
    rows = []
    for label, variant in group.rows:
        if variant == group.base:
            continue
        row: dict[str, object] = {"variant": label}
        for name, part in parts.items():
            if variant in part.differences:
                row |= {f"{name} dB": interval(part.differences[variant])}
                row |= {f"{name}: {equal}": part.equivalences.get(variant)}
        rows.append(row)
    words = ("variant", *(f"{name}: {equal}" for name in parts))
    return Table(pd.DataFrame(rows, dtype=object), left=words)
