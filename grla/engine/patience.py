"""A database server that is away for a while does not end a run of days: its callers wait and try again."""

from __future__ import annotations

import functools
import sys
import time
from collections.abc import Callable
from typing import Any

import optuna
from sqlalchemy.exc import InterfaceError, OperationalError

from grla.errors import InputError

PATIENCE_SECONDS = 600
FIRST_PAUSE_SECONDS = 0.5
LONGEST_PAUSE_SECONDS = 10.0


class PatientStorage(optuna.storages.RDBStorage):
    """Optuna's storage, which asks a server that does not answer again for up to `PATIENCE_SECONDS`.

    After that it raises InputError. A SQLite file is not asked again: SQLite itself waits for its lock.
    """


def is_away(error: optuna.exceptions.StorageInternalError) -> bool:
    """Whether it was the server or the way to it that failed, rather than what was asked of it."""
    return isinstance(error.__cause__, (OperationalError, InterfaceError))


def _patiently(method: Callable[..., Any]) -> Callable[..., Any]:
    """`method` of a storage, repeated while the server is away.

    All of Optuna's methods are one transaction, so one that failed has left nothing, or, when the server went in the
    moment of its commit, everything; then a repeated change of a trial's state says that it has been made already.
    """

    @functools.wraps(method)
    def patient(storage: PatientStorage, *arguments: Any, **named: Any) -> Any:
        start, pause = time.monotonic(), FIRST_PAUSE_SECONDS
        while True:
            try:
                answer = method(storage, *arguments, **named)
            except optuna.exceptions.StorageInternalError as error:
                if not is_away(error) or storage.engine.dialect.name == "sqlite":
                    raise
                reason = str(getattr(error.__cause__, "orig", error)).splitlines()[0]
                waited = time.monotonic() - start
                if waited > PATIENCE_SECONDS:
                    message = f"the storage has not answered for {waited:.0f} s ({reason}); run again to go on"
                    raise InputError(message) from error
                if pause == FIRST_PAUSE_SECONDS:
                    _say(f"the storage does not answer ({reason}); trying again for {PATIENCE_SECONDS:.0f} s")
                time.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_SECONDS)
            else:
                if pause > FIRST_PAUSE_SECONDS:
                    _say(f"the storage is back after {time.monotonic() - start:.0f} s")
                return answer

    return patient


def _say(text: str) -> None:
    print(f"\n{text}", file=sys.stderr, flush=True)


# What Optuna's cache in front of a storage calls of it: the storage's interface, and four methods of its own.
_CALLED = {
    name
    for interface in (optuna.storages.BaseStorage, optuna.storages._heartbeat.BaseHeartbeat)
    for name in interface.__abstractmethods__
} | {"_create_new_trial", "_get_trials", "_set_trial_param", "get_trial_id_from_study_id_trial_number"}
for _name in _CALLED:
    setattr(PatientStorage, _name, _patiently(getattr(optuna.storages.RDBStorage, _name)))
