"""Verdicts follow from records by their rules."""

from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest

from grla.report.kinds.judgements import (
    PAPERS_RATE,
    RISING,
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
    layout = Layout("kernels", "q?", "none", "paper", "one_at_a_time", (factor("k", ("a", *effects), "a"),))
    cells, images = [], []
    noise = np.random.default_rng(0).normal(0, noise_sd, (len(effects) + 1, 3, 4))
    for number, (level, effect) in enumerate({"a": 0.0, **effects}.items()):
        variant = "base" if level == "a" else f"k={level}"
        for seed in range(3):
            outcome = "diverged" if effect is None else "ok"
            cost = 100.0 + 10 * number
            cells.append((f"{variant}{seed}", variant, seed, outcome, cost, cost, 0.0))
            for image in range(4):
                if effect is not None:
                    images.append((variant, seed, "set", str(image), 30 + image + effect + noise[number, seed, image]))
    names = ["cell_hash", "variant", "seed", "outcome", "train_peak_memory_mib", "train_seconds", "gain_db"]
    frame = pd.DataFrame(images, columns=["variant", "seed", "test_set", "image", "psnr_y"])
    base = {"train": {"budget": {"amount": 800.0, "unit": "steps"}, "learning_rate": PAPERS_RATE}}
    return Results(
        layout, pd.DataFrame(cells, columns=names).assign(device="cpu"), frame, pd.DataFrame(), {"base": base}
    )


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
        (diverging, ("k=b",), {"b": 0.0}, "contradicted"),
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


def with_costs(study: Results, memory: dict[str, float], seconds: dict[str, float]) -> Results:
    cells = study.cells.assign(
        train_peak_memory_mib=study.cells["variant"].map(memory), train_seconds=study.cells["variant"].map(seconds)
    )
    return dataclasses.replace(study, cells=cells)


@pytest.mark.parametrize(
    ("memory", "seconds", "verdict"),
    [
        ((2.0, 1.5), (1.2, 1.3), "supported"),
        ((2.0, 0.5), (1.2, 0.5), UNCLEAR),  # one of two is cheaper
        ((2.0, 1.5), (1.2, 1.04), UNCLEAR),  # within the noise of a timing
        ((2.0, 1.5), (0.5, 0.5), UNCLEAR),
        ((0.5, 0.5), (0.9, 0.8), "contradicted"),
        ((0.5, 0.5), (0.9, 0.97), UNCLEAR),
    ],
)
def test_cheaper_training_is_of_every_variant_beyond_the_noise(
    memory: tuple[float, float], seconds: tuple[float, float], verdict: str
) -> None:
    variants = ("k=b", "k=c")
    costs = [dict(zip(("base", *variants), (1.0, *values), strict=True)) for values in (memory, seconds)]
    in_mib = {name: 100 * value for name, value in costs[0].items()}
    judgement = judge(cheaper_to_train(*variants, words=""), with_costs(results(b=0.0, c=0.0), in_mib, costs[1]))
    assert judgement.verdict == verdict
    assert f"k=b: {memory[0]:.2f} x memory, {seconds[0]:.2f} x time of the base" in judgement.evidence


@pytest.mark.parametrize(("mib", "verdict"), [(18.0 + 1.9, UNCLEAR), (18.0 + 2.1, "supported")])
def test_peaks_of_memory_that_lie_as_close_as_those_of_two_runs_are_equal(mib: float, verdict: str) -> None:
    study = with_costs(results(b=0.0), {"base": 18.0, "k=b": mib}, {"base": 1.0, "k=b": 1.5})
    assert judge(cheaper_to_train("k=b", words=""), study).verdict == verdict


@pytest.mark.parametrize(("cards", "verdict"), [(("one", "other"), UNCLEAR), (("one", "one"), "supported")])
def test_training_on_different_cards_is_not_compared(cards: tuple[str, str], verdict: str) -> None:
    study = results(b=0.0)
    on_cards = study.cells.assign(device="cuda", gpu=[cards[0]] * 3 + [cards[1]] * 3)
    judgement = judge(cheaper_to_train("k=b", words=""), dataclasses.replace(study, cells=on_cards))
    assert judgement.verdict == verdict
    assert ("Mixed cards: cells were computed on one, other" in judgement.evidence) == (verdict == UNCLEAR)


@pytest.mark.parametrize(
    ("effect", "verdict"), [(-0.5, "supported"), (-0.39, "contradicted"), (-0.1, "contradicted"), (0.2, "contradicted")]
)
def test_a_claim_with_a_size_is_judged_by_the_size(effect: float, verdict: str) -> None:
    assert judge(worse_than_base("k=b", words="", by=0.4), results(b=effect)).verdict == verdict
    assert judge(worse_than_base("k=b", words="", by=0.4), results(noise_sd=0.5, b=effect)).verdict == UNCLEAR


def test_a_control_that_fails_too_or_one_cell_that_does_not_leaves_divergence_open() -> None:
    rule = diverging("k=b", words="", control="k=c")
    assert judge(rule, results(b=None, c=0.0)).verdict == "supported"
    both = judge(rule, results(b=None, c=None))
    assert (both.verdict, "3 of 3 of the control (k=c)" in both.evidence) == (UNCLEAR, True)
    assert "learning rate of 0.0005 (the paper's: 0.0005)" in both.evidence
    study = results(b=None)
    cells = study.cells.assign(outcome=study.cells["outcome"].where(study.cells["cell_hash"] != "k=b1", "ok"))
    assert judge(diverging("k=b", words=""), dataclasses.replace(study, cells=cells)).verdict == UNCLEAR


@pytest.mark.parametrize("effect", [None, 0.0])
def test_divergence_is_open_above_the_paper_s_rate_and_of_one_seed(effect: float | None) -> None:
    rule, study = diverging("k=b", words=""), results(b=effect)
    assert judge(rule, study).verdict == ("contradicted" if effect == 0 else "supported")
    base = {"train": study.base["train"] | {"learning_rate": 2 * PAPERS_RATE}}
    faster = judge(rule, dataclasses.replace(study, definition={"base": base}))
    assert (faster.verdict, "learning rate of 0.001" in faster.evidence) == (UNCLEAR, True)
    one = dataclasses.replace(study, cells=study.cells[study.cells["seed"] == 0])
    assert judge(rule, one).verdict == UNCLEAR


@pytest.mark.parametrize(("effect", "verdict"), [(-5.0, "supported"), (-0.5, "contradicted")])
def test_a_network_far_below_the_baseline_has_failed(effect: float, verdict: str) -> None:
    study = results(b=effect)
    bicubic = (
        study.images[study.images["variant"] == "base"].head(4).assign(variant="bicubic", seed=np.nan, psnr_y=31.0)
    )
    with_bicubic = dataclasses.replace(study, images=pd.concat([bicubic, study.images]))
    assert judge(diverging("k=b", words=""), with_bicubic).verdict == verdict


def test_lost_seeds_are_told() -> None:
    study = results(b=-0.2)
    lost = (study.cells["variant"] == "k=b") & (study.cells["seed"] == 2)
    cells = study.cells.assign(outcome=study.cells["outcome"].mask(lost, "diverged"))
    rows = study.images[~((study.images["variant"] == "k=b") & (study.images["seed"] == 2))]
    judgement = judge(worse_than_base("k=b", words=""), dataclasses.replace(study, cells=cells, images=rows))
    assert judgement.evidence.endswith("; without the cells that failed (k=b: 1)")
    assert "without" not in judge(worse_than_base("k=b", words=""), study).evidence


@pytest.mark.parametrize("absent", ["base", "k=b"])
def test_seeds_that_a_record_does_not_have_are_told_and_show_no_divergence(absent: str) -> None:
    worse, broken = results(b=-0.2), results(b=None)
    kept = ~((worse.cells["variant"] == absent) & (worse.cells["seed"] > 0))
    study = dataclasses.replace(worse, cells=worse.cells[kept])
    words = f"without cells that are not in the record ({absent}: 2)"
    assert judge(worse_than_base("k=b", words=""), study).evidence.endswith(words)
    found = judge(diverging("k=b", words=""), dataclasses.replace(broken, cells=broken.cells[kept]))
    assert (found.verdict, words in found.evidence) == (UNCLEAR, True)


@pytest.mark.parametrize("gain", [0.1, np.nan])
def test_that_a_loss_is_smaller_than_claimed_is_not_settled_while_a_side_rises(gain: float) -> None:
    for effect, settled in ((-0.1, "contradicted"), (-0.5, "supported")):
        study, rule = results(b=effect), worse_than_base("k=b", words="", by=0.4)
        assert judge(rule, study).verdict == settled
        for variant in ("base", "k=b"):
            gains = study.cells["gain_db"].mask(study.cells["variant"] == variant, gain)
            judgement = judge(rule, dataclasses.replace(study, cells=study.cells.assign(gain_db=gains)))
            assert judgement.verdict == (RISING if settled == "contradicted" else settled)


@pytest.mark.parametrize("gain", [0.1, np.nan])
def test_no_better_is_not_settled_while_a_side_rises(gain: float) -> None:
    study, rule = results(b=0.0), no_better_than_base("k=b", words="")
    assert judge(rule, study).verdict == "supported"
    for variant in ("base", "k=b"):
        gains = study.cells["gain_db"].mask(study.cells["variant"] == variant, gain)
        judgement = judge(rule, dataclasses.replace(study, cells=study.cells.assign(gain_db=gains)))
        assert judgement.verdict == "not yet settled: still rising"
        assert judgement.evidence.endswith(f"not known to have flattened: {variant}")


def at_quick(study: Results) -> Results:
    return dataclasses.replace(study, layout=dataclasses.replace(study.layout, profile="quick"))


@pytest.mark.parametrize(("effect", "verdict"), [(-0.2, "supported"), (0.1, "contradicted")])
def test_less_training_than_the_paper_s_says_something_of_its_budget_only(effect: float, verdict: str) -> None:
    study, rule = results(b=effect), worse_than_base("k=b", words="")
    assert judge(rule, study).verdict == verdict
    assert judge(rule, at_quick(study)).verdict == f"{verdict} at this budget"
    assert judge(rule, at_quick(results(noise_sd=1.0, b=0.0))).verdict == UNCLEAR


def test_that_nothing_diverged_contradicts_only_after_all_of_the_training() -> None:
    paper = results(b=0.0)
    assert judge(diverging("k=b", words=""), paper).verdict == "contradicted"
    assert judge(diverging("k=b", words=""), at_quick(paper)).verdict == UNCLEAR
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
    beside_a_gpu = latency_record(low, high) | {"machine": ABOUT["machine"] | {"gpu": "a GPU"}}
    assert faster_than_swinir(beside_a_gpu) == judgement
    on_a_gpu = faster_than_swinir(latency_record(low, high, gpu="a GPU"))
    assert on_a_gpu.verdict == verdict
    assert "LR 64x128 (a GPU)" in on_a_gpu.evidence


def test_flops_are_compared_from_a_record_of_costs() -> None:
    rows = [
        {"model": "gaussian_rbf", "macs": 78e9, "hook_flops": 56e9},
        {"model": "peers:swinir_light", "macs": 62e9, "hook_flops": 54e9},
    ]
    record = {"upscale": 4, "lr_size": [180, 320], "models": rows}
    dearer = fewer_flops(record)
    assert dearer.verdict == "contradicted"
    assert "x4 at 1280x720: 78.0 G MACs with every product, 56.0 G by" in dearer.evidence
    for macs, verdict in ((61e9, "contradicted"), (55e9, "supported")):  # of 62e9, where the claim is 11 % fewer
        assert fewer_flops(record | {"models": [rows[0] | {"macs": macs}, rows[1]]}).verdict == verdict
    for missing in rows:
        left = [row for row in rows if row is not missing]
        assert fewer_flops(record | {"models": left}).verdict == "not yet run"


def test_phi_is_judged_only_where_the_computation_sees_what_weights_do() -> None:
    record = {"num_tokens": 9, "by_random_weights": 0.1}
    for change, verdict in ((0.0, "contradicted"), (1e-10, "contradicted"), (1e-3, "supported")):
        judgement = key_weight_matters(record | {"largest_change_by_phi": change})
        assert judgement.verdict == verdict
        assert f"float64: {change:.1e}; by random weights in its place: 1.0e-01" in judgement.evidence
    blind = {"largest_change_by_phi": 0.0, "by_random_weights": 0.0}  # as a path that ignores the weights would say
    assert key_weight_matters(record | blind).verdict == UNCLEAR


def test_what_is_not_there_is_not_yet_run() -> None:
    found = [rule(None) for rule in (memory_is_linear, faster_than_swinir, fewer_flops, key_weight_matters)]
    assert {judgement.verdict for judgement in found} == {"not yet run"}
    assert all(judgement.evidence.startswith("needs `") for judgement in found)
    assert faster_than_swinir(latency_record() | {"base": "relu"}).verdict == "not yet run"
