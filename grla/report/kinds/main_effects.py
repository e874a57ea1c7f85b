"""What each factor of a study that is a grid does, in all of it and in parts of it, as a section of its report."""

from __future__ import annotations

import pandas as pd

from grla.report.document import Number, Section, Table, Text
from grla.report.results import Results
from grla.report.statistics.main_effects import MainEffect, effects_within, main_effects
from grla.report.statistics.verdicts import SKEWED
from grla.report.tables import interval, verdict

EXPLAINED = """\
What each factor does by itself: the mean difference over all pairs of variants that differ in this factor alone, paired
by image and seed, with its 95 % interval, and the least and the most of a single pair. Where these lie far apart the
factors interact, and the mean is of this grid only. Verdicts are corrected for the main effects, not for the
comparisons of single variants above."""
WITHIN = """\
And what each does at one level of another factor, with verdicts corrected for the number of these: where a factor's
rows differ, what it is worth depends on the other."""
WORDS = ("factor", "level", "against", "where", "verdict")


def main_effects_section(results: Results) -> Section:
    """A row per factor and level but the base's; empty where the study is no grid."""
    whole, parts = (find(results.layout, results.images) for find in (main_effects, effects_within))
    blocks: list[Text | Table] = []
    for words, found, file in ((EXPLAINED, whole, "main-effects"), (WITHIN, parts, "effects-within")):
        if found:
            caption = f"Means over all pairs{' there' * (found is parts)} that differ in one factor alone."
            rows = pd.DataFrame(list(map(_row, found)))
            blocks += [Text(words + _bold(found)), Table(rows, caption, WORDS, file=file)]
    return Section("Main effects", tuple(blocks))


def _bold(effects: list[MainEffect]) -> str:
    """That intervals are too narrow, where some are."""
    bold = [f"{one.factor}={one.level}{_place(one)}" for one in effects if one.difference.too_bold]
    named = "; ".join(bold)
    return f" A few images dominate (skewness above {SKEWED:g}), so intervals are too narrow: {named}." if bold else ""


def _place(effect: MainEffect) -> str:
    return f" where {effect.within}" if effect.within else ""


def _row(effect: MainEffect) -> dict[str, object]:
    return {
        "factor": effect.factor,
        "level": effect.level,
        "against": effect.base,
        **({"where": effect.within} if effect.within else {}),
        "difference dB": interval(effect.difference),
        "verdict": verdict(effect.difference),
        "least of a pair dB": Number(effect.lowest, "+.3f"),
        "most of a pair dB": Number(effect.highest, "+.3f"),
        "pairs": effect.num_pairs,
    }
