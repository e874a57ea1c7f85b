"""How records judge a claim: by the rule of a study's claim, by benchmark records, by what was computed once.

Each function gives a verdict and the measured evidence behind it, in words.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Literal

from grla.report.kinds.benchmark_tables import LINEAR
from grla.report.results import Results
from grla.report.statistics.verdicts import Difference
from grla.report.statistics.verdicts import Verdict as DifferenceVerdict
from grla.report.tables import interval
from grla.study import BASE, NO_GAIN, Rule, Test

Verdict = Literal["supported", "contradicted", "not distinguishable at this budget", "not yet run"]
UNCLEAR: Verdict = "not distinguishable at this budget"
NOT_YET_RUN: Verdict = "not yet run"

KERNEL = "gaussian_rbf"
FASTER = 3.5  # GRLA, table 10: 213.4 ms against 60.9 ms
CHANGE = 1e-9
"""The smallest change of an output by phi(K) that counts as one."""

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Judgement:
    """A verdict and the measured evidence behind it, in words."""

    verdict: Verdict
    evidence: str


def judge(rule: Rule, results: Results) -> Judgement:
    """What a study's `results` say by the `rule` of a claim; not yet run where one of its variants has no cell."""
    if not set(rule.variants) <= set(results.cells["variant"]):
        named = "; ".join(rule.variants)
        return Judgement(NOT_YET_RUN, f"no records of {named} at a size this can be told from")
    return TESTS[rule.test](results, rule.variants)


def _each(
    results: Results, variants: tuple[str, ...], wanted: DifferenceVerdict, against: DifferenceVerdict
) -> Judgement:
    """Supported if the study's verdict on every variant is `wanted`, contradicted if it is `against` on one."""
    found = {results.differences[variant].verdict for variant in variants}
    return _judgement(found == {wanted}, against in found, _words(results, variants))


def _no_better(results: Results, variants: tuple[str, ...]) -> Judgement:
    """Each 95 % interval must exclude NO_GAIN: a rule that needs all of them to hold is no laxer for having many."""
    found = [results.differences[variant] for variant in variants]
    small = all(difference.high < NO_GAIN for difference in found)
    better = any(difference.verdict == "better" for difference in found)
    return _judgement(small and not better, better, _words(results, variants))


def _diverging(results: Results, variants: tuple[str, ...]) -> Judgement:
    outcomes = results.cells.loc[results.cells["variant"].isin(variants), "outcome"]
    diverged = int((outcomes == "diverged").sum())
    words = f"{diverged} of {len(outcomes)} cells diverged ({'; '.join(variants)})"
    none = diverged == 0 and results.layout.profile == "paper"
    return _judgement(diverged == len(outcomes), none, words)


def _cheaper_to_train(results: Results, variants: tuple[str, ...]) -> Judgement:
    costs = results.cells.groupby("variant")[["train_peak_memory_mib", "train_seconds"]].mean()
    base, others = costs.loc[BASE], costs.loc[list(variants)]
    less = (others > base).all()
    ratios = (others / base).round(2)
    words = "; ".join(f"{name}: {m:.2f} x memory, {s:.2f} x time of the base" for name, m, s in ratios.itertuples())
    return _judgement(bool(less.all()), not less.any(), words)


TESTS: dict[Test, Callable[[Results, tuple[str, ...]], Judgement]] = {
    "worse": partial(_each, wanted="worse", against="better"),
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
    return _judgement(linear, not linear, f"GRBF attention's memory, {words} ({_machine(scaling)})")


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
    words = f"{ratio}, LR {width}x{height} ({_machine(latency)})"
    if latency["machine"]["gpu"] is None:
        return Judgement(NOT_YET_RUN, f"on a GPU; on a CPU {words}")
    return _judgement(row["low"] >= FASTER, row["high"] < FASTER, words)


def fewer_flops(settled: Record | None) -> Judgement:
    """From settled.json: supported if GRLA has fewer multiply-adds than SwinIR-light when both are counted alike."""
    if settled is None:
        return Judgement(NOT_YET_RUN, "needs `claims.py`")
    grla, by_hooks, swinir = (settled[name] / 1e9 for name in ("grla_macs", "grla_hook_flops", "swinir_light_macs"))
    words = (
        f"GRLA x4 at 1280x720: {grla:.1f} G MACs with every product, {by_hooks:.1f} G by the paper's rule (without "
        f"those inside attention); SwinIR-light, every product: {swinir:.1f} G"
    )
    return _judgement(grla < swinir, grla >= swinir, words)


def key_weight_matters(settled: Record | None) -> Judgement:
    """From settled.json: supported if phi(K) changes any output by more than CHANGE when keys have unit length."""
    if settled is None:
        return Judgement(NOT_YET_RUN, "needs `claims.py`")
    largest, tokens = settled["largest_change_by_phi"], settled["num_tokens"]
    words = f"largest change of an output by phi(K), {tokens} random unit keys, float64: {largest:.1e}"
    return _judgement(largest > CHANGE, largest <= CHANGE, words)


def _judgement(supported: bool, contradicted: bool, evidence: str) -> Judgement:
    return Judgement("supported" if supported else "contradicted" if contradicted else UNCLEAR, evidence)


def _words(results: Results, variants: tuple[str, ...]) -> str:
    found: dict[str, Difference] = {variant: results.differences[variant] for variant in variants}
    words = "; ".join(f"{variant}: {interval(difference)} dB" for variant, difference in found.items())
    number = max(difference.num_comparisons for difference in found.values())
    return words if number == 1 else f"{words} (95 % intervals each; verdicts corrected for {number} comparisons)"


def _machine(record: Record) -> str:
    """The machine, which such a verdict is about."""
    machine = record["machine"]
    return str(machine["gpu"] or f"{machine['processor']}, {machine['torch_threads']} threads")
