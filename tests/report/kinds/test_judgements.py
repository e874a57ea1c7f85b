"""Verdicts follow from records by their rules."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest

from grla.report.kinds.judgements import (
    UNCLEAR,
    faster_than_swinir,
    fewer_flops,
    judge,
    key_weight_matters,
    memory_is_linear,
)
from grla.report.results import Results
from grla.study import (
    Layout,
    better_than_base,
    cheaper_to_train,
    diverging,
    no_better_than_base,
    worse_than_base,
)
from tests.report.records import ABOUT, latency_record
from tests.shared import factor


def results(noise_sd: float = 0.001, **effects: float | None) -> Results:
    """A study of 3 seeds and 4 images; `effects` are variants' true differences to the base in dB, None: diverged."""
    layout = Layout("kernels", "q?", "none", "quick", "one_at_a_time", (factor("k", ("a", *effects), "a"),))
    cells, images = [], []
    noise = np.random.default_rng(0).normal(0, noise_sd, (len(effects) + 1, 3, 4))
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
    ("rule", "variants", "effects", "verdict"),
    [
        (worse_than_base, ("k=b", "k=c"), {"b": -0.2, "c": -0.1}, "supported"),
        (worse_than_base, ("k=b", "k=c"), {"b": -0.2, "c": 0.0}, UNCLEAR),
        (worse_than_base, ("k=b", "k=c"), {"b": -0.2, "c": 0.1}, "contradicted"),
        (worse_than_base, ("k=b", "k=z"), {"b": -0.2}, "not yet run"),
        (worse_than_base, ("k=b",), {"b": None}, UNCLEAR),
        (better_than_base, ("k=b",), {"b": 0.1}, "supported"),
        (better_than_base, ("k=b",), {"b": -0.1}, "contradicted"),
        (better_than_base, ("k=b",), {"b": 0.0}, UNCLEAR),
        (better_than_base, ("k=b", "k=c"), {"b": 0.1, "c": 0.0}, UNCLEAR),
        (no_better_than_base, ("k=b",), {"b": 0.0}, "supported"),
        (no_better_than_base, ("k=b",), {"b": 0.3}, "contradicted"),
        (no_better_than_base, ("k=b",), {"b": None}, UNCLEAR),
        (diverging, ("k=b",), {"b": None}, "supported"),
        (diverging, ("k=b",), {"b": 0.0}, UNCLEAR),
        (diverging, ("k=b", "k=c"), {"b": None, "c": 0.0}, UNCLEAR),
        (diverging, ("k=z",), {"b": 0.0}, "not yet run"),
        (cheaper_to_train, ("k=b", "k=c"), {"b": 0.0, "c": 0.0}, "supported"),
        (cheaper_to_train, ("k=z",), {"b": 0.0}, "not yet run"),
    ],
)
def test_a_verdict_follows_from_the_rule(rule: Any, variants: tuple[str, ...], effects: dict, verdict: str) -> None:
    judgement = judge(rule(*variants, words="supported if"), results(**effects))
    assert judgement.verdict == verdict
    assert "; ".join(variants) in judgement.evidence or variants[0] in judgement.evidence


def test_the_evidence_gives_the_difference_with_its_interval() -> None:
    words = judge(worse_than_base("k=b", words=""), results(b=-0.2)).evidence
    assert words.startswith("k=b: -0.2")
    assert "[-0.2" in words


def test_a_dearer_base_contradicts_and_a_mixed_one_leaves_open() -> None:
    study, rule = results(b=0.0), cheaper_to_train("k=b", words="")
    cells = study.cells.assign(train_seconds=study.cells["train_seconds"].where(study.cells["variant"] == "base", 50.0))
    mixed = judge(rule, dataclasses.replace(study, cells=cells))
    assert (mixed.verdict, mixed.evidence) == (UNCLEAR, "k=b: 1.10 x memory, 0.50 x time of the base")
    assert (
        judge(
            rule,
            dataclasses.replace(
                study,
                cells=cells.assign(
                    train_peak_memory_mib=cells["train_peak_memory_mib"].where(cells["variant"] == "base", 50.0)
                ),
            ),
        ).verdict
        == "contradicted"
    )


def test_that_nothing_diverged_contradicts_only_after_all_of_the_training() -> None:
    quick = results(b=0.0)
    paper = dataclasses.replace(quick, layout=dataclasses.replace(quick.layout, profile="paper"))
    assert judge(diverging("k=b", words=""), paper).verdict == "contradicted"
    one = dataclasses.replace(results(b=0.0, c=None), layout=paper.layout)
    assert judge(diverging("k=b", "k=c", words=""), one).verdict == UNCLEAR


def test_no_better_needs_an_interval_that_excludes_a_gain() -> None:
    rule = no_better_than_base("k=b", words="")
    assert judge(rule, results(noise_sd=0.1, b=0.0)).verdict == UNCLEAR
    assert judge(rule, results(noise_sd=0.1, b=-1.0)).verdict == "supported"


def test_many_variants_need_a_clearer_difference_than_one() -> None:
    """The verdict is the study's, corrected for all of its comparisons, however few the claim is about."""
    rule = worse_than_base("k=b", words="")
    assert judge(rule, results(b=0.004)).verdict == "contradicted"
    among_others = judge(rule, results(b=0.004, **dict.fromkeys("cdefgh", 0.0)))
    assert among_others.verdict == UNCLEAR
    assert "verdicts corrected for 7 comparisons" in among_others.evidence


def memory(exponent: float | None, name: str = "gaussian_rbf") -> dict[str, Any]:
    return {"kind": "kernel", "name": name, "passes": "forward", "quantity": "memory", "exponent": exponent}


@pytest.mark.parametrize(
    ("exponents", "verdict"),
    [
        ([memory(1.02)], "supported"),
        ([memory(1.02), memory(1.2)], "contradicted"),
        ([memory(None)], "not yet run"),
        ([memory(1.0, "softmax")], "not yet run"),
        ([], "not yet run"),
    ],
)
def test_linear_memory_is_an_exponent_of_one(exponents: list[dict[str, Any]], verdict: str) -> None:
    assert memory_is_linear({**ABOUT, "exponents": exponents}).verdict == verdict


@pytest.mark.parametrize(
    ("low", "high", "verdict"), [(3.6, 4.0, "supported"), (3.0, 4.0, UNCLEAR), (1.8, 2.1, "contradicted")]
)
def test_faster_is_judged_by_the_interval_on_a_gpu(low: float, high: float, verdict: str) -> None:
    judgement = faster_than_swinir(latency_record(low, high))
    assert judgement.verdict == "not yet run"
    assert judgement.evidence.startswith("on a GPU; on a CPU")
    assert "LR 64x128 (a processor, 2 threads)" in judgement.evidence
    assert faster_than_swinir(latency_record(low, high, gpu="a GPU")).verdict == verdict


def test_what_needs_no_training_is_judged_from_what_was_computed() -> None:
    record = {"grla_macs": 78e9, "grla_hook_flops": 56e9, "swinir_light_macs": 62e9, "num_tokens": 9}
    dearer = fewer_flops(record)
    assert (dearer.verdict, "78.0 G MACs with every product, 56.0 G by" in dearer.evidence) == ("contradicted", True)
    assert fewer_flops(record | {"grla_macs": 61e9}).verdict == "supported"
    for change, verdict in ((0.0, "contradicted"), (1e-10, "contradicted"), (1e-3, "supported")):
        judgement = key_weight_matters(record | {"largest_change_by_phi": change})
        assert (judgement.verdict, judgement.evidence.endswith(f"float64: {change:.1e}")) == (verdict, True)


def test_what_is_not_there_is_not_yet_run() -> None:
    found = [rule(None) for rule in (memory_is_linear, faster_than_swinir, fewer_flops, key_weight_matters)]
    assert {judgement.verdict for judgement in found} == {"not yet run"}
    assert all(judgement.evidence.startswith("needs `") for judgement in found)
    assert faster_than_swinir(latency_record() | {"base": "relu"}).verdict == "not yet run"
