"""How far a study is: its cells by state, worker and age."""

from __future__ import annotations

import datetime
from collections import defaultdict

from optuna.trial import FrozenTrial, TrialState
from tabulate import tabulate

from grla.engine.plan import stored_plans, stored_queue
from grla.engine.processes import duration
from grla.engine.queue import FINISHED, LATE, WORKER, Queue, worker_name
from grla.engine.run import StudyRun
from grla.engine.storage import open_storage, planning, require_storage
from grla.errors import InputError

PRECEDENCE = (*FINISHED, TrialState.RUNNING, TrialState.WAITING, TrialState.FAIL)
"""Of a cell's trials the first of these speaks for it; of several failed ones the latest."""


def describe_status(run: StudyRun) -> str:
    """A table of the cells of each Optuna study of the run's study and profile, read from the storage alone.

    Raises InputError when there is no storage or no such study in it.
    """
    return "\n\n".join(_table(name, queue) for name, queue in _queues(run).items())


def latest_name(run: StudyRun) -> str:
    """Optuna's name of the run's study and profile; of several, which differ in what was changed, the last created.

    Raises InputError as `describe_status` does.
    """
    return list(_queues(run))[-1]


def planned_rates(run: StudyRun) -> dict[str, float]:
    """The learning rates by variant of the study of that name, none where all variants have one.

    Raises InputError as `describe_status` does.
    """
    name = latest_name(run)
    definition = stored_plans(open_storage(run.settings.storage_url), run.study.name, run.profile)[name]
    rates: dict[str, float] = definition.get("rates", {})
    return rates


def _queues(run: StudyRun) -> dict[str, Queue]:
    require_storage(run.settings.storage_url)
    with planning(run.settings.storage_url):  # a run that is just starting makes the tables
        storage = open_storage(run.settings.storage_url)
    names = stored_plans(storage, run.study.name, run.profile)
    if not names:
        raise InputError(f"the storage holds no study {run.study.name} of profile {run.profile}; run it first")
    return {name: stored_queue(storage, name) for name in names}


def _table(name: str, queue: Queue) -> str:
    trials = queue.trials.get_trials(deepcopy=False)
    groups: dict[tuple[str, str], list[FrozenTrial]] = defaultdict(list)
    cells = _cells(trials)
    for trial in cells.values():
        groups[_state(trial), worker_name(trial.user_attrs.get(WORKER))].append(trial)
    rows = [(state, worker, len(group), _age(group), _which(group)) for (state, worker), group in groups.items()]
    table = tabulate(rows, ("state", "worker", "cells", "age", "which"), disable_numparse=True)
    cut_off = sum(_state(trial) == "cut off" for trial in trials)
    notes = f"{cut_off} times a cell was cut off and left to another worker; {queue.num_late()} late results discarded."
    return f"{name}: {len(cells)} cells\n{table}\n{notes}"


def _cells(trials: list[FrozenTrial]) -> dict[str, FrozenTrial]:
    """By cell hash, the trial that speaks for the cell."""
    latest_first = {TrialState.FAIL: -1}
    ordered = sorted(trials, key=lambda t: (PRECEDENCE.index(t.state), latest_first.get(t.state, 1) * t.number))
    cells: dict[str, FrozenTrial] = {}
    for trial in ordered:
        if LATE not in trial.user_attrs:
            cells.setdefault(trial.user_attrs.get("cell_hash", ""), trial)
    return cells


def _state(trial: FrozenTrial) -> str:
    if trial.state in (TrialState.RUNNING, TrialState.WAITING):
        return trial.state.name.lower()
    if LATE in trial.user_attrs:
        return "late"
    return str(trial.user_attrs.get("outcome", "cut off"))


def _age(trials: list[FrozenTrial]) -> str:
    """Since the latest of them started, if they run, or ended."""
    times = [time for trial in trials if (time := trial.datetime_complete or trial.datetime_start) is not None]
    if not times:
        return "-"
    seconds = duration((datetime.datetime.now() - max(times)).total_seconds())
    return seconds if trials[0].state == TrialState.RUNNING else f"{seconds} ago"


def _which(trials: list[FrozenTrial]) -> str:
    names = [f"{trial.user_attrs.get('variant')} seed {trial.params.get('seed', '?')}" for trial in trials]
    return names[0] if len(names) == 1 else f"{names[0]}, ..., {names[-1]}"
