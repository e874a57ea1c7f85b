"""Studies in rounds, each decided by the last: `run_ablation.py` with `--rates`, `--until-clear`, `--until-flat`."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace

import pandas as pd

from grla.engine import StudyRun, planned_rates, run_study
from grla.errors import require, require_at_least
from grla.report import (
    Difference,
    gains_by_variant,
    is_open,
    is_rising,
    load_results,
    look_seeds,
    publish,
    study_differences,
    until_clear,
)
from grla.spec import Budget
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
    budget = shorter(base.train.budget, run.study.profile(run.profile).rate_share)
    for times in range(MOST_TIMES_WIDER + 1):
        study = rates_study(run.study, run.profile, base, rates)
        trying = replace(run, study=study, seeds=1, changes={**run.changes, "train.budget": budget})
        number = len(study.resolved_factors(run.profile)[0].levels) * len(tried_rates(study, run.profile))
        share = budget.amount / base.train.budget.amount
        words = f"Choosing learning rates: {number} runs of {budget.words}, {share:.0%} of a cell's."
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


def run_until_clear(
    run: StudyRun,
    clear: float,
    max_seeds: int,
    differences: Callable[..., dict[str, Difference]] = study_differences,
) -> str:
    """Run the study until each difference is settled, known to `clear` dB, or has `max_seeds` seeds; return its name.

    The rule and its correction are those of `grla.report.statistics.sequential`. Run again it comes to the same
    decisions, from the same cells. Raises what `run_study` does, and InputError for a number of seeds or dB that makes
    no sense, or for no worker. `differences` compares a layout's variants by their images' rows.
    """
    require(run.settings.workers != 0, "workers", "must be at least 1 with `until_clear`, which looks at results", 0)
    first = run.study.profile(run.profile).seeds if run.seeds is None else run.seeds
    require_at_least("seeds", first, 1)
    seeds = look_seeds(max(first, 2), max_seeds)
    names = []

    def look(number: int, stopped: Mapping[str, int]) -> dict[str, Difference]:
        names.append(run_study(replace(run, seeds=number, stopped=stopped, num_looks=len(seeds))))
        results = load_results(run.settings.storage_url, names[-1])
        mine = (results.images["seed"] < number).fillna(False)  # earlier runs may have left more
        found = differences(results.layout, results.images[mine])
        still = [variant for variant, difference in found.items() if is_open(difference, clear)]
        print(f"{number} seeds: {'; '.join(still) or 'nothing'} still open at {clear:g} dB.")
        return found

    until_clear(look, seeds, clear)
    return names[-1]


def run_until_flat(run: StudyRun, flat: float, max_steps: int) -> tuple[StudyRun, str]:
    """Run the study, doubling its steps until no variant gains more than `flat` dB by it; return what ran last.

    Cells train with the schedule "stable", so that twice the steps go on where the first ones stopped, and validate a
    multiple of 5 times, as it needs. All variants go on together: differences are those of equal budgets. Raises what
    `run_study` does, and InputError for a budget that is not in steps or more than `max_steps`.
    """
    require(run.settings.workers != 0, "workers", "must be at least 1 with `until_flat`, which looks at results", 0)
    require(flat > 0, "until_flat", "must be above 0 dB", flat)
    validations = run.study.cells(run.profile, run.changes, seeds=1)[0].spec.train.validations
    changes = {**run.changes, "train.schedule": "stable", "train.validations": -(-validations // 5) * 5}
    budget = run.study.cells(run.profile, changes, seeds=1)[0].spec.train.budget
    steps = int(budget.amount)
    require(steps <= max_steps, "max_steps", f"must be at least the budget to begin with, {budget}", max_steps)
    while True:
        longer = replace(run, changes={**changes, "train.budget": Budget(steps, "steps")})
        name = run_study(longer)
        cells = load_results(run.settings.storage_url, name).cells
        # Of a study of budgets the shorter ones are what they are.
        gains = gains_by_variant(cells[(cells["steps"] == steps) | (cells["outcome"] != "ok")])
        rising = [variant for variant, gain in gains.items() if is_rising(gain, flat)]
        print(f"{steps} steps: {'; '.join(rising) or 'nothing'} still rising by more than {flat:g} dB.")
        if not rising or 2 * steps > max_steps:
            return longer, name
        steps *= 2
