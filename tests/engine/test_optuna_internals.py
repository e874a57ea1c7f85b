"""What this project knows of Optuna's inside is true of the version that is installed, and of no other by chance."""

from pathlib import Path

import optuna

from grla.engine.optuna_internals import STORAGE_METHODS, VERSION, heartbeat_of, trial_id
from grla.engine.storage import PatientStorage, open_storage
from tests.shared import ROOT


def test_the_version_is_the_one_that_is_known_and_the_only_one_that_is_installed() -> None:
    assert optuna.__version__ == VERSION
    assert f"optuna=={VERSION}\n" in (ROOT / "requirements.txt").read_text(encoding="utf-8")


def test_all_that_optuna_calls_of_a_storage_is_known_and_patient() -> None:
    """The list is read off Optuna's cache, which stands in front of every storage."""
    source = Path(optuna.storages._cached_storage.__file__).read_text(encoding="utf-8")
    called = {part.split("(")[0].strip() for part in source.split("self._backend.")[1:]}
    assert called - STORAGE_METHODS == {"_get_best_trial_id"}  # of which we ask nothing
    patient = {name for name in STORAGE_METHODS if hasattr(getattr(PatientStorage, name), "__wrapped__")}
    assert patient == STORAGE_METHODS
    assert len(patient) > 15


def test_trials_have_the_numbers_that_storages_are_asked_by(tmp_path: Path) -> None:
    storage = open_storage(tmp_path)
    study = optuna.create_study(storage=storage)
    study.add_trial(optuna.trial.create_trial(value=1.0))
    trial = study.ask()
    assert storage.get_trial(trial_id(trial)).number == trial.number == 1
    with heartbeat_of(trial, storage):
        optuna.storages.fail_stale_trials(study)
    assert study.trials[1].state == optuna.trial.TrialState.RUNNING


def test_private_names_are_used_nowhere_else() -> None:
    for path in (ROOT / "grla").rglob("*.py"):
        if path.name != "optuna_internals.py":
            source = path.read_text(encoding="utf-8")
            for name in ("._trial_id", "storages._", "artifacts._", "._study_id", "._storage"):
                assert name not in source, (path, name)
