"""Running the cells of a plan: a worker claims one, runs it from its last checkpoint, and has its record accepted."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import optuna
import torch
from optuna.exceptions import UpdateFinishedTrialError
from optuna.trial import TrialState

from grla.engine.cell import run_one
from grla.engine.dashboard import Artifacts
from grla.engine.execution import USUAL, Execution
from grla.engine.plan import MAX_SEED, Plan, PlannedCell
from grla.engine.record import CellFolders, Listener
from grla.engine.shared import SharedFiles
from grla.errors import Interrupted
from grla.study import Record

STATES = {"ok": TrialState.COMPLETE, "diverged": TrialState.PRUNED}
"""How outcomes are told to Optuna. Divergence belongs to the cell and is kept like a result; lack of memory and errors
belong to the machine or the code, are FAIL, and are tried again by the next run."""
LONGEST_POLL_SECONDS = 5.0
"""How often a worker that finds nothing to claim looks again, at most."""


@dataclass(frozen=True)
class Workplace:
    """Where and beside whom a worker runs cells.

    Files go below `folder` and, for other machines, to `shared`; `artifacts` is what the dashboard shows.
    `workers` is how many of this run share the machine.
    """

    folder: Path
    device: torch.device
    shared: SharedFiles | None = None
    workers: int = 1
    artifacts: Artifacts | None = None
    execution: Execution = USUAL


def run_plan(
    plan: Plan,
    workplace: Workplace,
    make_listener: Callable[[PlannedCell], Listener],
    should_stop: Callable[[], bool] = lambda: False,
) -> None:
    """Claim and run cells until all are finished, waiting for those that other workers have.

    Raises `Interrupted` when a listener or `should_stop` asks for it; a cell under way goes back to the queue and goes
    on from its checkpoint with whoever claims it next.
    """
    factors = json.loads(plan.trials.user_attrs["definition"])["factors"]
    cells = {planned.cell_hash: planned for planned in plan.cells}
    while (trial := _next_trial(plan, should_stop)) is not None:
        with plan.queue.heartbeat(trial):
            for factor in factors:
                trial.suggest_categorical(factor["name"], list(factor["levels"]))
            trial.suggest_int("seed", 0, MAX_SEED)
            _run_cell(plan, trial, cells[trial.user_attrs["cell_hash"]], workplace, make_listener)


def _next_trial(plan: Plan, should_stop: Callable[[], bool]) -> optuna.Trial | None:
    """Claim the next cell; while there is none, wait for what others may leave. None when all have ended."""
    wanted = {planned.cell_hash for planned in plan.cells}
    interval = plan.queue.storage.get_heartbeat_interval() or 0
    while plan.queued():
        if should_stop():
            raise Interrupted("stopped between two cells")
        plan.queue.bury()
        trial = plan.queue.claim(wanted)
        if trial is not None:
            return trial
        time.sleep(min(LONGEST_POLL_SECONDS, interval / 10))
    return None


def _run_cell(
    plan: Plan,
    trial: optuna.Trial,
    planned: PlannedCell,
    workplace: Workplace,
    make_listener: Callable[[PlannedCell], Listener],
) -> None:
    """Run one claimed cell and have its record accepted, unless its worker was silent for too long meanwhile."""
    folders = cell_folders(workplace.folder, planned)
    listener = _ReportingListener(trial, make_listener(planned), folders, workplace.shared)
    if workplace.shared is not None:
        workplace.shared.fetch_checkpoints(folders)
    workers = max(workplace.workers, plan.queue.running_here())
    listener.lap("storage")
    try:
        spec, material = planned.cell.spec, planned.material
        record = run_one(spec, material, folders, workplace.device, listener, workplace.execution)
    except Interrupted:
        if not listener.lost:
            plan.queue.give_back(trial)
            raise
        return listener.finished("given to another worker, which had heard nothing of this one")
    record.workers = workers
    if workplace.shared is not None and record.outcome == "ok":
        workplace.shared.put_results(folders)
    if workplace.artifacts is not None:
        workplace.artifacts.keep(trial, vars(record), folders.images)
    accepted = _tell(plan, trial, record)
    listener.lap("storage")
    listener.finished(record.outcome if accepted else f"{record.outcome}, but late: another worker has this cell now")


def cell_folders(folder: Path, planned: PlannedCell) -> CellFolders:
    """Where the files of a cell go below a study's folder; TensorBoard shows the readable name."""
    readable = planned.cell.variant.replace(", ", "_")
    log = f"{readable}_seed{planned.cell.spec.seed}_{planned.cell_hash[:6]}"
    return CellFolders(
        checkpoint=folder / "checkpoints" / f"{planned.cell_hash}.pt",
        tensorboard=folder / "tensorboard" / log,
        images=folder / "images" / planned.cell_hash,
    )


def _tell(plan: Plan, trial: optuna.Trial, record: Record) -> bool:
    """Store the record; False when it comes too late."""
    values = vars(record)
    attributes = {"record": json.dumps(values)}
    for name, value in values.items():  # one attribute each, so that the dashboard has them as columns
        if name not in ("cell_hash", "images", "history") and value is not None:
            attributes[name] = value
    state = STATES.get(record.outcome, TrialState.FAIL)
    return plan.queue.accept(trial, attributes, record.psnr_y if record.outcome == "ok" else None, state)


class _ReportingListener:
    """Passes everything on and tells Optuna each validation, which draws learning curves on the dashboard.

    `lost` is set when Optuna answers that the trial has ended: it was given to another worker, and this one stops.
    """

    def __init__(self, trial: optuna.Trial, inner: Listener, folders: CellFolders, shared: SharedFiles | None) -> None:
        self.trial = trial
        self.stepped = inner.stepped
        self.finished = inner.finished
        self.lost = False
        self._inner = inner
        self._folders = folders
        self._shared = shared

    def validated(self, entry: dict[str, float]) -> None:
        """Report the validation PSNR-Y at its step."""
        self.lap("logging")
        try:
            self.trial.report(entry["val_psnr_y"], int(entry["step"]))
        except UpdateFinishedTrialError:
            self.lost = True
        self.lap("storage")
        self._inner.validated(entry)

    def should_stop(self) -> bool:
        """Whether the cell was lost or a person asked."""
        return self.lost or self._inner.should_stop()

    def lap(self, phase: str) -> None:
        """A checkpoint that has just been written goes to the other machines as well."""
        if phase == "checkpoint" and self._shared is not None:
            self._shared.put_checkpoint(self._folders)
        self._inner.lap(phase)
