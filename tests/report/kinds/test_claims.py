"""Verdicts follow from records by their rules."""

from __future__ import annotations

import dataclasses

import numpy as np
import pandas as pd
import pytest

from grla.report.kinds.claims import (
    UNCLEAR,
    Claim,
    better_than_base,
    cheaper_to_train,
    diverging,
    judge_claims,
    latest_by_study,
    no_better_than_base,
    worse_than_base,
)
from grla.report.results import Results
from grla.study import Layout
from tests.shared import ROOT, factor


def results(**effects: float | None) -> Results:
    """A study of 3 seeds and 4 images; `effects` are variants' exact differences to the base in dB, None: diverged."""
    layout = Layout("kernels", "q?", "none", "quick", "one_at_a_time", (factor("k", ("a", *effects), "a"),))
    cells, images = [], []
    noise = np.random.default_rng(0).normal(0, 0.001, (len(effects) + 1, 3, 4))
    for number, (level, effect) in enumerate({"a": 0.0, **effects}.items()):
        variant = "base" if level == "a" else f"k={level}"
        for seed in range(3):
            outcome = "diverged" if effect is None else "ok"
            cost = 100.0 + 10 * number
            cells.append((f"{variant}{seed}", variant, seed, outcome, cost, cost))
            for image in range(4):
                if effect is not None:
                    images.append((variant, seed, "set", str(image), 30 + image + effect + noise[number, seed, image]))
    names = ["cell_hash", "variant", "seed", "outcome", "train_peak_memory_mib", "train_seconds"]
    frame = pd.DataFrame(images, columns=["variant", "seed", "test_set", "image", "psnr_y"])
    base = {"train": {"budget": {"amount": 800.0, "unit": "steps"}}}
    return Results(layout, pd.DataFrame(cells, columns=names), frame, pd.DataFrame(), {"base": base})


@pytest.mark.parametrize(
    ("rule", "effects", "verdict"),
    [
        (worse_than_base("k=b", "k=c"), {"b": -0.2, "c": -0.1}, "supported"),
        (worse_than_base("k=b", "k=c"), {"b": -0.2, "c": 0.0}, UNCLEAR),
        (worse_than_base("k=b", "k=c"), {"b": -0.2, "c": 0.1}, "contradicted"),
        (worse_than_base("k=b", "k=z"), {"b": -0.2}, "not yet run"),
        (worse_than_base("k=b"), {"b": None}, UNCLEAR),
        (better_than_base("k=b"), {"b": 0.1}, "supported"),
        (better_than_base("k=b"), {"b": -0.1}, "contradicted"),
        (better_than_base("k=b"), {"b": 0.0}, UNCLEAR),
        (no_better_than_base("k=b"), {"b": 0.0}, "supported"),
        (no_better_than_base("k=b"), {"b": 0.3}, "contradicted"),
        (diverging("k=b"), {"b": None}, "supported"),
        (diverging("k=b"), {"b": 0.0}, UNCLEAR),
        (diverging("k=b", "k=c"), {"b": None, "c": 0.0}, UNCLEAR),
        (diverging("k=z"), {"b": 0.0}, "not yet run"),
        (cheaper_to_train("k=b", "k=c"), {"b": 0.0, "c": 0.0}, "supported"),
    ],
)
def test_a_verdict_follows_from_the_rule(rule, effects: dict, verdict: str) -> None:
    judgement = rule(results(**effects))
    assert judgement.verdict == verdict
    assert judgement.evidence


def test_the_evidence_gives_the_difference_with_its_interval() -> None:
    words = worse_than_base("k=b")(results(b=-0.2)).evidence
    assert words.startswith("k=b: -0.2")
    assert "[-0.2" in words


def test_that_nothing_diverged_contradicts_only_after_all_of_the_training() -> None:
    quick = results(b=0.0)
    paper = dataclasses.replace(quick, layout=dataclasses.replace(quick.layout, profile="paper"))
    assert diverging("k=b")(paper).verdict == "contradicted"


def test_many_variants_need_a_clearer_difference_than_one() -> None:
    """The verdict is the study's, corrected for all of its comparisons, however few the claim is about."""
    assert worse_than_base("k=b")(results(b=0.004)).verdict == "contradicted"
    among_others = worse_than_base("k=b")(results(b=0.004, **dict.fromkeys("cdefgh", 0.0)))
    assert among_others.verdict == UNCLEAR
    assert "verdicts corrected for 7 comparisons" in among_others.evidence


def test_without_a_storage_nothing_is_judged(tmp_path) -> None:
    claim = Claim("x is better", "table 1", "kernels", "rule", better_than_base("k=b"))
    ledger = judge_claims([claim], latest_by_study(tmp_path / "none.db"))
    assert ledger["verdict"].tolist() == ["not yet run"]


def test_where_there_is_no_storage_the_folders_beside_it_are_judged() -> None:
    reference = ROOT / "results" / "reference"
    latest = latest_by_study(reference / "studies.db")
    assert {"attention", "recall", "recall_photos"} <= set(latest)
    claim = Claim("x", "-", "recall", "rule", better_than_base("kernel=rbf_ridge"))
    (row,) = judge_claims([claim], latest).to_dict("records")
    assert row["verdict"] == "supported"
    assert row["ours"].startswith("recall, quick, 18 cells, 3 seeds, 2000 steps each: ")
