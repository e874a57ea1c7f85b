"""Running the cells of a plan: a worker claims one, runs it from its last checkpoint, and has its record accepted."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import optuna
import torch
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState

from grla.engine.cell import CellRun, Listener, run_cell
from grla.engine.cells import CellFolder, CellStore
from grla.engine.dashboard import Artifacts
from grla.engine.measuring import costs_of
from grla.engine.plan import MAX_SEED, Plan, PlannedCell
from grla.engine.processes import USUAL, Execution
from grla.errors import Interrupted
from grla.study import NESTED, VALIDATION_PSNR, Record

STATES = {"ok": TrialState.COMPLETE, "diverged": TrialState.PRUNED}
"""How outcomes are told to Optuna. Divergence belongs to the cell and is kept like a result; lack of memory and errors
belong to the machine or the code, are FAIL, and are tried again by the next run."""
FIRST_POLL_SECONDS, LONGEST_POLL_SECONDS = 0.1, 5.0
"""After how long a worker that finds nothing to claim looks again, at first and at most."""


@dataclass(frozen=True)
class Worker:
    """What a worker runs cells with: a store for their files, a device, and what the dashboard shows of them.

    `workers` is how many of this run share the machine.
    """

    store: CellStore
    device: torch.device
    artifacts: Artifacts | None = None
    workers: int = 1
    execution: Execution = USUAL


def claimed_cells(
    plan: Plan, should_stop: Callable[[], bool] = lambda: False
) -> Iterator[tuple[optuna.Trial, PlannedCell]]:
    """The cells that this worker claims, until all are finished; it waits for those that other workers have.

    Raises `Interrupted` when `should_stop` asks for it.
    """
    cells = {planned.cell_hash: planned for planned in plan.cells}
    longest = min(LONGEST_POLL_SECONDS, (plan.queue.storage.get_heartbeat_interval() or 0) / 10)
    pause = FIRST_POLL_SECONDS
    while plan.queued():
        if should_stop():
            raise Interrupted("stopped between two cells")
        plan.queue.bury()
        trial = plan.queue.claim(cells)
        if trial is None:
            time.sleep(min(pause, longest))
            pause *= 2  # the last cells of a study may end soon, or in hours
        else:
            pause = FIRST_POLL_SECONDS
            yield trial, cells[trial.user_attrs["cell_hash"]]


def run_claimed(plan: Plan, trial: optuna.Trial, planned: PlannedCell, worker: Worker, inner: Listener) -> None:
    """Run one claimed cell and have its record accepted, unless its worker was silent for too long meanwhile.

    Raises `Interrupted` when the listener asks for it; the cell goes back to the queue and goes on from its checkpoint
    with whoever claims it next.
    """
    folder = worker.store.folder(planned.cell_hash)
    listener = ReportingListener(trial, inner, folder, worker.store)
    with plan.queue.heartbeat(trial):
        for factor in plan.layout.factors:
            trial.suggest_categorical(factor.name, list(factor.levels))
        trial.suggest_int("seed", 0, MAX_SEED)
        worker.store.fetch(folder)
        workers = max(worker.workers, plan.queue.running_here())
        listener.lap("storage")
        costs = costs_of(plan, planned, worker.device, worker.execution)
        run = CellRun(planned.cell.spec, planned.material, folder, worker.device, listener, worker.execution, costs)
        try:
            record = run_cell(run, planned.material)
        except Interrupted:
            if not listener.lost:
                plan.queue.give_back(trial)
                raise
            return listener.finished("given to another worker, because this one had been silent for too long")
        record.workers = workers
        accepted = _keep(plan, trial, record, worker, folder)
        listener.lap("storage")
    listener.finished(record.outcome if accepted else f"{record.outcome}, but late: another worker has this cell now")


def _keep(plan: Plan, trial: optuna.Trial, record: Record, worker: Worker, folder: CellFolder) -> bool:
    """Store what a cell left: its files, then its record; False when it comes too late."""
    if record.outcome == "ok":
        worker.store.finished(folder)
    if worker.artifacts is not None:
        worker.artifacts.keep(trial, vars(record), folder.path)
    attributes = {"record": json.dumps(vars(record))}
    for name, value in vars(record).items():  # one attribute each, so that the dashboard has them as columns
        if name not in ("cell_hash", *NESTED) and value is not None:
            attributes[name] = value
    state = STATES.get(record.outcome, TrialState.FAIL)
    accepted = plan.queue.accept(trial, attributes, record.psnr_y if record.outcome == "ok" else None, state)
    if accepted:
        worker.store.accepted(folder, record)
    return accepted


class ReportingListener:
    """Passes everything on, tells Optuna each validation, and the store each checkpoint.

    `lost` is set when Optuna answers that the trial has ended: it was given to another worker, and this one stops.
    """

    def __init__(self, trial: optuna.Trial, inner: Listener, folder: CellFolder, store: CellStore) -> None:
        self.trial = trial
        self.stepped = inner.stepped
        self.lap = inner.lap
        self.finished = inner.finished
        self.lost = False
        self._inner = inner
        self._folder = folder
        self._store = store

    def validated(self, entry: dict[str, float]) -> None:
        """Report the validation PSNR-Y at its step; the dashboard draws learning curves of it."""
        self.lap("logging")
        try:
            self.trial.report(entry[VALIDATION_PSNR], int(entry["step"]))
        except UpdateFinishedTrialError:
            self.lost = True
        self.lap("storage")
        self._inner.validated(entry)

    def checkpointed(self) -> None:
        """The checkpoint goes to the other machines as well."""
        self._store.checkpointed(self._folder)
        self._inner.checkpointed()

    def should_stop(self) -> bool:
        """Whether the cell was lost or a person asked."""
        return self.lost or self._inner.should_stop()
