"""Verdicts on cost, from made-up records."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from grla.errors import InputError
from grla.report.kinds.cost_claims import faster_than_swinir, memory_is_linear

MACHINE = {"processor": "a processor", "torch_threads": 2, "gpu": None}


def written(path: Path, record: dict) -> Path:
    path.write_text(json.dumps({"machine": MACHINE, **record}), encoding="utf-8")
    return path


def memory(exponent: float | None, name: str = "gaussian_rbf") -> dict:
    return {"kind": "kernel", "name": name, "passes": "forward", "quantity": "memory", "exponent": exponent}


@pytest.mark.parametrize(
    ("exponents", "verdict"),
    [
        ([memory(1.02)], "supported"),
        ([memory(1.02), memory(1.2)], "contradicted"),
        ([memory(None)], "not yet run"),
        ([memory(1.0, "softmax")], "not yet run"),
    ],
)
def test_linear_memory_is_an_exponent_of_one(tmp_path: Path, exponents: list[dict], verdict: str) -> None:
    assert memory_is_linear(written(tmp_path / "scaling.json", {"exponents": exponents})).verdict == verdict


@pytest.mark.parametrize(
    ("low", "high", "verdict"),
    [(3.6, 4.0, "supported"), (3.0, 4.0, "not distinguishable at this budget"), (1.8, 2.1, "contradicted")],
)
def test_faster_is_judged_by_the_interval(tmp_path: Path, low: float, high: float, verdict: str) -> None:
    rows = [{"name": "peers:swinir_light", "ratio": (low + high) / 2, "low": low, "high": high}]
    record = {"models": rows, "base": "gaussian_rbf", "lr_size": [128, 64]}
    judgement = faster_than_swinir(written(tmp_path / "latency.json", record))
    assert judgement.verdict == "not yet run"
    assert judgement.evidence.startswith("on a GPU; on a CPU")
    assert "LR 64x128 (a processor, 2 threads)" in judgement.evidence
    on_gpu = record | {"machine": MACHINE | {"gpu": "a GPU"}}
    assert faster_than_swinir(written(tmp_path / "latency.json", on_gpu)).verdict == verdict


def test_what_is_not_there_is_not_yet_run_and_what_is_broken_is_named(tmp_path: Path) -> None:
    assert memory_is_linear(tmp_path / "scaling.json").verdict == "not yet run"
    assert faster_than_swinir(tmp_path / "latency.json").verdict == "not yet run"
    other_base = {"models": [], "base": "relu", "lr_size": [1, 1]}
    assert faster_than_swinir(written(tmp_path / "latency.json", other_base)).verdict == "not yet run"
    (tmp_path / "scaling.json").write_text("{", encoding="utf-8")
    with pytest.raises(InputError, match=r"scaling.json must be a record of run_benchmark.py"):
        memory_is_linear(tmp_path / "scaling.json")
