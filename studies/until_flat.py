"""What `run_ablation.py --until-flat` does: a study run again with twice the steps, until no curve still rises."""

from __future__ import annotations

from dataclasses import replace

from grla.engine import StudyRun, run_study
from grla.errors import require
from grla.report import gains_by_variant, is_rising, load_results
from grla.spec import Budget


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
        gains = gains_by_variant(load_results(run.settings.storage_url, name).cells)
        rising = [variant for variant, gain in gains.items() if is_rising(gain, flat)]
        print(f"{steps} steps: {'; '.join(rising) or 'nothing'} still rising by more than {flat:g} dB.")
        if not rising or 2 * steps > max_steps:
            return longer, name
        steps *= 2
