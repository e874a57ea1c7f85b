"""Cells as trials of an Optuna study: claimed by one worker at a time, kept alive, given to another, accepted once.

A trial waits until a worker claims it, runs while its worker sends heartbeats, and ends COMPLETE, PRUNED (diverged) or
FAIL. A cell whose worker died goes on as a new trial with the same cell hash: count cells, not trials.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import socket
import warnings
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path
from typing import Any

import optuna
import psutil
from optuna.exceptions import UpdateFinishedTrialError
from optuna.storages import RDBStorage, RetryHeartbeatStaleTrialCallback
from optuna.trial import FrozenTrial, TrialState

from grla.engine.optuna_internals import BaseHeartbeatThread, heartbeat_of, trial_id

FINISHED = (TrialState.COMPLETE, TrialState.PRUNED)
WAITING, RUNNING = (TrialState.WAITING,), (TrialState.RUNNING,)
MAX_DEATHS = 3
"""A cell whose workers died more often than this is given up, so that it cannot end all of them."""
CELL_ATTRIBUTES = ("cell_hash", "variant")
WORKER, LATE = "worker", "late_record"
START_TOLERANCE_SECONDS = 60
"""Two processes of one number are told apart by when they started, which a changed clock may move."""


def requeue(study: optuna.Study, trial: FrozenTrial) -> None:
    """Put the cell of a trial whose worker has died into the queue again; Optuna calls this, and so do we."""
    trial.user_attrs = {name: trial.user_attrs[name] for name in CELL_ATTRIBUTES if name in trial.user_attrs}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        RetryHeartbeatStaleTrialCallback(MAX_DEATHS)(study, trial)


class Queue:
    """The trials of one study in a storage with heartbeats."""

    def __init__(self, trials: optuna.Study, storage: RDBStorage) -> None:
        self.trials = trials
        self.storage = storage

    def select(self, *states: TrialState) -> list[FrozenTrial]:
        """The trials in one of these states, in order of number."""
        return self.trials.get_trials(deepcopy=False, states=states)

    def hashes(self, *states: TrialState) -> set[str]:
        """The hashes of the cells that have a trial in one of these states."""
        return {trial.user_attrs.get("cell_hash", "") for trial in self.select(*states)}

    def claim(self, wanted: Collection[str]) -> optuna.Trial | None:
        """Make the first waiting trial of a wanted cell this worker's; None when no such trial waits.

        Not by `Study.ask`, which makes a stray trial when the queue is empty, and after whose claim a worker can die
        before its first heartbeat: Optuna never calls a trial stale that has none.
        """
        finished = self.hashes(*FINISHED)
        for waiting in self.select(*WAITING):
            if waiting.user_attrs.get("cell_hash") not in wanted:
                continue
            number = trial_id(waiting)
            try:
                if waiting.user_attrs["cell_hash"] in finished:  # queued twice, when the storage went while planning
                    self.storage.set_trial_state_values(number, TrialState.FAIL)
                    continue
                self.storage.record_heartbeat(number)
                if self.storage.set_trial_state_values(number, TrialState.RUNNING):
                    self.storage.set_trial_user_attr(number, WORKER, this_worker())
                    return optuna.Trial(self.trials, number)
            except UpdateFinishedTrialError:
                continue
        return None

    def heartbeat(self, trial: optuna.Trial) -> BaseHeartbeatThread:
        """While this context lasts the trial's worker is known to be alive."""
        return heartbeat_of(trial, self.storage)

    def bury(self) -> None:
        """Give the cells of dead workers to the queue: those silent for the grace, and those seen to be dead here."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            optuna.storages.fail_stale_trials(self.trials)
        for trial in self.select(*RUNNING):
            if is_dead(trial.user_attrs.get(WORKER)) and self._end(trial_id(trial)):
                requeue(self.trials, self.storage.get_trial(trial_id(trial)))

    def give_back(self, trial: optuna.Trial) -> None:
        """Put the cell of this worker's trial into the queue again, to be gone on with by whoever comes."""
        if self._end(trial_id(trial)):
            frozen = self.storage.get_trial(trial_id(trial))
            attributes = {name: frozen.user_attrs[name] for name in CELL_ATTRIBUTES}
            self.trials.enqueue_trial(frozen.params, user_attrs=attributes)

    def accept(self, trial: optuna.Trial, attributes: dict[str, Any], value: float | None, state: TrialState) -> bool:
        """End this worker's trial with its result; False when it is late: the cell was given to another meanwhile.

        A late result is kept in a failed trial of its own, where nothing reads it but the count of late ones.
        """
        number = trial_id(trial)
        if state in FINISHED and trial.user_attrs["cell_hash"] in self.hashes(*FINISHED):
            self._end(number)
        try:
            for name, attribute in attributes.items():
                self.storage.set_trial_user_attr(number, name, attribute)
            self.trials.tell(trial, value, state=state, skip_if_finished=True)
        except UpdateFinishedTrialError:
            pass
        stored = self.storage.get_trial(number)
        if stored.state == state and attributes.keys() <= stored.user_attrs.keys():
            return True
        kept = {name: stored.user_attrs[name] for name in (*CELL_ATTRIBUTES, WORKER) if name in stored.user_attrs}
        late = optuna.trial.create_trial(
            state=TrialState.FAIL,
            params=stored.params,
            distributions=stored.distributions,
            user_attrs={**kept, LATE: json.dumps(attributes)},
        )
        self.trials.add_trial(late)
        return False

    def running_here(self) -> int:
        """How many cells run on this machine now."""
        return sum(on_this_machine(trial.user_attrs.get(WORKER)) for trial in self.select(*RUNNING))

    def num_late(self) -> int:
        """How many late results were discarded."""
        return sum(LATE in trial.user_attrs for trial in self.select(TrialState.FAIL))

    def _end(self, number: int) -> bool:
        """Fail a running trial; False when somebody else has ended it."""
        try:
            return self.storage.set_trial_state_values(number, TrialState.FAIL)
        except UpdateFinishedTrialError:
            return False


def this_worker() -> str:
    """This process by host, process number, start, and machine: "host:4242:1763900000:0a1b2c3d"."""
    process = psutil.Process()
    return f"{socket.gethostname()}:{process.pid}:{process.create_time():.0f}:{_machine()}"


def worker_name(worker: str | None) -> str:
    """A worker as people are shown it: "host:4242"; "-" for none."""
    return "-" if worker is None else worker.rsplit(":", 2)[0]


def on_this_machine(worker: str | None) -> bool:
    """Whether the worker's process, if it is alive, can be seen from here."""
    return worker is not None and worker.endswith(f":{_machine()}")


def is_dead(worker: str | None) -> bool:
    """Whether it is certain that the worker's process has ended; of other machines' workers it never is."""
    if worker is None or not on_this_machine(worker):
        return False
    number, started = map(int, worker.split(":")[-3:-1])
    try:
        process = psutil.Process(number)
        other = abs(process.create_time() - started) > START_TOLERANCE_SECONDS
        return other or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True
    except psutil.AccessDenied:
        return False


@functools.cache
def _machine() -> str:
    """8 hex digits for everything that process numbers are unique in: host, its boot, and Linux' PID namespace."""
    parts = [socket.gethostname()]
    with suppress(OSError):
        parts.append(Path("/proc/sys/kernel/random/boot_id").read_text().strip())
    with suppress(OSError):
        parts.append(os.readlink("/proc/self/ns/pid"))
    return hashlib.sha256(" ".join(parts).encode()).hexdigest()[:8]
