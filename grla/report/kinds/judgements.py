"""How records judge a claim: by the rule of a study's claim, by benchmark records, by what was computed once.

Each function gives a verdict and the measured evidence behind it, in words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial
from math import nan
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from grla.report.kinds.benchmark_tables import LINEAR
from grla.report.machines import machine_of, mixed_cards, on_cpu
from grla.report.results import Results
from grla.report.statistics.equivalence import gains_by_variant, is_rising
from grla.report.statistics.verdicts import Difference
from grla.report.statistics.verdicts import Verdict as DifferenceVerdict
from grla.report.tables import interval
from grla.spec import TrainSpec
from grla.study import BASE, FAR_BELOW, NO_GAIN, NOISE, Rule, Test

Verdict = Literal[
    "supported",
    "contradicted",
    "supported at this budget",
    "contradicted at this budget",
    "supported at small sizes",
    "contradicted at small sizes",
    "not distinguishable at this budget",
    "not yet settled: still rising",
    "not yet run",
]
UNCLEAR: Verdict = "not distinguishable at this budget"
NOT_YET_RUN: Verdict = "not yet run"
RISING: Verdict = "not yet settled: still rising"
AT_THIS_BUDGET: dict[Verdict, Verdict] = {
    "supported": "supported at this budget",
    "contradicted": "contradicted at this budget",
}
"""What smaller runs than the paper's can say of its claims."""
AT_SMALL_SIZES: dict[Verdict, Verdict] = {
    "supported at this budget": "supported at small sizes",
    "contradicted at this budget": "contradicted at small sizes",
}
"""The same where the sizes compared are not those of the claim."""

KERNEL = "gaussian_rbf"
FASTER = 3.5  # GRLA, table 10: 213.4 ms against 60.9 ms
FEWER = 0.89  # GRLA, table 3: 56.5 G against 63.6 G
PEAKS_VARY = 2.0
"""MiB; by as much the peak memory of one network's training differs between two runs."""
CHANGE = 1e-9
"""The smallest change of an output by phi(K) that counts as one."""
PAPERS_RATE = TrainSpec.learning_rate
"""Above it training that diverges says nothing of the paper's."""

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Judgement:
    """A verdict and the measured evidence behind it, in words."""

    verdict: Verdict
    evidence: str


def judge(rule: Rule, results: Results) -> Judgement:
    """What a study's `results` say by the `rule` of a claim, at this budget where that is not the paper's.

    Not yet run where one of its variants has no cell.
    """
    if not {*rule.variants, *rule.control} <= set(results.cells["variant"]):
        named = "; ".join(rule.variants)
        return Judgement(NOT_YET_RUN, f"no records of {named} at a size this can be told from")
    found = TESTS[rule.test](results, rule)
    if results.layout.profile != "paper":
        found = replace(found, verdict=AT_THIS_BUDGET.get(found.verdict, found.verdict))
    lost = _lost(results, rule)
    return replace(found, evidence=f"{found.evidence}; {lost}") if lost else found


def _worse(results: Results, rule: Rule) -> Judgement:
    """By the study's verdicts and, where the claim has a size, by whether each interval leaves out a smaller loss.

    That a loss is smaller than the claim's is not settled while a side rises.
    """
    if rule.size == 0:
        return _each(results, rule, wanted="worse", against="better")
    found = [results.differences[variant] for variant in rule.variants]
    large = all(one.verdict == "worse" and one.high <= -rule.size for one in found)
    small = any(one.low > -rule.size for one in found)
    return _unless_rising("contradicted", _judgement(large, small, _words(results, rule.variants)), results, rule)


def _each(results: Results, rule: Rule, wanted: DifferenceVerdict, against: DifferenceVerdict) -> Judgement:
    """Supported if the study's verdict on every variant is `wanted`, contradicted if it is `against` on one."""
    found = {results.differences[variant].verdict for variant in rule.variants}
    return _judgement(found == {wanted}, against in found, _words(results, rule.variants))


def _no_better(results: Results, rule: Rule) -> Judgement:
    """Each 95 % interval must exclude NO_GAIN: a rule that needs all of them to hold is no laxer for having many."""
    found = [results.differences[variant] for variant in rule.variants]
    small = all(difference.high < NO_GAIN for difference in found)
    better = any(difference.verdict == "better" for difference in found)
    judgement = _judgement(small and not better, better, _words(results, rule.variants))
    return _unless_rising("supported", judgement, results, rule)


def _unless_rising(settled: Verdict, judgement: Judgement, results: Results, rule: Rule) -> Judgement:
    """The judgement, unless it is the verdict that a difference is small, `settled`, and a curve still rises."""
    gains, margin = gains_by_variant(results.cells), results.layout.margin
    rising = [name for name in (*rule.control, *rule.variants) if is_rising(gains.get(name, nan), margin)]
    if judgement.verdict != settled or not rising:
        return judgement
    return Judgement(RISING, f"{judgement.evidence}; not known to have flattened: {', '.join(rising)}")


def _diverging(results: Results, rule: Rule) -> Judgement:
    """A control that fails as well says that it is not the variants that do it, and so may a rate above the paper's."""
    failed, control = (_failed(results, names) for names in (rule.variants, rule.control))
    rate = results.base["train"]["learning_rate"]
    words = (
        f"{failed.sum()} of {len(failed)} cells failed ({'; '.join(rule.variants)}), {control.sum()} of {len(control)} "
        f"of the control ({'; '.join(rule.control)}), at a learning rate of {rate:g} (the paper's: {PAPERS_RATE:g})"
    )
    whole = not _absent(results, rule) and results.cells["seed"].nunique() > 1 and rate <= PAPERS_RATE
    none = not failed.any() and results.layout.profile == "paper"
    return _judgement(bool(whole and failed.all() and not control.any()), bool(whole and none), words)


def _failed(results: Results, variants: tuple[str, ...]) -> NDArray[np.bool_]:
    """For each cell of these variants whether it diverged, or ended FAR_BELOW under the first baseline."""
    cells, images = results.cells, results.images
    baselines = images[images["seed"].isna()]
    reference = baselines.loc[baselines["variant"].isin(baselines["variant"].head(1)), "psnr_y"].mean()
    mine = cells[cells["variant"].isin(variants)]
    keys = pd.MultiIndex.from_frame(mine[["variant", "seed"]])
    scores = images[images["seed"].notna()].groupby(["variant", "seed"])["psnr_y"].mean().reindex(keys)
    low = scores.to_numpy(np.float64) < reference - FAR_BELOW
    return np.asarray(low | (mine["outcome"] == "diverged").to_numpy())


def _lost(results: Results, rule: Rule) -> str:
    """The cells of the rule's variants that are not in the comparison, in words; "" if all are."""
    mine = results.cells[results.cells["variant"].isin({*rule.control, *rule.variants})]
    failed = mine[mine["outcome"] != "ok"].groupby("variant", sort=False).size()
    lost = {
        # Of divergence the failed cells are the evidence.
        "without the cells that failed": {} if rule.test == "diverging" else dict(failed),
        "without cells that are not in the record": _absent(results, rule),
    }
    counted = {words: ", ".join(f"{name}: {number}" for name, number in each.items()) for words, each in lost.items()}
    return "; ".join(f"{words} ({counts})" for words, counts in counted.items() if counts)


def _absent(results: Results, rule: Rule) -> dict[str, int]:
    """By variant of the rule how many of the study's seeds it has no cell of, where it lacks some."""
    cells = results.cells
    seeds = cells.groupby("variant")["seed"].nunique()
    named = dict.fromkeys((*rule.control, *rule.variants))
    missing = {name: int(cells["seed"].nunique() - seeds[name]) for name in named}
    return {name: number for name, number in missing.items() if number}


def _cheaper_to_train(results: Results, rule: Rule) -> Judgement:
    """Peaks of memory that lie within PEAKS_VARY count as equal, whatever their ratio: those of small networks do."""
    costs = results.cells.groupby("variant")[["train_peak_memory_mib", "train_seconds"]].mean()
    ratios = costs.loc[list(rule.variants)] / costs.loc[BASE]
    peaks = costs["train_peak_memory_mib"]
    counted = ratios.copy()
    counted.loc[(peaks - peaks[BASE]).abs()[counted.index] < PEAKS_VARY, "train_peak_memory_mib"] = 1.0
    words = "; ".join(
        f"{name}: {m:.2f} x memory, {s:.2f} x time of the base" for name, m, s in ratios.round(2).itertuples()
    )
    compared = results.cells[results.cells["variant"].isin([BASE, *rule.variants])]
    if mixed := mixed_cards(compared):
        return Judgement(UNCLEAR, f"{words}. {mixed}")
    dearer, cheaper = (counted > NOISE).all(axis=None), (counted < 1 / NOISE).all(axis=None)
    return _judgement(bool(dearer), bool(cheaper), words)


TESTS: dict[Test, Callable[[Results, Rule], Judgement]] = {
    "worse": _worse,
    "better": partial(_each, wanted="better", against="worse"),
    "no better": _no_better,
    "diverging": _diverging,
    "cheaper to train": _cheaper_to_train,
}


def memory_is_linear(scaling: Record | None) -> Judgement:
    """From scaling.json: supported if GRBF's memory grows with an exponent of at most 1.05 in tokens, both passes."""
    wanted = {"kind": "kernel", "name": KERNEL, "quantity": "memory"}
    rows = [] if scaling is None else [row for row in scaling["exponents"] if wanted.items() <= row.items()]
    if scaling is None or not rows or any(row["exponent"] is None for row in rows):
        return Judgement(NOT_YET_RUN, "needs `run_benchmark.py scaling`")
    words = "; ".join(f"{row['passes']}: tokens^{row['exponent']:.3f}" for row in rows)
    linear = all(row["exponent"] <= LINEAR for row in rows)
    return _judgement(linear, not linear, f"GRBF attention's memory, {words} ({machine_of(scaling)})")


def faster_than_swinir(latency: Record | None) -> Judgement:
    """From latency.json: supported if SwinIR-light takes at least 3.5 times as long as GRLASR, by the interval.

    The paper's claim is about a GPU: the evidence of a CPU is shown and judges nothing.
    """
    rows = [] if latency is None else [row for row in latency["models"] if "swinir" in row["name"].lower()]
    if latency is None or not rows or latency["base"] != KERNEL:
        needs = f"needs `run_benchmark.py latency` with base {KERNEL} and an outside model whose name holds swinir"
        return Judgement(NOT_YET_RUN, needs)
    row, (height, width) = rows[0], latency["lr_size"]
    ratio = f"{row['ratio']:.2f} [{row['low']:.2f}, {row['high']:.2f}] times"
    words = f"{ratio}, LR {width}x{height} ({machine_of(latency)})"
    if on_cpu(latency):
        return Judgement(NOT_YET_RUN, f"on a GPU; on a CPU {words}")
    return _judgement(row["low"] >= FASTER, row["high"] < FASTER, words)


def fewer_flops(cost: Record | None) -> Judgement:
    """From cost.json: supported if GRLA has at most FEWER of SwinIR-light's multiply-adds, both counted alike."""
    rows = {} if cost is None else {row["model"].lower(): row for row in cost["models"]}
    swinir = [row for name, row in rows.items() if "swinir" in name]
    if cost is None or not swinir or KERNEL not in rows:
        needs = f"needs `run_benchmark.py cost` of {KERNEL} and an outside model whose name holds swinir"
        return Judgement(NOT_YET_RUN, needs)
    grla, by_hooks, theirs = rows[KERNEL]["macs"], rows[KERNEL]["hook_flops"], swinir[0]["macs"]
    height, width = (side * cost["upscale"] for side in cost["lr_size"])
    words = (
        f"GRLA x{cost['upscale']} at {width}x{height}: {grla / 1e9:.1f} G MACs with every product, "
        f"{by_hooks / 1e9:.1f} G by the paper's rule (without those inside attention); "
        f"SwinIR-light, every product: {theirs / 1e9:.1f} G"
    )
    fewer = grla <= FEWER * theirs
    return _judgement(fewer, not fewer, words)


def key_weight_matters(settled: Record | None) -> Judgement:
    """From settled.json: supported if phi(K) changes any output by more than CHANGE when keys have unit length.

    Random weights in the place of phi are the control: where they change nothing, the computation cannot tell.
    """
    if settled is None:
        return Judgement(NOT_YET_RUN, "needs `claims.py`")
    largest, control, tokens = (settled[name] for name in ("largest_change_by_phi", "by_random_weights", "num_tokens"))
    words = (
        f"largest change of an output by phi(K), {tokens} random unit keys, float64: {largest:.1e}; by random weights "
        f"in its place: {control:.1e}"
    )
    return _judgement(largest > CHANGE, largest <= CHANGE < control, words)


def _judgement(supported: bool, contradicted: bool, evidence: str) -> Judgement:
    return Judgement("supported" if supported else "contradicted" if contradicted else UNCLEAR, evidence)


def _shown(difference: Difference, margin: float) -> str:
    """A difference, that all of its interval lies within the margin, and that it should be wider."""
    within = f", within {margin:g} dB" if -margin < difference.low and difference.high < margin else ""
    return f"{interval(difference)} dB{within}{', too narrow: a few images dominate' if difference.too_bold else ''}"


def _words(results: Results, variants: tuple[str, ...]) -> str:
    found: dict[str, Difference] = {variant: results.differences[variant] for variant in variants}
    margin = results.layout.margin
    words = "; ".join(f"{variant}: {_shown(difference, margin)}" for variant, difference in found.items())
    number = max(difference.num_comparisons for difference in found.values())
    return words if number == 1 else f"{words} (95 % intervals each; verdicts corrected for {number} comparisons)"
