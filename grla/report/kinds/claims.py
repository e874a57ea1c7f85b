"""The ledger of the paper's claims: each judged by a stated rule from records, never by hand.

The claims about quality lie beside their studies (`grla.study.load_claims`); here are those that no study judges. A
ledger is the file claims.md among the records it is judged from.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from grla.files import write_text
from grla.report.document import Document, Link, Section, Table, Text
from grla.report.kinds.judgements import (
    AT_SMALL_SIZES,
    NOT_YET_RUN,
    Judgement,
    Record,
    faster_than_swinir,
    fewer_flops,
    judge,
    key_weight_matters,
    memory_is_linear,
)
from grla.report.published import published_studies
from grla.report.results import Results, folders_of, read_json, study_results
from grla.report.verify import code_faults
from grla.study import Changes, Claim, load_claims, load_study, study_names

TITLE = "Claims"
HEADING = "The paper's claims, judged by the records of this project"
NOTE = (
    "A verdict follows from the rule beside it. Profiles below `paper` are small budgets: what they leave open is not "
    "refuted, and what they show may change with training."
)
LEDGER, SETTLED = "claims.md", "settled.json"
COLUMNS = ["claim", "paper", "rule", "ours", "verdict"]
PROFILES = ("quick", "standard", "paper")
"""The profiles that count as evidence, the largest last; smoke does not."""


class RecordClaim(NamedTuple):
    """A claim that a record judges: the first file below a folder of results that one of `places` matches."""

    statement: str
    paper: str
    rule: str
    judge: Callable[[Record | None], Judgement]
    places: tuple[str, ...]


SETTLED_CLAIMS = (
    RecordClaim(
        "GRLA needs 11 % fewer FLOPs than SwinIR-light",
        "table 3: 56.5 G against 63.6 G",
        "supported if GRLA's MACs, every product counted as SwinIR-light's are, lie 11 % or more below SwinIR-light's, "
        "else contradicted",
        fewer_flops,
        ("benchmark/cost.json", "benchmark/*/cost.json"),
    ),
    RecordClaim(
        "phi(K) is needed with normalised keys",
        "section 3 and table 2",
        "supported if phi(K) changes any output by more than 1e-9 when keys have unit length; contradicted if it does "
        "not, and random weights do",
        key_weight_matters,
        (SETTLED,),
    ),
)
"""The claims that need no training."""
BENCHMARK_CLAIMS = (
    RecordClaim(
        "Memory grows linearly with the number of tokens",
        "section 3",
        "supported if the memory of GRBF attention grows with an exponent of at most 1.05",
        memory_is_linear,
        ("benchmark/scaling.json",),
    ),
    RecordClaim(
        "3.5 times faster than SwinIR-light",
        "table 10: 60.9 ms against 213.4 ms on an RTX 2080 Ti",
        "supported if SwinIR-light takes at least 3.5 times as long on a GPU, timed in turns; contradicted if less",
        faster_than_swinir,
        ("benchmark/latency.json", "benchmark/*/latency.json"),
    ),
)


def folders(root: Path) -> list[Path]:
    """The ledgers at `root` and one below it, as paths of their files."""
    return sorted(path for depth in ("", "*/") for path in root.glob(depth + LEDGER))


def write(path: Path) -> None:
    """Write the ledger at `path` from the records beside it."""
    write_text(path, document(path).markdown())


def document(path: Path) -> Document:
    """The ledger at `path`, judged now from the records beside it; a page has the claims that were not run last."""
    found = ledger(path.parent)
    verdicts = sorted(found["verdict"].unique(), key=lambda verdict: (verdict == NOT_YET_RUN, verdict))
    parts = [(str(name), found[found["verdict"] == name]) for name in verdicts]
    whole = Section("Claims", (Text(NOTE), Table(found, left=COLUMNS)), page=False)
    sections = [
        Section(name.capitalize(), (Table(rows, "Claims, rules and evidence.", left=COLUMNS),), summary=False)
        for name, rows in parts
    ]
    return Document(HEADING, NOTE.replace("`", ""), (whole, *sections), HEADING)


def link(path: Path, address: str) -> Link:
    """A ledger's line in an index."""
    verdicts = ledger(path.parent)["verdict"].value_counts()
    return Link(address, HEADING, ", ".join(f"{number} {verdict}" for verdict, number in verdicts.items()))


def faults(path: Path) -> list[str]:
    """Whether a ledger is what the records beside it give today, and whose code settled what needs no training."""
    settled = path.with_name(SETTLED)
    found = code_faults({read_json(settled)["code_version"]}) if settled.is_file() else []
    same = path.read_text(encoding="utf-8") == document(path).markdown()
    return found if same else ["is not what the records give", *found]


def ledger(root: Path) -> pd.DataFrame:
    """The ledger from the records at and below `root`: claim, paper, rule, ours (evidence), verdict."""
    rows = [*_unstudied(root, SETTLED_CLAIMS), *_studied(root), *_unstudied(root, BENCHMARK_CLAIMS)]
    return pd.DataFrame(rows, columns=COLUMNS)


def results_by_study(root: Path) -> dict[str, Results]:
    """Each study's results of its largest profile, of those the ones in the last folder by name."""
    found = [study_results(folder) for folder in folders_of("study", root)]
    evidence = [results for results in found if results.layout.profile in PROFILES]
    evidence.sort(key=lambda results: PROFILES.index(results.layout.profile))
    return {results.layout.study: results for results in evidence}


def judged(claim: Claim, study: str, results: Results | None) -> Judgement:
    """A claim judged by the `results` of its `study`; the evidence names profile, cells, seeds and budget."""
    if results is None:
        return Judgement(NOT_YET_RUN, f"study {study} has no records")
    found, range_asked = judge(claim.rule, results), ""
    if _of_other_levels(results, study):
        range_asked = "of smaller levels than the claim's: "
        found = replace(found, verdict=AT_SMALL_SIZES.get(found.verdict, found.verdict))
    if found.verdict == NOT_YET_RUN and claim.small is not None:
        small, range_asked = judge(claim.small, results), f"in the range of this profile ({claim.small.words}): "
        found = replace(small, verdict=AT_SMALL_SIZES.get(small.verdict, small.verdict))
    where = "" if found.verdict == NOT_YET_RUN else _where(results) + range_asked
    return Judgement(found.verdict, where + found.evidence)


def _studied(root: Path) -> Sequence[tuple[str, ...]]:
    """The claims of all studies, in the order of the paper; those of studies that are not in it come last."""
    results = results_by_study(root)
    studies = dict.fromkeys([*published_studies(), *study_names()])
    claims = [(claim, judged(claim, study, results.get(study))) for study in studies for claim in load_claims(study)]
    return [(one.statement, one.paper, one.rule.words, found.evidence, found.verdict) for one, found in claims]


def _unstudied(root: Path, claims: tuple[RecordClaim, ...]) -> Sequence[tuple[str, ...]]:
    """The claims that one record below `root` judges."""
    rows = []
    for claim in claims:
        paths = [path for place in claim.places for path in sorted(root.glob(place))]
        found = claim.judge(read_json(paths[0]) if paths else None)
        rows.append((claim.statement, claim.paper, claim.rule, found.evidence, found.verdict))
    return rows


def _of_other_levels(results: Results, study: str) -> bool:
    """Whether a level changes something else than the one that has its name in the study's own file.

    So it is where a small profile has a smaller network of that name.
    """
    own = {factor.name: factor.levels for factor in load_study(study).factors}
    for factor in results.layout.factors:
        levels = own.get(factor.name, {})
        # Records of the first format do not say what a level changes.
        known = [label for label, changes in factor.levels.items() if changes and label in levels]
        if any(_plain(factor.levels[label]) != _plain(levels[label]) for label in known):
            return True
    return False


def _plain(changes: Changes) -> str:
    return json.dumps(changes, sort_keys=True)


def _where(results: Results) -> str:
    budget, seeds = results.base["train"]["budget"], results.cells["seed"].nunique()
    amount, layout = f"{budget['amount']:g} {budget['unit']}", results.layout
    return f"{layout.study}, {layout.profile}, {len(results.cells)} cells, {seeds} seeds, {amount} each: "
