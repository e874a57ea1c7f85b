"""Every private name of Optuna that this project uses. requirements.txt pins the version they are known to be in.

`tests/engine/test_optuna_internals.py` fails when another version has changed them.
"""

from __future__ import annotations

from typing import Any

import optuna
from optuna.storages._heartbeat import BaseHeartbeat, BaseHeartbeatThread, get_heartbeat_thread
from optuna.trial import FrozenTrial

__all__ = ["STORAGE_METHODS", "VERSION", "BaseHeartbeatThread", "heartbeat_of", "trial_id"]

VERSION = "5.0.0"
STORAGE_METHODS = frozenset(
    {*optuna.storages.BaseStorage.__abstractmethods__, *BaseHeartbeat.__abstractmethods__}
    | {"_create_new_trial", "_get_trials", "_set_trial_param", "get_trial_id_from_study_id_trial_number"}
)
"""What Optuna's cache in front of a storage calls of it, each one transaction: its interface, and four of its own."""


def trial_id(trial: optuna.Trial | FrozenTrial) -> int:
    """The number of a trial in its storage, which storages are asked by."""
    return trial._trial_id


def heartbeat_of(trial: optuna.Trial, storage: Any) -> BaseHeartbeatThread:
    """A context during which the storage is told again and again that the trial's worker is alive."""
    return get_heartbeat_thread(trial._trial_id, storage)
