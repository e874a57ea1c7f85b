"""A search from definition to finished trials: images, storage, workers, provenance."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path

from grla.engine import (
    Machine,
    Progress,
    Queue,
    RunSettings,
    StopRequest,
    Work,
    arrange,
    cached,
    load_training_material,
    open_cells,
    open_storage,
    planning,
    require_new_layout,
    run_workers,
    storage_named,
    threads_of,
)
from grla.errors import require_at_least
from grla.files import write_text
from grla.study import Search, Space
from grla.tuning.price import require_possible
from grla.tuning.trials import Tuning, num_counted, open_trials, run_trials


@dataclass(frozen=True)
class TuningRun:
    """What to tune: a profile of a search, its base changed by `changes` (spec field to value), with these settings."""

    search: Search
    profile: str
    settings: RunSettings
    changes: Mapping[str, object] = field(default_factory=dict)
    trials: int | None = None

    @property
    def folder(self) -> Path:
        """Where this run's tables and figures go."""
        return self.settings.out / self.search.name / self.profile

    @property
    def num_trials(self) -> int:
        """How many trials are to be trained, all in all."""
        number = self.search.profile(self.profile).trials if self.trials is None else self.trials
        require_at_least("trials", number, 1)
        return number

    def space(self) -> Space:
        """The configurations that are searched."""
        return self.search.space(self.profile, self.changes)


def run_tuning(run: TuningRun) -> str:
    """Run the trials that are missing and return the name of the Optuna study that holds them all.

    No test image is read. Several processes may do so at once, each with one or more workers. Raises `Interrupted`
    after Ctrl-C, with everything finished so far in the storage, and InputError for an impossible search, unusable
    images, or an `out` or a storage that cannot be used.
    """
    settings, number = run.settings, run.num_trials
    if settings.workers is not None:
        require_at_least("workers", settings.workers, 1)
    # Unless it is asked for, one trial at a time: what is tried next depends on all that were finished before.
    arrangement = arrange(Work(1), Machine.here(settings.device), settings.workers, settings.threads)
    require_new_layout(settings.out)
    with storage_named(settings.storage_url), StopRequest() as stop:
        require_possible(run.space(), settings.device)
        tuning = open_tuning(run)
        _write_provenance(run, tuning)
        done = num_counted(tuning.trials)
        if done:
            print(f"{min(done, number)} of {number} trials are done already.")
        if arrangement.workers > 1:
            job = partial(join_tuning, run, arrangement.workers)
            run_workers(job, arrangement.workers, arrangement.threads, settings.device, stop)
        else:
            with threads_of(arrangement.threads):
                run_trials(tuning, number, Progress(number, stop))
        missing = number - num_counted(tuning.trials)
        if missing > 0:
            print(f"{missing} of {number} trials are missing: too many configurations were refused; see trials.csv.")
        return tuning.trials.study_name


def join_tuning(run: TuningRun, workers: int, stop: StopRequest) -> None:
    """What one of several `workers` does: run trials until there are enough."""
    with storage_named(run.settings.storage_url):
        run_trials(open_tuning(run), run.num_trials, Progress(run.num_trials, stop, workers))


def open_tuning(run: TuningRun) -> Tuning:
    """The search in its storage, written if it is new, with what dead workers left put back."""
    settings, space = run.settings, run.space()
    find = cached(load_training_material, settings.cache, settings.device)
    with planning(settings.storage_url):
        storage = open_storage(settings.storage_url, settings.grace)
        trials = open_trials(storage, run.search, run.profile, space, find(space.base).checksums)
        queue = Queue(trials, storage)
        queue.bury()
    store = open_cells(settings.out, settings.artifacts)
    return Tuning(queue, space, run.folder, store, find, settings.device, settings.execution)


def _write_provenance(run: TuningRun, tuning: Tuning) -> None:
    provenance = {
        **run.settings.describe(),
        "search": run.search.name,
        "profile": run.profile,
        "optuna_study": tuning.trials.study_name,
        "image_checksums": dict(tuning.find_material(tuning.space.base).checksums),
    }
    write_text(run.folder / "provenance.json", json.dumps(provenance, indent=2) + "\n")
