"""Planning: the cells of a study as an Optuna study, written once, whoever runs them.

The storage is the truth: every cell is a trial with real parameters (one per factor, and the seed) and its record in
the trial's user attributes. Cells are found again by hash, whatever study or trial they ran in. One process plans at a
time (`grla.engine.storage.planning`).
"""

from __future__ import annotations

import json
import sys
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import optuna
import torch
from optuna.trial import FrozenTrial, TrialState

from grla.engine.dashboard import write_note
from grla.engine.material import Material, cell_source
from grla.engine.queue import FINISHED, Queue
from grla.errors import InputError
from grla.model import build_on_meta, fitting
from grla.spec import RunSpec, spec_hash, to_dict
from grla.study import Cell, Layout, Study, cell_identity, layout_from_json, layout_to_json

MAX_SEED = 9999


@dataclass(frozen=True)
class PlannedCell:
    """A cell, its hash, the material it runs on, the name of the source that computes it, and the type of device."""

    cell: Cell
    cell_hash: str
    material: Material
    source: str
    device: str


@dataclass(frozen=True)
class Plan:
    """One profile of one study, ready to run: its Optuna study, layout, all its cells, and the queue of those to do."""

    trials: optuna.Study
    layout: Layout
    cells: tuple[PlannedCell, ...]
    queue: Queue

    def unfinished(self) -> list[PlannedCell]:
        """The cells that have no accepted record yet, in order."""
        done = self.queue.hashes(*FINISHED)
        return [cell for cell in self.cells if cell.cell_hash not in done]

    def queued(self) -> list[PlannedCell]:
        """The cells that wait for a worker or are at one, in order."""
        queued = self.queue.hashes(TrialState.WAITING, TrialState.RUNNING)
        return [cell for cell in self.cells if cell.cell_hash in queued]

    def given_up(self) -> list[PlannedCell]:
        """The cells that are neither finished nor queued nor have failed by themselves: their workers died."""
        failures = self.queue.select(TrialState.FAIL)
        known = {trial.user_attrs["cell_hash"] for trial in failures if "record" in trial.user_attrs}
        known |= {planned.cell_hash for planned in self.queued()}
        return [cell for cell in self.unfinished() if cell.cell_hash not in known]


def named_cells(
    cells: Iterable[Cell], find_material: Callable[[RunSpec], Material], device: torch.device
) -> tuple[PlannedCell, ...]:
    """The cells with their hashes and what they run on."""
    planned = []
    for cell in cells:
        material, source = find_material(cell.spec), cell_source(cell.spec)
        name = cell_identity(cell.spec, material.checksums, device.type, source)
        planned.append(PlannedCell(cell, name, material, source, device.type))
    return tuple(planned)


def tell_start(planned: Iterable[PlannedCell]) -> None:
    """Print what networks do not start from, of weights that were given to start from: once for variants alike.

    Raises InputError for a network that none of them fit.
    """
    alike: dict[str, list[str]] = {}
    for variant, one in {one.cell.variant: one for one in planned}.items():
        if one.material.initial is not None:
            _, misfit = fitting(build_on_meta(one.cell.spec.model), one.material.initial)
            alike.setdefault(f"{one.cell.spec.train.init_from}; {misfit}", []).append(variant)
    for words, variants in alike.items():
        print(f"Training of {', '.join(variants)} starts from {words}.", file=sys.stderr, flush=True)


def make_plan(
    storage: optuna.storages.RDBStorage, study: Study, profile: str, planned: tuple[PlannedCell, ...]
) -> Plan:
    """Write the study and its missing cells to the storage; take over finished cells from any study there.

    Cells that failed are queued again. Hold the lock of `planning` meanwhile.
    """
    definition = _definition(study, profile, planned)
    trials = optuna.create_study(
        storage=storage,
        study_name=_study_name(definition),
        direction="maximize",
        load_if_exists=True,
        # Every parameter of every trial is given; a sampler is never asked.
        sampler=optuna.samplers.RandomSampler(seed=0),
    )
    if "definition" not in trials.user_attrs:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            trials.set_metric_names(["psnr_y_db"])
        trials.set_user_attr("question", study.question)
        trials.set_user_attr("source", study.source)
        write_note(trials, study, profile)
        trials.set_user_attr("definition", json.dumps(definition))
    _require_equal(trials, definition)
    plan = Plan(trials, layout_from_json(definition), planned, Queue(trials, storage))
    plan.queue.bury()
    _take_over(plan, storage)
    enqueue(plan)
    return plan


def join_plan(
    storage: optuna.storages.RDBStorage, study: Study, profile: str, planned: tuple[PlannedCell, ...]
) -> Plan:
    """The plan that another process wrote; raises InputError when there is none, saying what differs from others."""
    definition = _definition(study, profile, planned)
    name = _study_name(definition)
    others = stored_plans(storage, study.name, profile)
    # One that was renamed, as the dashboard can, is known by its definition.
    if name not in others:
        name = next((other for other, found in others.items() if not _differences(found, definition)), name)
    if name not in others:
        raise InputError(f"join: {_missing(name, definition, others)}")
    trials = optuna.load_study(study_name=name, storage=storage, sampler=optuna.samplers.RandomSampler(seed=0))
    _require_equal(trials, definition)
    return Plan(trials, layout_from_json(definition), planned, Queue(trials, storage))


def stored_plans(storage: optuna.storages.RDBStorage, study: str, profile: str) -> dict[str, dict[str, Any]]:
    """The definitions of a study's profile by Optuna's name, in order of creation: what was changed makes others."""
    found = {}
    for summary in optuna.get_all_study_summaries(storage, include_best_trial=False):
        definition = json.loads(summary.user_attrs.get("definition", "{}"))
        if (definition.get("study"), definition.get("profile")) == (study, profile):
            found[summary.study_name] = definition
    return found


def stored_queue(storage: optuna.storages.RDBStorage, name: str) -> Queue:
    """The queue of the study with Optuna's name `name`, which must exist."""
    return Queue(optuna.load_study(study_name=name, storage=storage), storage)


def enqueue(plan: Plan) -> None:
    """Queue the cells that have no accepted record and are not queued, failed ones included. Hold `planning`'s lock."""
    queued = {planned.cell_hash for planned in plan.queued()}
    for planned in plan.unfinished():
        if planned.cell_hash not in queued:
            attributes = {"cell_hash": planned.cell_hash, "variant": planned.cell.variant}
            plan.trials.enqueue_trial(_parameters(planned.cell), user_attrs=attributes)


def _study_name(definition: dict[str, Any]) -> str:
    return f"{definition['study']}-{definition['profile']}-{spec_hash(definition)[:8]}"


def _definition(study: Study, profile: str, planned: tuple[PlannedCell, ...]) -> dict[str, Any]:
    """What makes two runs the same Optuna study: all but the seeds, each variant's code and the device included."""
    base = planned[0]
    layout = layout_to_json(study.layout(profile, base.cell.spec))
    return {
        **{name: value for name, value in layout.items() if name != "num_looks"},
        "base": {**to_dict(base.cell.spec), "seed": None},
        "images": base.material.checksums,
        "code": {one.cell.variant: one.source for one in planned},
        "device": base.device,
    }


def _require_equal(trials: optuna.Study, definition: dict[str, Any]) -> None:
    """Refuse a study that has this definition's name and is another: names hold only a part of the hash."""
    differing = _differences(json.loads(trials.user_attrs["definition"]), definition)
    if differing:
        what = f"the storage's study {trials.study_name} has another {' and '.join(differing)} than this run"
        raise InputError(f"{what}; rename one of the two studies or use another storage")


def _missing(name: str, definition: dict[str, Any], alike: dict[str, dict[str, Any]]) -> str:
    """That the storage has no study `name`, and in what those of the same name and profile differ."""
    plan_first = "plan the study first (a run without join; with 0 workers it only plans)"
    if not alike:
        return f"the storage holds no study {name}; {plan_first}"
    devices = {other: f"device ({found.get('device')}, not {definition['device']})" for other, found in alike.items()}
    parts = {
        other: " and ".join(devices[other] if part == "device" else part for part in _differences(found, definition))
        for other, found in alike.items()
    }
    differing = "; ".join(f"{other} has another {what}" for other, what in parts.items())
    return f"the storage holds no study {name}: {differing}. Give the same arguments and images, or {plan_first}"


def _differences(stored: dict[str, Any], definition: dict[str, Any]) -> list[str]:
    expected = json.loads(json.dumps(definition))
    return [part for part in expected if stored.get(part) != expected[part]]


def _take_over(plan: Plan, storage: optuna.storages.RDBStorage) -> None:
    """Copy finished trials of the plan's cells from the storage's other studies."""
    wanted = {planned.cell_hash: planned.cell for planned in plan.unfinished()}
    for name in optuna.get_all_study_names(storage) if wanted else ():
        for trial in optuna.load_study(study_name=name, storage=storage).get_trials(states=FINISHED):
            cell = wanted.pop(trial.user_attrs.get("cell_hash", ""), None)
            if cell is not None:
                plan.trials.add_trial(_copy(trial, plan, cell))


def _copy(trial: FrozenTrial, plan: Plan, cell: Cell) -> FrozenTrial:
    distributions: dict[str, optuna.distributions.BaseDistribution] = {
        factor.name: optuna.distributions.CategoricalDistribution(list(factor.levels)) for factor in plan.layout.factors
    }
    distributions["seed"] = optuna.distributions.IntDistribution(0, MAX_SEED)
    return optuna.trial.create_trial(
        state=trial.state,
        value=trial.value if trial.state == TrialState.COMPLETE else None,
        params=_parameters(cell),
        distributions=distributions,
        user_attrs={**trial.user_attrs, "variant": cell.variant},
        system_attrs=trial.system_attrs,  # they link the trial to its files on the dashboard
        intermediate_values=trial.intermediate_values,
    )


def _parameters(cell: Cell) -> dict[str, Any]:
    return {**cell.levels, "seed": cell.spec.seed}
