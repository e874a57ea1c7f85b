"""The ledger: claims of all studies, judged from the records of a folder."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from grla.provenance import ROOT
from grla.report.kinds import claims
from grla.study import Claim, better_than_base, load_claims, study_names, worse_than_base

REFERENCE = ROOT / "results" / "reference"
SETTLED = {
    "code_version": "abc123",
    "num_tokens": 4096,
    "largest_change_by_phi": 0.0,
    "by_random_weights": 0.1,
}


def test_every_claim_of_every_study_has_a_row_in_the_order_of_the_paper(tmp_path: Path) -> None:
    ledger = claims.ledger(tmp_path)
    assert list(ledger) == ["claim", "paper", "rule", "ours", "verdict"]
    assert set(ledger["verdict"]) == {"not yet run"}
    studied = ledger[2:-2]
    assert studied["ours"].str.extract(r"study (\w+) has no records")[0].unique().tolist() == [
        *("kernels", "key_term", "gamma", "taylor_order", "tla", "channels", "depth", "aggregation", "full_grbfla"),
        *("large", "window_size", "recall", "recall_photos"),
    ]
    stated = {claim.statement: claim.rule.words for name in study_names() for claim in load_claims(name)}
    assert dict(zip(studied["claim"], studied["rule"], strict=True)) == stated
    assert ledger["ours"][0].startswith("needs `run_benchmark.py cost` of gaussian_rbf and an outside model")
    assert ledger["ours"][1] == "needs `claims.py`"
    assert ledger["ours"].tolist()[-2] == "needs `run_benchmark.py scaling`"


def test_the_largest_profile_of_each_study_judges(tmp_path: Path) -> None:
    for name, profile in (
        ("attention-quick", "standard"),
        ("recall-quick", "smoke"),
        ("attention-sets-quick", "quick"),
    ):
        folder = tmp_path / name
        shutil.copytree(REFERENCE / name, folder, ignore=shutil.ignore_patterns("*.png", "*.svg", "tables"))
        asked = json.loads((folder / "study.json").read_text()) | {"profile": profile}
        (folder / "study.json").write_text(json.dumps(asked))
    found = claims.results_by_study(tmp_path)
    assert {name: results.layout.profile for name, results in found.items()} == {"attention": "standard"}


def test_the_evidence_says_where_it_is_from() -> None:
    results = claims.results_by_study(REFERENCE)
    claim = Claim("x", "-", better_than_base("kernel=rbf_ridge", words="rule"))
    found = claims.judged(claim, "recall", results["recall"])
    assert found.verdict == "supported at this budget"
    assert found.evidence.startswith("recall, quick, 105 cells, 3 seeds, 4000 steps each: kernel=rbf_ridge: +14")
    other = Claim("x", "-", better_than_base("kernel=none", words="rule"))
    assert claims.judged(other, "recall", results["recall"]).evidence.startswith("no records of kernel=none")


def test_levels_of_a_small_profile_judge_small_sizes_only() -> None:
    results = claims.results_by_study(REFERENCE)["recall"]
    whole = better_than_base("kernel=none", words="rule")
    for rule, verdict in ((better_than_base, "supported"), (worse_than_base, "contradicted")):
        claim = Claim("x", "-", whole, small=rule("kernel=rbf_ridge", words="against the base"))
        found = claims.judged(claim, "recall", results)
        assert found.verdict == f"{verdict} at small sizes"
        assert "in the range of this profile (against the base): kernel=rbf_ridge: +14" in found.evidence


def test_a_smaller_level_of_the_same_name_judges_small_sizes_only() -> None:
    """GRLA-L has 165 channels, but 48 in quick; full GRBFLA is the same in all profiles."""
    results = claims.results_by_study(REFERENCE)
    (large,) = load_claims("large")
    found = claims.judged(large, "large", results["large"])
    assert found.verdict == "supported at small sizes"
    assert "800 steps each: of smaller levels than the claim's: size=GRLA-L: +0.0" in found.evidence
    (full,) = load_claims("full_grbfla")
    assert claims.judged(full, "full_grbfla", results["full_grbfla"]).verdict.endswith("at this budget")


@pytest.fixture
def ledger(tmp_path: Path) -> Path:
    """A ledger beside one study and what needs no training."""
    root = tmp_path / "results"
    shutil.copytree(REFERENCE / "recall-quick", root / "recall-quick")
    (root / claims.SETTLED).write_text(json.dumps(SETTLED))
    path = root / claims.LEDGER
    claims.write(path)
    return path


def test_a_ledger_is_written_shown_and_checked(ledger: Path) -> None:
    assert claims.folders(ledger.parent) == claims.folders(ledger.parent.parent) == [ledger]
    text = ledger.read_text(encoding="utf-8")
    assert text.startswith("# The paper's claims, judged by the records of this project\n\nA verdict follows")
    assert text.count("\n| ") == 1 + 21
    document = claims.document(ledger)
    titles = [section.title for section in document.sections if section.page]
    assert titles == ["Contradicted", "Not distinguishable at this budget", "Supported at this budget", "Not yet run"]
    assert (
        claims.link(ledger, "claims.html").text
        == "18 not yet run, 1 contradicted, 1 not distinguishable at this budget, 1 supported at this budget"
    )
    assert [fault for fault in claims.faults(ledger) if not fault.startswith("code abc123")] == []
    ledger.write_text(text.replace("| contradicted", "| supported   "), encoding="utf-8")
    assert claims.faults(ledger)[0] == "is not what the records give"


def test_the_reference_ledger_matches_without_torch() -> None:
    """Reports are checked where torch is not installed."""
    code = (
        "import sys, pathlib; from grla.report.kinds import claims; "
        f"print(claims.faults(pathlib.Path({str(REFERENCE / claims.LEDGER)!r})), 'torch' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert (done.stdout, done.stderr) == ("[] False\n", "")
