"""The main effects of a study that is a grid, as a section of its report."""

from __future__ import annotations

import pandas as pd

from grla.report.document import Number, Section, Table, Text
from grla.report.results import Results
from grla.report.statistics.main_effects import MainEffect, main_effects
from grla.report.tables import interval, verdict

EXPLAINED = """\
What each factor does by itself: the mean difference over all pairs of variants that differ in this factor alone, paired
by image and seed, with its 95 % interval, and the least and the most of a single pair. Where these lie far apart the
factors interact, and the mean is of this grid only. Verdicts are corrected for the main effects, not for the
comparisons of single variants above."""
WORDS = ("factor", "level", "against", "verdict")


def main_effects_section(results: Results) -> Section:
    """A row per factor and level but the base's; empty where the study is no grid."""
    found = main_effects(results.layout, results.images)
    caption = "Means over all pairs that differ in one factor alone."
    table = Table(pd.DataFrame(list(map(_row, found))), caption, WORDS, file="main-effects")
    return Section("Main effects", (Text(EXPLAINED), table) if found else ())


def _row(effect: MainEffect) -> dict[str, object]:
    return {
        "factor": effect.factor,
        "level": effect.level,
        "against": effect.base,
        "difference dB": interval(effect.difference),
        "verdict": verdict(effect.difference),
        "least of a pair dB": Number(effect.lowest, "+.3f"),
        "most of a pair dB": Number(effect.highest, "+.3f"),
        "pairs": effect.num_pairs,
    }
