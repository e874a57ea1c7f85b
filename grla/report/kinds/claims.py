"""The ledger of the paper's claims: each judged by a stated rule from the records in a storage, never by hand."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pandas as pd

from grla.report.results import Results, folders_of, load_results, read_rows, stored_studies
from grla.report.statistics.verdicts import Difference
from grla.report.tables import interval

Verdict = Literal["supported", "contradicted", "not distinguishable at this budget", "not yet run"]
UNCLEAR: Verdict = "not distinguishable at this budget"
PROFILES = ("paper", "standard", "quick")  # what counts as evidence, the largest first; smoke does not
NO_GAIN = 0.05  # dB; "no better" is supported only if a larger gain can be excluded


@dataclass(frozen=True)
class Judgement:
    """A verdict and the measured evidence behind it, in words."""

    verdict: Verdict
    evidence: str


@dataclass(frozen=True)
class Claim:
    """A statement of the paper, its evidence there, the study that tests it, and the rule as code and in words."""

    statement: str
    paper: str
    study: str
    rule: str
    judge: Callable[[Results], Judgement]


def worse_than_base(*variants: str) -> Callable[[Results], Judgement]:
    """Supported if every variant is worse than the base (the study's verdicts), contradicted if one is better."""

    def judge(results: Results) -> Judgement:
        found = _differences(results, variants)
        if found is None:
            return _missing(variants)
        verdicts = {difference.verdict for difference in found.values()}
        if "better" in verdicts:
            return Judgement("contradicted", _words(found))
        return Judgement("supported" if verdicts == {"worse"} else UNCLEAR, _words(found))

    return judge


def better_than_base(variant: str) -> Callable[[Results], Judgement]:
    """Supported if the variant is better than the base, contradicted if it is worse."""

    def judge(results: Results) -> Judgement:
        found = _differences(results, [variant])
        if found is None:
            return _missing([variant])
        verdicts: dict[str, Verdict] = {"better": "supported", "worse": "contradicted"}
        return Judgement(verdicts.get(found[variant].verdict, UNCLEAR), _words(found))

    return judge


def no_better_than_base(*variants: str) -> Callable[[Results], Judgement]:
    """Supported if a gain of `NO_GAIN` over the base can be excluded for all, contradicted if one is better.

    Each 95 % interval must exclude it: a rule that needs all of them to hold is no laxer for having many.
    """

    def judge(results: Results) -> Judgement:
        found = _differences(results, variants)
        if found is None:
            return _missing(variants)
        if any(difference.verdict == "better" for difference in found.values()):
            return Judgement("contradicted", _words(found))
        excluded = all(difference.high < NO_GAIN for difference in found.values())
        return Judgement("supported" if excluded else UNCLEAR, _words(found))

    return judge


def diverging(*variants: str) -> Callable[[Results], Judgement]:
    """Supported if every cell of these variants diverged, contradicted if none did in all of the paper's training."""

    def judge(results: Results) -> Judgement:
        cells = results.cells[results.cells["variant"].isin(variants)]
        if set(cells["variant"]) != set(variants):
            return _missing(variants)
        diverged = int((cells["outcome"] == "diverged").sum())
        words = f"{diverged} of {len(cells)} cells diverged ({'; '.join(variants)})"
        if diverged == len(cells):
            return Judgement("supported", words)
        whole = diverged == 0 and results.layout.profile == "paper"
        return Judgement("contradicted" if whole else UNCLEAR, words)

    return judge


def cheaper_to_train(*variants: str) -> Callable[[Results], Judgement]:
    """Supported if the base trains with less memory and in less time than every variant, contradicted if with more."""

    def judge(results: Results) -> Judgement:
        costs = results.cells.groupby("variant")[["train_peak_memory_mib", "train_seconds"]].mean()
        if not set(variants) <= set(costs.index):
            return _missing(variants)
        base = costs.loc["base"]
        less = (costs.loc[list(variants)] > base).all()
        ratios = (costs.loc[list(variants)] / base).round(2)
        words = "; ".join(f"{name}: {m:.2f} x memory, {s:.2f} x time of the base" for name, m, s in ratios.itertuples())
        return Judgement("supported" if less.all() else "contradicted" if not less.any() else UNCLEAR, words)

    return judge


def judge_claims(claims: Iterable[Claim], latest: Mapping[str, Results]) -> pd.DataFrame:
    """A row per claim: statement, paper, rule, ours, verdict; ours names study, profile, cells, seeds and evidence.

    `latest` are the results to judge from by study, as `latest_by_study` finds them.
    """
    rows = []
    for claim in claims:
        results = latest.get(claim.study)
        judgement = claim.judge(results) if results else Judgement("not yet run", f"study {claim.study} has no records")
        where = _where(results) if results and judgement.verdict != "not yet run" else ""
        rows.append((claim.statement, claim.paper, claim.rule, where + judgement.evidence, judgement.verdict))
    return pd.DataFrame(rows, columns=["claim", "paper", "rule", "ours", "verdict"])


def latest_by_study(storage: Path) -> dict[str, Results]:
    """For each study the records of its largest profile, of those the latest run.

    Where there is no storage they are those of the studies' folders beside it.
    """
    if not storage.is_file():
        return _folders_by_study(storage.parent)
    chosen: dict[str, tuple[int, str]] = {}
    for name, definition in stored_studies(storage):  # in order of creation
        if definition["profile"] in PROFILES:
            rank = PROFILES.index(definition["profile"])
            if definition["study"] not in chosen or rank <= chosen[definition["study"]][0]:
                chosen[definition["study"]] = (rank, name)
    return {study: load_results(storage, name) for study, (_, name) in chosen.items()}


def _folders_by_study(root: Path) -> dict[str, Results]:
    found = [read_rows(folder) for folder in folders_of("study", root)]
    evidence = [results for results in found if results.layout.profile in PROFILES]
    evidence.sort(key=lambda results: -PROFILES.index(results.layout.profile))  # the largest last: it stays
    return {results.layout.study: results for results in evidence}


def _differences(results: Results, variants: Sequence[str]) -> dict[str, Difference] | None:
    """Each variant minus the base with the study's corrected verdict, or None when one is not in the study at all."""
    if not set(variants) <= set(results.cells["variant"]):
        return None
    return {variant: results.differences[variant] for variant in variants}


def _missing(variants: Sequence[str]) -> Judgement:
    return Judgement("not yet run", f"no records of {'; '.join(variants)} at a size this can be told from")


def _words(found: dict[str, Difference]) -> str:
    words = "; ".join(f"{variant}: {interval(difference)} dB" for variant, difference in found.items())
    number = max(difference.num_comparisons for difference in found.values())
    return words if number == 1 else f"{words} (95 % intervals each; verdicts corrected for {number} comparisons)"


def _where(results: Results) -> str:
    budget, seeds = results.base["train"]["budget"], results.cells["seed"].nunique()
    amount = f"{budget['amount']:g} {budget['unit']}"
    layout = results.layout
    return f"{layout.study}, {layout.profile}, {len(results.cells)} cells, {seeds} seeds, {amount} each: "
