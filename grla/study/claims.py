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
from grla.study.layout import BASE

NO_GAIN = 0.05
"""dB; "no better" is supported only if a larger gain can be excluded."""
FAR_BELOW = 1.0
"""dB under the baseline; a network that ends there has failed, whether or not its loss became infinite."""
NOISE = 1.05
"""A ratio of training times or of memory within this and its inverse counts as equal."""

Test = Literal["worse", "better", "no better", "diverging", "cheaper to train"]


@dataclass(frozen=True)
class Rule:
    """What must hold of a study's `variants`, by their labels, for a claim to be supported; `words` state the rule.

    `size` is by how many dB at least, where the claim says; `control` are the variants that must not show what the
    others do. The functions below make one each; `grla.report` applies them to a study's results.
    """

    test: Test
    variants: tuple[str, ...]
    words: str
    size: float = 0.0
    control: tuple[str, ...] = (BASE,)


@dataclass(frozen=True)
class Claim:
    """A statement, the paper's evidence for it, and the rule that judges it. The study is that of the file it is in.

    `small` asks the same question of the levels that the small profiles have, where those of `rule` are too large for
    them.
    """

    statement: str
    paper: str
    rule: Rule
    small: Rule | None = None


def worse_than_base(*variants: str, words: str, by: float = 0.0) -> Rule:
    """Supported if every variant is worse than the base (the study's verdicts), contradicted if one is better.

    With `by`, a size in dB, supported only if the intervals leave out every smaller loss, and contradicted if one
    leaves out a loss as large, which is not settled while the base or a variant still rises by more than the study's
    margin.
    """
    return Rule("worse", variants, words, by)


def better_than_base(*variants: str, words: str) -> Rule:
    """Supported if every variant is better than the base, contradicted if one is worse."""
    return Rule("better", variants, words)


def no_better_than_base(*variants: str, words: str) -> Rule:
    """Supported if a gain of NO_GAIN over the base can be excluded for all, contradicted if one is better.

    Nothing is settled while the base or a variant still rises by more than the study's margin.
    """
    return Rule("no better", variants, words)


def diverging(*variants: str, words: str, control: str = BASE) -> Rule:
    """Supported if every cell of these variants failed and none of `control` did, contradicted if none did in paper.

    A cell failed if it diverged, or ended FAR_BELOW under the baseline (bicubic). Nothing is said with a learning rate
    above the paper's, of one seed, or where seeds are missing.
    """
    return Rule("diverging", variants, words, control=(control,))


def cheaper_to_train(*variants: str, words: str) -> Rule:
    """Supported if every variant takes more memory and time than the base, beyond NOISE, contradicted if all less."""
    return Rule("cheaper to train", variants, words)


def load_claims(name: str, folder: Path = ABLATIONS) -> tuple[Claim, ...]:
    """The claims of study `name`, none where its file has no CLAIMS; raises InputError for an unknown study."""
    claims = getattr(load_module("study", folder, name), "CLAIMS", ())
    if not (isinstance(claims, tuple) and all(isinstance(claim, Claim) for claim in claims)):
        raise InputError(f"{name}.py: CLAIMS must be a tuple of Claim, got {claims!r}")
    return claims
