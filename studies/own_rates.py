"""What `run_ablation.py --rates` does: shorter runs choose each variant's learning rate before the study begins."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import replace

import pandas as pd

from grla.engine import StudyRun, planned_rates, run_study
from grla.errors import require
from grla.report import publish
from grla.study import VALIDATION_PSNR, best_rates, rates_study, shorter, tried_rates, wider

MOST_TIMES_WIDER = 2


def with_own_rates(run: StudyRun, rates: Sequence[float]) -> StudyRun:
    """`run` with each variant's best of `rates`, which shorter runs find; they are a study of their own, with its page.

    Where a variant does best at the lowest or highest rate, one more is tried beyond it, up to MOST_TIMES_WIDER times.
    Who joins takes the rates of the study as it was planned.
    Raises what `run_study` does, and InputError for no workers.
    """
    if run.join:
        return replace(run, study=replace(run.study, rates=planned_rates(run)))
    require(run.settings.workers != 0, "workers", "must be at least 1 with `rates`, which looks at results", 0)
    base = run.study.cells(run.profile, run.changes, seeds=1)[0].spec
    budget = shorter(base.train.budget)
    for times in range(MOST_TIMES_WIDER + 1):
        study = rates_study(run.study, run.profile, base, rates)
        trying = replace(run, study=study, seeds=1, changes={**run.changes, "train.budget": budget})
        number = len(study.resolved_factors(run.profile)[0].levels) * len(tried_rates(study, run.profile))
        share = budget.amount / base.train.budget.amount
        words = f"Choosing learning rates: {number} runs of {budget}, {share:.0%} of a cell's."
        print(words, file=sys.stderr, flush=True)
        name = run_study(trying)
        results = publish(run.settings.storage_url, name, trying.folder)
        best = best_rates(_ends(results.cells, results.curves))
        further = wider(tried_rates(study, run.profile), best)
        if times == MOST_TIMES_WIDER or len(further) == len(tried_rates(study, run.profile)):
            break
        rates = further
    chosen = ", ".join(f"{variant} {rate:g}" for variant, rate in best.items())
    print(f"Chosen by validation PSNR-Y, see {trying.folder}: {chosen}.", file=sys.stderr, flush=True)
    return replace(run, study=replace(run.study, rates=best))


def _ends(cells: pd.DataFrame, curves: pd.DataFrame) -> dict[tuple[str, float], float]:
    """By variant and rate the last validation PSNR-Y of the cells that came to their end."""
    finished = set(cells.loc[cells["outcome"] == "ok", "cell_hash"])
    ends = curves[curves["cell_hash"].isin(finished)].groupby("cell_hash", sort=False).tail(1)
    rows = ends.to_dict("records")
    return {(str(row["candidate"]), float(row["rate"])): float(row[VALIDATION_PSNR]) for row in rows}
