"""The claims beside the studies: they are found by file name, and name variants that their study has."""

from __future__ import annotations

from pathlib import Path

import pytest

from grla.errors import InputError
from grla.study import Claim, load_claims, load_study, study_names, worse_than_base

STUDY = """
from grla.study import Claim, Study, better_than_base, usual_profiles, vary
STUDY = Study("?", "table 1", (vary("depth", "model.depth", 4, 6),), usual_profiles())
"""


@pytest.mark.parametrize("name", study_names())
def test_claims_name_variants_of_their_study_at_the_papers_size(name: str) -> None:
    variants = {cell.variant for cell in load_study(name).cells("paper", {}, seeds=1)}
    for claim in load_claims(name):
        assert claim.rule.variants
        assert set(claim.rule.variants) <= variants, claim.statement
        assert claim.rule.words.startswith("supported if ")
        if claim.small is not None:
            quick = {cell.variant for cell in load_study(name).cells("quick", {}, seeds=1)}
            assert set(claim.small.variants) <= quick
            assert not set(claim.rule.variants) <= quick, "the rule itself can be judged there"


def test_the_paper_and_this_project_make_claims() -> None:
    found = {name: load_claims(name) for name in study_names()}
    assert sum(len(claims) for claims in found.values()) == 17
    assert [claim.paper for claim in found["gamma"]] == [
        "table 4: +0.06 dB on Urban100",
        "table 4",
        "table 4, read otherwise",
    ]
    assert found["attention"] == ()


def test_a_rule_keeps_its_words_and_its_variants() -> None:
    rule = worse_than_base("k=b", "k=c", words="supported if both are worse")
    assert (rule.test, rule.variants, rule.words) == ("worse", ("k=b", "k=c"), "supported if both are worse")


def test_claims_are_read_from_the_file_of_their_study(tmp_path: Path) -> None:
    claims = 'CLAIMS = (Claim("x", "table 1", better_than_base("depth=4", words="supported if better")),)\n'
    (tmp_path / "mine.py").write_text(STUDY + claims)
    (tmp_path / "none.py").write_text(STUDY)
    (tmp_path / "wrong.py").write_text(STUDY + 'CLAIMS = ("x is better",)\n')
    (claim,) = load_claims("mine", tmp_path)
    assert isinstance(claim, Claim)
    assert claim.rule.variants == ("depth=4",)
    assert load_claims("none", tmp_path) == ()
    with pytest.raises(InputError, match=r"wrong\.py: CLAIMS must be a tuple of Claim, got \('x is better',\)"):
        load_claims("wrong", tmp_path)
    with pytest.raises(InputError, match="study must be one of mine, none, wrong, got 'other'"):
        load_claims("other", tmp_path)
