"""Planning the cells of a study into an Optuna storage and running those that are not done.

The storage is the truth: every cell is a trial with real parameters (one per factor, and the seed) and its record in
the trial's user attributes. Cells are found again by hash, whatever study or trial they ran in.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import optuna
import torch
from optuna.trial import FrozenTrial, TrialState

from grla.errors import Interrupted
from grla.spec import spec_hash, to_dict
from grla.study.dashboard import Artifacts, artifact_attributes, write_note
from grla.study.definition import Cell, Study
from grla.study.material import Material, cell_hash
from grla.study.run_one import CellFolders, Listener, Record, run_one

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
STATES = {"ok": TrialState.COMPLETE, "diverged": TrialState.PRUNED}
"""How outcomes are told to Optuna. Divergence belongs to the cell and is kept like a result; lack of memory and errors
belong to the machine or the code, are FAIL, and are tried again by the next run."""
MAX_SEED = 9999


@dataclass(frozen=True)
class PlannedCell:
    """A cell, its hash, and the material it runs on."""

    cell: Cell
    cell_hash: str
    material: Material


@dataclass(frozen=True)
class Plan:
    """One profile of one study, ready to run: its Optuna study and all its cells."""

    trials: optuna.Study
    cells: tuple[PlannedCell, ...]

    def records(self) -> dict[str, Record]:
        """The accepted record of each finished cell by hash: the first one that finished."""
        records: dict[str, Record] = {}
        for trial in self.trials.get_trials(deepcopy=False, states=FINISHED):
            if "record" in trial.user_attrs:
                record = Record(**json.loads(trial.user_attrs["record"]))
                records.setdefault(record.cell_hash, record)
        return records

    def unfinished(self) -> list[PlannedCell]:
        """The cells that have no accepted record yet, in order."""
        done = self.records()
        return [cell for cell in self.cells if cell.cell_hash not in done]


def make_plan(
    storage: optuna.storages.RDBStorage,
    study: Study,
    profile: str,
    cells: tuple[Cell, ...],
    find_material: Callable[[Cell], Material],
    device: torch.device,
) -> Plan:
    """Write the study and its missing cells to the storage; take over finished cells from any study there.

    Call it from one process at a time, with no other process running cells of this storage: trials left RUNNING by a
    killed process are taken to be dead.
    """
    planned = tuple(
        PlannedCell(cell, cell_hash(cell.spec, find_material(cell), device), find_material(cell)) for cell in cells
    )
    definition = _definition(study, profile, planned)
    trials = optuna.create_study(
        storage=storage,
        study_name=f"{study.name}-{profile}-{spec_hash(definition)[:8]}",
        direction="maximize",
        load_if_exists=True,
        # Every parameter of every trial is given; a sampler is never asked.
        sampler=optuna.samplers.RandomSampler(seed=0),
    )
    if "definition" not in trials.user_attrs:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            trials.set_metric_names(["psnr_y_db"])
        trials.set_user_attr("definition", json.dumps(definition))
        trials.set_user_attr("question", study.question)
        trials.set_user_attr("source", study.source)
        write_note(trials, study, profile)
    plan = Plan(trials, planned)
    _bury_dead_trials(trials)
    _take_over(plan, storage)
    _enqueue(plan)
    return plan


def run_plan(
    plan: Plan,
    folder: Path,
    device: torch.device,
    make_listener: Callable[[PlannedCell], Listener],
    artifacts: Artifacts,
) -> None:
    """Run the cells that are not finished, one at a time, in order; each one's `artifacts` go to the dashboard.

    Raises `Interrupted` when a listener asks to stop; the cell under way then goes on from its checkpoint next time.
    """
    factors = json.loads(plan.trials.user_attrs["definition"])["factors"]
    cells = {planned.cell_hash: planned for planned in plan.cells}
    while plan.trials.get_trials(deepcopy=False, states=(TrialState.WAITING,)):
        trial = plan.trials.ask()
        for factor in factors:
            trial.suggest_categorical(factor["name"], factor["levels"])
        trial.suggest_int("seed", 0, MAX_SEED)
        planned = cells.get(trial.user_attrs.get("cell_hash", ""))
        if planned is None:  # enqueued by an earlier run for a seed that is not asked for now
            plan.trials.tell(trial, state=TrialState.FAIL)
            continue
        listener = _ReportingListener(trial, make_listener(planned))
        listener.lap("storage")
        folders = cell_folders(folder, planned)
        try:
            record = run_one(planned.cell.spec, planned.material, folders, device, listener)
        except Interrupted:
            plan.trials.tell(trial, state=TrialState.FAIL)
            raise
        artifacts.keep(trial, vars(record), folders.images)
        _tell(plan.trials, trial, record)
        listener.lap("storage")
        listener.finished(record.outcome)


def cell_folders(folder: Path, planned: PlannedCell) -> CellFolders:
    """Where the files of a cell go below a study's folder; TensorBoard shows the readable name."""
    readable = planned.cell.variant.replace(", ", "_")
    log = f"{readable}_seed{planned.cell.spec.seed}_{planned.cell_hash[:6]}"
    return CellFolders(
        checkpoint=folder / "checkpoints" / f"{planned.cell_hash}.pt",
        tensorboard=folder / "tensorboard" / log,
        images=folder / "images" / planned.cell_hash,
    )


def _definition(study: Study, profile: str, planned: tuple[PlannedCell, ...]) -> dict[str, Any]:
    """What makes two runs the same Optuna study: everything but the seeds (levels of a parameter cannot change)."""
    base = planned[0]
    return {
        "study": study.name,
        "profile": profile,
        "question": study.question,
        "source": study.source,
        "design": study.design,
        "factors": [
            {"name": factor.name, "levels": list(factor.levels), "base": base.cell.levels[factor.name]}
            for factor in study.resolved_factors(profile)
        ],
        "base": {**to_dict(base.cell.spec), "seed": None},
        "images": base.material.checksums,
    }


def _bury_dead_trials(trials: optuna.Study) -> None:
    for trial in trials.get_trials(deepcopy=False, states=(TrialState.RUNNING,)):
        trials.tell(trial.number, state=TrialState.FAIL)


def _take_over(plan: Plan, storage: optuna.storages.RDBStorage) -> None:
    """Copy finished trials of the plan's cells from the storage's other studies."""
    wanted = {planned.cell_hash: planned.cell for planned in plan.unfinished()}
    for name in optuna.get_all_study_names(storage) if wanted else ():
        for trial in optuna.load_study(study_name=name, storage=storage).get_trials(states=FINISHED):
            cell = wanted.pop(trial.user_attrs.get("cell_hash", ""), None)
            if cell is not None:
                plan.trials.add_trial(_copy(trial, plan, cell))


def _copy(trial: FrozenTrial, plan: Plan, cell: Cell) -> FrozenTrial:
    factors = json.loads(plan.trials.user_attrs["definition"])["factors"]
    distributions: dict[str, optuna.distributions.BaseDistribution] = {
        factor["name"]: optuna.distributions.CategoricalDistribution(factor["levels"]) for factor in factors
    }
    distributions["seed"] = optuna.distributions.IntDistribution(0, MAX_SEED)
    return optuna.trial.create_trial(
        state=trial.state,
        value=trial.value if trial.state == TrialState.COMPLETE else None,
        params=_parameters(cell),
        distributions=distributions,
        user_attrs={**trial.user_attrs, "variant": cell.variant},
        system_attrs=artifact_attributes(trial),
        intermediate_values=trial.intermediate_values,
    )


def _enqueue(plan: Plan) -> None:
    waiting = plan.trials.get_trials(deepcopy=False, states=(TrialState.WAITING,))
    queued = {trial.user_attrs.get("cell_hash") for trial in waiting}
    for planned in plan.unfinished():
        if planned.cell_hash not in queued:
            attributes = {"cell_hash": planned.cell_hash, "variant": planned.cell.variant}
            plan.trials.enqueue_trial(_parameters(planned.cell), user_attrs=attributes)


def _parameters(cell: Cell) -> dict[str, Any]:
    return {**cell.levels, "seed": cell.spec.seed}


def _tell(trials: optuna.Study, trial: optuna.Trial, record: Record) -> None:
    values = vars(record)
    trial.set_user_attr("record", json.dumps(values))
    for name, value in values.items():  # one attribute each, so that the dashboard has them as columns
        if name not in ("cell_hash", "images", "history") and value is not None:
            trial.set_user_attr(name, value)
    state = STATES.get(record.outcome, TrialState.FAIL)
    trials.tell(trial, record.psnr_y if record.outcome == "ok" else None, state=state)


class _ReportingListener:
    """Passes everything on and tells Optuna each validation, which draws learning curves on the dashboard."""

    def __init__(self, trial: optuna.Trial, inner: Listener) -> None:
        self.trial = trial
        self.stepped = inner.stepped
        self.should_stop = inner.should_stop
        self.lap = inner.lap
        self.finished = inner.finished
        self._inner = inner

    def validated(self, entry: dict[str, float]) -> None:
        """Report the validation PSNR-Y at its step."""
        self.lap("logging")
        self.trial.report(entry["val_psnr_y"], int(entry["step"]))
        self.lap("storage")
        self._inner.validated(entry)
