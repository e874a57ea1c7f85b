"""A search from definition to finished trials: images, storage, workers, provenance."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

import torch

from grla.engine import (
    FILE_NAME,
    Crew,
    Queue,
    StopRequest,
    TrainingMaterial,
    TrialsProgress,
    load_training_material,
    open_storage,
    planning,
    run_workers,
    storage_named,
    storage_url,
)
from grla.errors import require_at_least
from grla.files import write_text
from grla.provenance import describe_run, without_password
from grla.spec import RunSpec
from grla.study import Search, Space
from grla.tuning.affordable import require_possible
from grla.tuning.trials import Tuning, num_counted, open_trials, run_trials


@dataclass(frozen=True)
class TuningRun:
    """What to tune, where and by whom: a profile of a search, its base changed by `changes`, below folder `out`."""

    search: Search
    profile: str
    out: Path
    device: torch.device
    changes: Mapping[str, object] = field(default_factory=dict)
    trials: int | None = None
    crew: Crew = field(default_factory=Crew)

    @property
    def folder(self) -> Path:
        """Where this run's tables, figures, logs and checkpoints go."""
        return self.out / self.search.name / self.profile

    @property
    def num_trials(self) -> int:
        """How many trials are to be trained, all in all."""
        number = self.search.profile(self.profile).trials if self.trials is None else self.trials
        require_at_least("trials", number, 1)
        return number

    @property
    def storage(self) -> str:
        """The URL of the storage."""
        return storage_url(self.crew.storage, self.out)

    def space(self) -> Space:
        """The configurations that are searched."""
        return self.search.space(self.profile, self.changes)


def run_tuning(run: TuningRun) -> str:
    """Run the trials that are missing and return the name of the Optuna study that holds them all.

    No test image is read. Several processes may do so at once, each with one or more workers. Raises `Interrupted`
    after Ctrl-C, with everything finished so far in the storage, and InputError for an impossible search, unusable
    images, or an `out` or a storage that cannot be used.
    """
    number = run.num_trials
    require_at_least("--workers", run.crew.workers, 1)
    with storage_named(run.storage), StopRequest() as stop:
        require_possible(run.space(), run.device)
        tuning = _open(run)
        _write_provenance(run, tuning)
        done = num_counted(tuning.trials)
        if done:
            print(f"{min(done, number)} of {number} trials are done already.")
        if run.crew.workers > 1:
            run_workers(partial(join_tuning, run), run.crew.workers, run.device, stop)
        else:
            run_trials(tuning, number, TrialsProgress(number, stop))
        missing = number - num_counted(tuning.trials)
        if missing > 0:
            print(f"{missing} of {number} trials are missing: too many configurations were refused; see trials.csv.")
        return tuning.trials.study_name


def join_tuning(run: TuningRun, stop: StopRequest) -> None:
    """What one of several workers does: run trials until there are enough."""
    with storage_named(run.storage):
        run_trials(_open(run), run.num_trials, TrialsProgress(run.num_trials, stop, run.crew.workers))


def _open(run: TuningRun) -> Tuning:
    """The search in its storage, written if it is new, with what dead workers left put back."""
    space, materials = run.space(), _Materials(run)
    images = materials.find(space.base).checksums
    with planning(run.storage):
        storage = open_storage(run.storage, run.crew.grace)
        queue = Queue(open_trials(storage, run.search, run.profile, space, images), storage)
        queue.bury()
    return Tuning(queue, space, run.folder, materials.find, run.device)


class _Materials:
    """Loads each distinct set of images once; patch and batch size are part of what is distinct."""

    def __init__(self, run: TuningRun) -> None:
        self.run = run
        self._loaded: dict[object, TrainingMaterial] = {}

    def find(self, spec: RunSpec) -> TrainingMaterial:
        key = spec.data, spec.model.upscale
        if key not in self._loaded:
            self._loaded[key] = load_training_material(*key, self.run.out / "cache", self.run.device)
        return self._loaded[key]


def _write_provenance(run: TuningRun, tuning: Tuning) -> None:
    provenance = {
        **describe_run(),
        "search": run.search.name,
        "profile": run.profile,
        "optuna_study": tuning.trials.study_name,
        "storage": FILE_NAME if run.crew.storage is None else without_password(run.crew.storage),
        "workers": run.crew.workers,
        "device": run.device.type,
        "image_checksums": dict(tuning.find_material(tuning.space.base).checksums),
    }
    write_text(run.folder / "provenance.json", json.dumps(provenance, indent=2) + "\n")
