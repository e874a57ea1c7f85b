"""What the paper claims, as data: a statement, the paper's evidence, and the rule by which records judge it.

A file in `studies/ablations/` exports the claims that its study can judge as CLAIMS, beside its STUDY. The ledger of
claims (`studies/claims.py`) collects them.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from grla.errors import InputError
from grla.study.catalogue import ABLATIONS, load_module

NO_GAIN = 0.05
"""dB; "no better" is supported only if a larger gain can be excluded."""

Test = Literal["worse", "better", "no better", "diverging", "cheaper to train"]


@dataclass(frozen=True)
class Rule:
    """What must hold of a study's `variants`, by their labels, for a claim to be supported; `words` state the rule.

    The functions below make one each; `grla.report` applies them to a study's results.
    """

    test: Test
    variants: tuple[str, ...]
    words: str


@dataclass(frozen=True)
class Claim:
    """A statement, the paper's evidence for it, and the rule that judges it. The study is that of the file it is in."""

    statement: str
    paper: str
    rule: Rule


def worse_than_base(*variants: str, words: str) -> Rule:
    """Supported if every variant is worse than the base (the study's verdicts), contradicted if one is better."""
    return Rule("worse", variants, words)


def better_than_base(*variants: str, words: str) -> Rule:
    """Supported if every variant is better than the base, contradicted if one is worse."""
    return Rule("better", variants, words)


def no_better_than_base(*variants: str, words: str) -> Rule:
    """Supported if a gain of NO_GAIN over the base can be excluded for all, contradicted if one is better."""
    return Rule("no better", variants, words)


def diverging(*variants: str, words: str) -> Rule:
    """Supported if every cell of these variants diverged, contradicted if none did in profile paper."""
    return Rule("diverging", variants, words)


def cheaper_to_train(*variants: str, words: str) -> Rule:
    """Supported if the base trains with less memory and in less time than every variant, contradicted if with more."""
    return Rule("cheaper to train", variants, words)


def load_claims(name: str, folder: Path = ABLATIONS) -> tuple[Claim, ...]:
    """The claims of study `name`, none where its file has no CLAIMS; raises InputError for an unknown study."""
    claims = getattr(load_module("study", folder, name), "CLAIMS", ())
    if not (isinstance(claims, tuple) and all(isinstance(claim, Claim) for claim in claims)):
        raise InputError(f"{name}.py: CLAIMS must be a tuple of Claim, got {claims!r}")
    return claims
