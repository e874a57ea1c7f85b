"""Claims about cost, judged from the records of `studies/run_benchmark.py`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from grla.errors import InputError
from grla.report.figures.scaling import LINEAR
from grla.report.kinds.claims import Judgement

KERNEL = "gaussian_rbf"
FASTER = 3.5  # GRLA, table 10: 213.4 ms against 60.9 ms


def memory_is_linear(scaling: Path) -> Judgement:
    """From a scaling.json: supported if GRBF's memory grows with an exponent of at most 1.05 in tokens, both passes."""
    record = _read(scaling)
    rows = [] if record is None else [row for row in record["exponents"] if _is_memory_of_grbf(row)]
    if record is None or not rows or any(row["exponent"] is None for row in rows):
        return Judgement("not yet run", "needs `run_benchmark.py scaling`")
    words = "; ".join(f"{row['passes']}: tokens^{row['exponent']:.3f}" for row in rows)
    linear = all(row["exponent"] <= LINEAR for row in rows)
    return Judgement("supported" if linear else "contradicted", f"GRBF attention's memory, {words} ({_where(record)})")


def faster_than_swinir(latency: Path) -> Judgement:
    """From a latency.json: supported if SwinIR-light takes at least 3.5 times as long as GRLASR, by the interval.

    The paper's claim is about a GPU: what a CPU shows is told, and judges nothing.
    """
    record = _read(latency)
    rows = [] if record is None else [row for row in record["models"] if "swinir" in row["name"].lower()]
    if record is None or not rows or record["base"] != KERNEL:
        needs = f"needs `run_benchmark.py latency` with base {KERNEL} and an outside model whose name holds swinir"
        return Judgement("not yet run", needs)
    row, (height, width) = rows[0], record["lr_size"]
    words = f"{row['ratio']:.2f} [{row['low']:.2f}, {row['high']:.2f}] times, LR {width}x{height} ({_where(record)})"
    if record["machine"]["gpu"] is None:
        return Judgement("not yet run", f"on a GPU; on a CPU {words}")
    if row["low"] >= FASTER:
        return Judgement("supported", words)
    return Judgement("contradicted" if row["high"] < FASTER else "not distinguishable at this budget", words)


def _is_memory_of_grbf(row: dict[str, Any]) -> bool:
    return (row["kind"], row["name"], row["quantity"]) == ("kernel", KERNEL, "memory")


def _where(record: dict[str, Any]) -> str:
    """The machine, which such a verdict is about."""
    machine = record["machine"]
    return str(machine["gpu"] or f"{machine['processor']}, {machine['torch_threads']} threads")


def _read(path: Path) -> dict[str, Any] | None:
    """The record at `path`, None where there is none."""
    return read_record(path) if path.is_file() else None


def read_record(path: Path) -> dict[str, Any]:
    """A JSON record of `studies/run_benchmark.py`; raises InputError for a file that cannot be read as one."""
    try:
        record: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path} must be a record of run_benchmark.py ({error}); measure again") from error
    return record
