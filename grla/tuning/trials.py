"""Trials of a search on Optuna's storage: claim, price, train, prune, tell. Any number of processes may do it at once.

Optuna's TPE proposes; it works for one objective and for several, with conditional parameters and constraints. What a
trial ended as is its `outcome`, and Optuna is told so:

    ok             COMPLETE, with its objectives
    pruned         PRUNED: its curve was hopeless, or (`dominated`) its cost was, see `grla.tuning.pruning`
    over_limit     PRUNED and infeasible, by the share it exceeds the limits by: the sampler keeps away
    diverged       PRUNED and infeasible; `out_of_memory` and `invalid` (a broken rule of a spec) likewise
    error          FAIL: a fault of the code; the sampler does not see it

A trial that was not ended (killed, Ctrl-C) has no outcome; it is put back as a new one with the same parameters, which
finds the checkpoint of the first by the hash of its run. Trials are kept alive and given to others as cells are, see
`grla.engine.queue`.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import optuna
import torch
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import RDBStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState
from optuna_dashboard import save_note

from grla.devices import card_name, require_alive
from grla.engine import (
    USUAL,
    WORKER,
    CellRun,
    CellStore,
    Execution,
    Listener,
    Progress,
    Queue,
    TrainingMaterial,
    cell_hash,
    cell_source,
    outcome_of,
    this_worker,
    train,
)
from grla.errors import InputError, Interrupted
from grla.spec import RunSpec, spec_hash, with_changes
from grla.study import VALIDATION_PSNR, Choice, Float, Parameter, Record, Search, Space, Value, definition_of, note_of
from grla.tuning.price import REFUSED, Ending, ending_of, judge, minimised
from grla.tuning.pruning import Costs, Rival, dominated, hopeless

PSNR = "val_psnr_y_db"
STATES = {"ok": TrialState.COMPLETE, "error": TrialState.FAIL}  # others are PRUNED
MOST_REFUSED = 20
"""So many refused trials for each that was asked for are enough."""


@dataclass(frozen=True)
class Tuning:
    """A search under way: its trials, its space, its folder, where cells' files go, what it trains on and how.

    `dominated` and `hopeless` are the rules by which trials are not begun or are stopped, see `grla.tuning.pruning`.
    """

    queue: Queue
    space: Space
    folder: Path
    store: CellStore
    find_material: Callable[[RunSpec], TrainingMaterial]
    device: torch.device
    execution: Execution = USUAL
    train: Callable[[CellRun, Record], object] = train
    dominated: Callable[[Costs, Sequence[Rival]], str] = dominated
    hopeless: Callable[[Costs, Sequence[float], Sequence[Rival]], str] = hopeless

    @property
    def trials(self) -> optuna.Study:
        """The search's study."""
        return self.queue.trials


def open_trials(
    storage: RDBStorage, search: Search, profile: str, space: Space, images: dict[str, str]
) -> optuna.Study:
    """The search's study in the storage; written, with the base as its first trial, if it is new.

    Hold the lock of `grla.engine.storage.planning` meanwhile. `images` are the checksums of what is trained and
    validated on. Trials of changed code begin a study of their own: none is a rival of, or a hint for, another's.
    """
    definition = definition_of(search, profile, space, images, sources(space))
    trials = optuna.create_study(
        storage=storage,
        study_name=f"{search.name}-{profile}-{spec_hash(definition)[:8]}",
        directions=[StudyDirection.MAXIMIZE, *[StudyDirection.MINIMIZE] * len(space.minimise)],
        load_if_exists=True,
    )
    if "search" not in trials.user_attrs:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            trials.set_metric_names([PSNR, *space.minimise])
        for name in ("question", "source"):
            trials.set_user_attr(name, definition[name])
        save_note(trials, note_of(search, space))
        trials.enqueue_trial(space.base_configuration())
        trials.set_user_attr("search", json.dumps(definition))
    return trials


def sources(space: Space) -> list[str]:
    """The sources of all cells that trials may be: the base's, and those with one choice changed."""
    specs = [space.base]
    for parameter in space.parameters:
        for choice in parameter.choices if isinstance(parameter, Choice) else ():
            with suppress(InputError):  # a choice that needs others besides runs through the same modules
                specs.append(with_changes(space.base, {parameter.path: choice}))
    return sorted({cell_source(spec) for spec in specs})


def num_counted(trials: optuna.Study) -> int:
    """The trials that count as asked for: all that were trained, however they ended, and those under way."""
    return sum(map(_counts, trials.get_trials(deepcopy=False)))


def run_trials(tuning: Tuning, number: int, progress: Progress) -> None:
    """Run trials until `number` that count are in the storage, or until far too many were refused.

    Several processes may call it at once on one storage: each claims its own trials, and together they run `number`.
    Raises `Interrupted` when a person asked to stop, with the trial under way put back, and InputError when the GPU is
    of no more use.
    """
    while num_counted(tuning.trials) < number and _num_refused(tuning.trials) < MOST_REFUSED * number:
        tuning.queue.bury()
        progress.num_done = min(num_counted(tuning.trials), number - 1)
        trial = _claim(tuning.trials, number)
        if trial is not None:
            trial.set_user_attr(WORKER, this_worker())
            # A worker that was silent for too long finds its trial ended: another has it now.
            with tuning.queue.heartbeat(trial), suppress(UpdateFinishedTrialError):
                _run_trial(tuning, trial, progress)
            require_alive(tuning.device)


def _claim(trials: optuna.Study, number: int) -> optuna.Trial | None:
    """The next trial; None if another process was faster to the last one.

    The sampler is seeded anew by the number of the trial: a run can be repeated, also one that was interrupted, and no
    two processes draw the same.
    """
    trials.sampler = optuna.samplers.TPESampler(seed=len(trials.get_trials(deepcopy=False)))
    trial = trials.ask()
    trials.sampler = optuna.samplers.TPESampler(seed=trial.number)
    if sum(_counts(other) for other in trials.get_trials(deepcopy=False) if other.number < trial.number) < number:
        return trial
    trials.tell(trial, state=TrialState.FAIL)
    return None


def _run_trial(tuning: Tuning, trial: optuna.Trial, progress: Progress) -> None:
    """Take one trial from its configuration to its outcome, and tell Optuna."""
    configuration = tuning.space.configure(lambda parameter: _suggest(trial, parameter))
    trial.set_user_attr("changes", tuning.space.changes(configuration))
    record = Record("", device=tuning.device.type, gpu=card_name(tuning.device))
    refusal = judge(tuning.space, configuration, record, tuning.device)
    if refusal is None and (reason := tuning.dominated(minimised(tuning.space, record), _rivals(tuning))):
        refusal = Ending("dominated", reason)
    if refusal is not None:
        progress.refused(f"trial {trial.number}", f"{refusal.outcome}, {refusal.reason}")
        return _tell(tuning, trial, record, refusal)
    spec = tuning.space.spec(configuration)
    material = tuning.find_material(spec)
    record.cell_hash, record.source = cell_hash(spec, material, tuning.device), cell_source(spec)
    twin = _twin(tuning.trials, record.cell_hash)
    if twin is not None:
        progress.refused(f"trial {trial.number}", f"it is trial {twin.number} again")
        known = Record(**json.loads(twin.user_attrs["record"]))
        return _tell(tuning, trial, known, ending_of(known))
    trial.set_user_attr("cell_hash", record.cell_hash)
    values = ", ".join(f"{name}={_short(value)}" for name, value in configuration.items())
    shown = progress.start(f"trial {trial.number}: {values}")
    listener = StoppingListener(shown, record, lambda curve: _verdict(tuning, record, curve), _reporter(tuning, trial))
    tuning.store.link(tuning.folder, {record.cell_hash: f"trial{trial.number}_{record.cell_hash[:6]}"})
    run = CellRun(spec, material, tuning.store.folder(record.cell_hash), tuning.device, listener, tuning.execution)
    try:
        with outcome_of(record):
            tuning.train(run, record)
    except Interrupted:
        if not listener.verdict:
            tuning.trials.tell(trial.number, state=TrialState.FAIL)
            tuning.trials.enqueue_trial(trial.params)
            raise
    ending = Ending("pruned", listener.verdict) if listener.verdict else ending_of(record)
    _tell(tuning, trial, record, ending)
    if not listener.verdict:
        tuning.store.accepted(run.folder, record)
    return shown.finished(ending.outcome)


def _tell(tuning: Tuning, trial: optuna.Trial, record: Record, ending: Ending) -> None:
    """Write all that is known into the trial, one attribute each for the dashboard's columns, and finish it."""
    for name, value in vars(record).items():
        if name not in ("images", "history", "outcome", "reason", "psnr_y", "ssim_y") and value not in (None, ""):
            trial.set_user_attr(name, value)
    trial.set_user_attr("record", json.dumps(vars(record)))
    trial.set_user_attr("outcome", ending.outcome)
    if ending.reason:
        trial.set_user_attr("reason", ending.reason)
    for name, share in ending.infeasible.items():
        trial.set_constraint(name, share)
    values = None
    if ending.outcome == "ok":
        values = [record.history[-1][VALIDATION_PSNR], *minimised(tuning.space, record)]
    tuning.trials.tell(trial, values, state=STATES.get(ending.outcome, TrialState.PRUNED))


def _verdict(tuning: Tuning, record: Record, curve: Sequence[float]) -> str:
    return tuning.hopeless(minimised(tuning.space, record), curve, _rivals(tuning))


def _rivals(tuning: Tuning) -> list[Rival]:
    """The trials that were trained to the end."""
    rivals = []
    for trial in tuning.trials.get_trials(deepcopy=False, states=(TrialState.COMPLETE,)):
        history = json.loads(trial.user_attrs["record"])["history"]
        rivals.append(Rival(tuple(trial.values[1:]), tuple(entry[VALIDATION_PSNR] for entry in history)))
    return rivals


def _twin(trials: optuna.Study, wanted: str) -> FrozenTrial | None:
    """The trial that was trained to the end as the same run, if there is one: it would give the same result."""
    finished = trials.get_trials(deepcopy=False, states=(TrialState.COMPLETE,))
    return next((trial for trial in finished if trial.user_attrs["cell_hash"] == wanted), None)


def _reporter(tuning: Tuning, trial: optuna.Trial) -> Callable[[float, int], None]:
    """Optuna takes learning curves, which the dashboard draws, for one objective only."""
    return trial.report if not tuning.space.minimise else lambda *_: None


def _suggest(trial: optuna.Trial, parameter: Parameter) -> Value:
    if isinstance(parameter, Choice):
        return cast(Value, trial.suggest_categorical(parameter.name, parameter.choices))
    if isinstance(parameter, Float):
        return trial.suggest_float(parameter.name, parameter.low, parameter.high, log=parameter.log)
    return trial.suggest_int(parameter.name, parameter.low, parameter.high, step=parameter.step)


def _counts(trial: FrozenTrial) -> bool:
    outcome = trial.user_attrs.get("outcome")
    return trial.state == TrialState.RUNNING or (outcome is not None and outcome not in REFUSED)


def _num_refused(trials: optuna.Study) -> int:
    return sum(trial.user_attrs.get("outcome") in REFUSED for trial in trials.get_trials(deepcopy=False))


def _short(value: Value) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)


class StoppingListener:
    """Passes everything on, reports each validation, and has the curve judged by `rule`.

    `rule` says of the PSNR-Y (dB) of all validations so far why the trial is to be stopped, "" if it is not; `verdict`
    is what it said last. `report` is given the validation PSNR-Y in dB and its step.
    """

    def __init__(
        self,
        inner: Listener,
        record: Record,
        rule: Callable[[Sequence[float]], str],
        report: Callable[[float, int], None],
    ) -> None:
        self.record = record
        self.rule = rule
        self.report = report
        self.verdict = ""
        self.stepped = inner.stepped
        self.lap = inner.lap
        self.checkpointed = inner.checkpointed
        self.finished = inner.finished
        self._inner = inner

    def validated(self, entry: dict[str, float]) -> None:
        """Judge the curve up to here; the record's history has the entries before, those before a resume included."""
        self.report(entry[VALIDATION_PSNR], int(entry["step"]))
        self.verdict = self.rule([earlier[VALIDATION_PSNR] for earlier in (*self.record.history, entry)])
        self._inner.validated(entry)

    def should_stop(self) -> bool:
        """Whether the curve is hopeless or a person asked."""
        return bool(self.verdict) or self._inner.should_stop()
