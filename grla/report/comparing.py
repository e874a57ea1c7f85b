"""Did scores, counts or times change between two sets of results, of two commits or machines?

Scores are paired by variant, seed and image, and judged as a study judges its variants, with verdicts corrected over
all variants of all studies that both sets have (`grla.report.statistics.verdicts`). Counts and outcomes are compared
exactly, and what the second set lost is a change (`grla.report.exact_changes`). Latency and memory are measured once
for each variant, whatever its seeds, so the ratio is judged over all variants of a study together, against `MARGIN`:
two runs on one machine may find it in another state. One variant alone is named only beyond `FAR`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from grla.errors import InputError
from grla.report.document import Number, Table
from grla.report.exact_changes import baseline_changes, lost_scores, variant_changes
from grla.report.results import Results
from grla.report.sets import Key, StudyRecord, asked_differently, studies_in
from grla.report.statistics.equivalence import equivalence, gains_by_variant
from grla.report.statistics.verdicts import Difference, corrected, difference_of, paired_difference, paired_values
from grla.report.tables import decibel, interval, verdict, within

BEFORE, AFTER = "before", "after"
MEASURED = ("latency_ms", "peak_memory_mib")
MARGIN = 0.1
"""Times and memory count as changed where the interval of their ratio lies beyond a factor of 1 + MARGIN."""
LEAST_VARIANTS = 3
"""Of fewer variants nothing is said of times and memory together."""
FAR = 1.5
"""A single variant's time or memory is named where it changed by more than this factor."""
EQUAL = "equal to the last bit"


@dataclass(frozen=True)
class Comparison:
    """One study in two sets: `differences` of scores (second minus first) and what changed of counts, by variant.

    `equal` are the variants whose scores are equal to the last bit. `levels` are the means in dB of the first and the
    second, over the seeds and images that `differences` come from. `ratios` holds, by column of MEASURED, the mean
    logarithm of second over first, a value per variant, and `far` the variants beyond FAR in words. `notes` say what
    sets the two records apart, and what cannot be compared.
    """

    title: str
    before: StudyRecord
    after: StudyRecord
    differences: Mapping[str, Difference]
    equal: frozenset[str]
    levels: Mapping[str, tuple[Number, Number]]
    counts: Mapping[str, str]
    ratios: Mapping[str, Difference]
    far: tuple[str, ...]
    notes: tuple[str, ...]

    def changed(self) -> list[str]:
        """What changed, one line each; nothing where all is equal or not distinguishable."""
        scored = [
            f"{variant}: PSNR-Y is {found.verdict}, {interval(found)} dB"
            for variant, found in self.differences.items()
            if found.verdict in ("better", "worse")
        ]
        counted = [f"{variant}: {words}" for variant, words in self.counts.items() if words]
        timed = [
            f"{column}: {ratio_verdict(found)}, {ratio(found)} times"
            for column, found in self.ratios.items()
            if ratio_verdict(found) == "different"
        ]
        return [f"{self.title}: {line}" for line in (*scored, *counted, *timed, *self.far)]

    def markdown(self) -> str:
        """The comparison as text: notes, a table of variants, and the ratios of times and memory."""
        lines = [
            f"- {column}: {ratio(found)} times, {ratio_verdict(found)} (within {MARGIN:.0%}; {_variants(found)})"
            for column, found in self.ratios.items()
        ]
        notes = [f"- {note}" for note in self.notes]
        parts = [f"## {self.title}", "\n".join(notes), self._table().markdown(), "\n".join(lines)]
        return "\n\n".join(part for part in parts if part)

    def _table(self) -> Table:
        margin = self.after.results.layout.margin
        gains = [gains_by_variant(record.results.cells) for record in (self.before, self.after)]
        rows = []
        for variant, found in self.differences.items():
            known = {name: own[variant] for name, own in zip((BEFORE, AFTER), gains, strict=True) if variant in own}
            same = variant in self.equal
            row: dict[str, object] = {"variant": variant, "seeds": found.num_seeds, "images": found.num_images}
            row |= dict(zip(("before dB", "after dB"), self.levels[variant], strict=True))
            row |= {"difference dB": interval(found), "verdict": EQUAL if same else verdict(found)}
            if found.pairs.size:
                row[within(margin)] = EQUAL if same else equivalence(found, margin, known, AFTER)
            rows.append(row | {"counts and outcomes": self.counts.get(variant) or "equal"})
        return Table(
            pd.DataFrame(rows, dtype=object), left=("variant", "verdict", within(margin), "counts and outcomes")
        )


def compare_sets(first: Path, second: Path) -> list[Comparison]:
    """The comparisons of all studies that both folders hold; what only one of them holds is among the first's notes.

    Raises InputError where they have none in common, or no score that can be paired, and as `studies_in` does.
    """
    before, after = studies_in(first), studies_in(second)
    common = [key for key in before if key in after]
    alone = [f"only in {root}: {words}" for root, words in _alone({first: before, second: after})]
    if not common:
        raise InputError(f"{first} and {second} have no study in common; {'; '.join(alone)}")
    found = [_compare(before[key], after[key]) for key in common]
    if not any(one.pairs.size for comparison in found for one in comparison.differences.values()):
        lines = [line for comparison in found for line in comparison.changed()]
        raise InputError("\n  ".join([f"{first} and {second} have no variant, seed and image in common", *lines]))
    found[0] = replace(found[0], notes=(*alone, *found[0].notes))
    return _corrected(found)


def ratio(found: Difference) -> Number:
    """The ratio that a difference of logarithms stands for, with its interval."""
    return Number(float(np.exp(found.mean)), ".3f", interval=(float(np.exp(found.low)), float(np.exp(found.high))))


def ratio_verdict(found: Difference) -> str:
    """Whether a ratio is beyond MARGIN or within it, in the words of tests of equivalence, or of too few variants."""
    if found.num_images < LEAST_VARIANTS:
        return "not judged: too few"
    most = np.log1p(MARGIN)
    if found.low > most or found.high < -most:
        return "different"
    return "equivalent" if -most < found.low and found.high < most else "open"


def _compare(before: StudyRecord, after: StudyRecord) -> Comparison:
    mine, theirs = before.results, after.results
    names = [set(one.cells["variant"]) for one in (mine, theirs)]
    variants = [name for name in theirs.layout.variants() if name in names[0] & names[1]]
    pairs = {name: _side_by_side(mine.images, theirs.images, name) for name in variants}
    differences = {name: paired_difference(rows, AFTER, BEFORE) for name, rows in pairs.items()}
    lines = {name: _exact_changes(mine, theirs, name) for name in mine.layout.variants()}
    lines |= baseline_changes(mine.images, theirs.images)
    alone = [f"only in one of the two: {', '.join(sorted(names[0] ^ names[1]))}"] if names[0] ^ names[1] else []
    logarithms = {column: _logarithms(mine.cells, theirs.cells, column) for column in MEASURED}
    return Comparison(
        after.title,
        before,
        after,
        differences,
        frozenset(name for name, found in differences.items() if found.pairs.size and not found.pairs.any()),
        {name: _levels(rows) for name, rows in pairs.items()},
        {name: "; ".join(words) for name, words in lines.items()},
        {name: difference_of(np.array([own], np.float64)) for name, own in logarithms.items() if len(own)},
        tuple(line for column, own in logarithms.items() for line in _far(own, column)),
        (*_versions(before, after), *alone, *asked_differently(before, after)),
    )


def _side_by_side(before: pd.DataFrame, after: pd.DataFrame, variant: str) -> pd.DataFrame:
    """The rows of a variant in both sets, as those of two variants, BEFORE and AFTER."""
    parts = {BEFORE: before, AFTER: after}
    return pd.concat([frame[frame["variant"] == variant].assign(variant=name) for name, frame in parts.items()])


def _levels(rows: pd.DataFrame) -> tuple[Number, Number]:
    """The means before and after, of what both have."""
    after, before = (decibel(pd.Series(one.mean(axis=1))) for one in paired_values(rows, AFTER, BEFORE, "psnr_y"))
    return before, after


def _exact_changes(before: Results, after: Results, variant: str) -> list[str]:
    """What changed exactly of a variant: counts, outcomes, and images of common seeds that lost their scores."""
    seeds = [set(one.cells.loc[one.cells["variant"] == variant, "seed"]) for one in (before, after)]
    lost = lost_scores(before.images, after.images, variant, seeds[0] & seeds[1])
    return variant_changes(before.cells, after.cells, variant) + lost


def _logarithms(before: pd.DataFrame, after: pd.DataFrame, column: str) -> pd.Series[float]:
    """By variant, the logarithm of a measured column's ratio; cells of several seeds hold copies of one value."""
    first, second = (_positive(cells, column) for cells in (before, after))
    ratios = (second / first).dropna()
    return pd.Series(np.log(ratios), ratios.index)


def _positive(cells: pd.DataFrame, column: str) -> pd.Series[float]:
    """By variant, the median of a column's positive values over its cells."""
    values = pd.to_numeric(cells[column]) if column in cells else pd.Series(np.nan, cells.index)
    return values.where(values > 0).groupby(cells["variant"]).median()


def _far(logarithms: pd.Series[float], column: str) -> list[str]:
    """The variants beyond FAR, in words."""
    far = logarithms[logarithms.abs() > np.log(FAR)]
    return [f"{variant}: {column} is {np.exp(value):.2f} times what it was" for variant, value in far.items()]


def _corrected(found: list[Comparison]) -> list[Comparison]:
    """The comparisons with verdicts that hold together, over all variants of all studies."""
    every = {f"{one.title}: {name}": own for one in found for name, own in one.differences.items()}
    judged = corrected(every, max(one.after.results.layout.num_looks for one in found))
    return [
        replace(one, differences={name: judged[f"{one.title}: {name}"] for name in one.differences}) for one in found
    ]


def _versions(before: StudyRecord, after: StudyRecord) -> list[str]:
    """The code and the processors of both records."""
    codes = [", ".join(sorted(set(record.results.cells["code_version"]))) for record in (before, after)]
    machines = [record.about["machine"] for record in (before, after)]
    processors = [f"{one['gpu'] or one['processor']}, torch_threads {one['torch_threads']}" for one in machines]
    return [f"code: {codes[0]} and {codes[1]}", f"measured on: {processors[0]} and {processors[1]}"]


def _alone(sets: Mapping[Path, Mapping[Key, StudyRecord]]) -> list[tuple[Path, str]]:
    """The studies that one set has alone, in words, with the folder of the set."""
    common = set.intersection(*(set(one) for one in sets.values()))
    return [(root, record.title) for root, one in sets.items() for key, record in one.items() if key not in common]


def _variants(found: Difference) -> str:
    return f"{found.num_images} variant{'s' if found.num_images > 1 else ''}"
