"""Did scores, counts or times change between two sets of results, of two commits or machines?

Scores are paired by variant, seed and image, and judged as a study judges its variants, with verdicts corrected over
all variants of all studies that both sets have (`grla.report.statistics.verdicts`). Counts and outcomes are compared
exactly. Latency and memory are measured once for each variant, so the ratio is judged over all variants of a study
together, against `MARGIN`: two runs on one machine may find it in another state.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd

from grla.errors import InputError
from grla.report.document import Number, Table
from grla.report.results import Results
from grla.report.sets import Key, StudyRecord, asked_differently, studies_in
from grla.report.statistics.equivalence import equivalence, gains_by_variant
from grla.report.statistics.verdicts import Difference, corrected, paired_difference
from grla.report.tables import decibel, interval, verdict, within

BEFORE, AFTER = "before", "after"
COUNTS = ("num_params", "macs", "hook_flops", "elementwise_ops", "num_features")
MEASURED = ("latency_ms", "peak_memory_mib")
MARGIN = 0.1
"""Times and memory count as changed where the interval of their ratio lies beyond a factor of 1 + MARGIN."""
EQUAL = "equal to the last bit"


@dataclass(frozen=True)
class Comparison:
    """One study in two sets: `differences` of scores (second minus first) and what changed of counts, by variant.

    `equal` are the variants whose scores are equal to the last bit. `ratios` holds, by column of MEASURED, the mean
    logarithm of second over first. `notes` say what sets the two records apart, and what cannot be compared.
    """

    title: str
    before: StudyRecord
    after: StudyRecord
    differences: Mapping[str, Difference]
    equal: frozenset[str]
    counts: Mapping[str, str]
    ratios: Mapping[str, Difference]
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
        return [f"{self.title}: {line}" for line in (*scored, *counted, *timed)]

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
            row |= {"before dB": _level(self.before, variant), "after dB": _level(self.after, variant)}
            row |= {"difference dB": interval(found), "verdict": EQUAL if same else verdict(found)}
            row[within(margin)] = EQUAL if same else equivalence(found, margin, known, AFTER)
            rows.append(row | {"counts and outcomes": self.counts.get(variant) or "equal"})
        return Table(
            pd.DataFrame(rows, dtype=object), left=("variant", "verdict", within(margin), "counts and outcomes")
        )


def compare_sets(first: Path, second: Path) -> list[Comparison]:
    """The comparisons of all studies that both folders hold; what only one of them holds is among the first's notes.

    Raises InputError where they have none in common, and as `studies_in` does.
    """
    before, after = studies_in(first), studies_in(second)
    common = [key for key in before if key in after]
    alone = [f"only in {root}: {words}" for root, words in _alone({first: before, second: after})]
    if not common:
        raise InputError(f"{first} and {second} have no study in common; {'; '.join(alone)}")
    found = [_compare(before[key], after[key]) for key in common]
    found[0] = replace(found[0], notes=(*alone, *found[0].notes))
    return _corrected(found)


def ratio(found: Difference) -> Number:
    """The ratio that a difference of logarithms stands for, with its interval."""
    return Number(float(np.exp(found.mean)), ".3f", interval=(float(np.exp(found.low)), float(np.exp(found.high))))


def ratio_verdict(found: Difference) -> str:
    """Whether a ratio is beyond MARGIN or within it, in the words of tests of equivalence."""
    most = np.log1p(MARGIN)
    if found.low > most or found.high < -most:
        return "different"
    return "equivalent" if -most < found.low and found.high < most else "open"


def _compare(before: StudyRecord, after: StudyRecord) -> Comparison:
    mine, theirs = before.results, after.results
    names = [set(one.cells["variant"]) for one in (mine, theirs)]
    variants = [name for name in theirs.layout.variants() if name in names[0] & names[1]]
    differences = {name: _difference(mine.images, theirs.images, name) for name in variants}
    counts = {name: _counts(mine.cells, theirs.cells, name) for name in variants} | _baselines(mine, theirs)
    alone = [f"only in one of the two: {', '.join(sorted(names[0] ^ names[1]))}"] if names[0] ^ names[1] else []
    return Comparison(
        after.title,
        before,
        after,
        differences,
        frozenset(name for name, found in differences.items() if found.pairs.size and not found.pairs.any()),
        counts,
        {column: found for column in MEASURED if (found := _ratio(mine.cells, theirs.cells, column)).num_images},
        (*_versions(before, after), *alone, *asked_differently(before, after)),
    )


def _difference(before: pd.DataFrame, after: pd.DataFrame, variant: str) -> Difference:
    """The second set's scores of a variant minus the first's, of the seeds and images that both have."""
    parts = {BEFORE: before, AFTER: after}
    rows = [frame[frame["variant"] == variant].assign(variant=name) for name, frame in parts.items()]
    return paired_difference(pd.concat(rows), AFTER, BEFORE)


def _ratio(before: pd.DataFrame, after: pd.DataFrame, column: str) -> Difference:
    """The logarithm of a measured column's ratio, paired by seed and variant as scores are by seed and image."""
    rows = []
    for name, cells in {BEFORE: before, AFTER: after}.items():
        values = pd.to_numeric(cells[column]) if column in cells else pd.Series(np.nan, cells.index)
        logarithms = np.log(values.where(values > 0))
        rows.append(cells.assign(test_set="", image=cells["variant"], variant=name, value=logarithms))
    return paired_difference(pd.concat(rows), AFTER, BEFORE, "value")


def _counts(before: pd.DataFrame, after: pd.DataFrame, variant: str) -> str:
    """Which counts and outcomes of a variant's common seeds changed, in words, "" if none; not what one lacks."""
    mine, theirs = (cells[cells["variant"] == variant].set_index("seed") for cells in (before, after))
    seeds = mine.index.intersection(theirs.index)
    words = []
    for column in COUNTS if len(seeds) else ():
        if column in mine and column in theirs:
            first, second = (pd.to_numeric(cells.loc[seeds, column]).mean() for cells in (mine, theirs))
            if first != second and not np.isnan([first, second]).any():
                words.append(f"{column} {first:,.0f} -> {second:,.0f}")
    outcomes = [(seed, mine.loc[seed, "outcome"], theirs.loc[seed, "outcome"]) for seed in seeds]
    words += [f"seed {seed} {first} -> {second}" for seed, first, second in outcomes if first != second]
    return "; ".join(words)


def _baselines(before: Results, after: Results) -> dict[str, str]:
    """By baseline (bicubic, say), that its scores of the same images changed: then scoring did."""
    place = ["variant", "test_images", "test_set", "image"]
    frames = (one.images[one.images["seed"].isna()].set_index(place) for one in (before, after))
    mine, theirs = (frame["psnr_y"].astype(float) for frame in frames)
    gaps = (theirs - mine).abs().dropna().groupby("variant").max()
    return {str(name): f"PSNR-Y of an image changed by up to {gap:.3g} dB" for name, gap in gaps.items() if gap > 0}


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


def _level(record: StudyRecord, variant: str) -> Number:
    rows = record.results.images
    mine = rows[rows["variant"] == variant]
    return decibel(mine["psnr_y"].astype(float).groupby(mine["seed"]).mean())
