"""The first half hour on a GPU as one record: what runs there, by which path, how near to the CPU and how fast."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable
from typing import Any

from grla.benchmark.gpu_checks import CHECKS, Row, Subject
from grla.benchmark.machine_load import conditions_now
from grla.benchmark.networks import benchmark_record


def what_is_checked() -> dict[str, str]:
    """Each check's name and what it looks at."""
    return {name: (check.__doc__ or "").strip() for name, check in CHECKS.items()}


def check_gpu(subject: Subject, seconds: float, progress: Callable[[str, str], None]) -> dict[str, Any]:
    """The record of all checks: rows, outcome ("ok", "failed" or "not run") and what was warned of, by check.

    A check that raises fails with the error as the reason, and the next one goes on. After `seconds` none is begun.
    `progress` is called with the name and the outcome of each.
    """
    start, before, found = time.monotonic(), conditions_now(), {}
    for name, check in CHECKS.items():
        late = time.monotonic() - start > seconds
        found[name] = {"outcome": "not run", "reason": "no time was left"} if late else run_check(check, subject)
        progress(name, found[name]["outcome"])
    return benchmark_record(
        subject.device,
        seconds=time.monotonic() - start,
        conditions={"before": before, "after": conditions_now()},
        checks=found,
    )


def run_check(check: Callable[[Subject], list[Row]], subject: Subject) -> dict[str, Any]:
    """The outcome of one check, its rows and warnings, and the reason if it failed."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        try:
            rows = check(subject)
        except Exception as error:  # whatever fails on a new GPU is what the check is for
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            return {"outcome": "failed", "reason": reason, "rows": [], "warnings": _texts(caught)}
    outcome = "ok" if all(row["ok"] for row in rows) else "failed"
    return {"outcome": outcome, "reason": "", "rows": rows, "warnings": _texts(caught)}


def _texts(caught: list[warnings.WarningMessage]) -> list[str]:
    return list(dict.fromkeys(str(one.message) for one in caught))
