"""A study from definition to finished cells: plan or join, then claim and run cells, beside other processes or not."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path

import torch

from grla.devices import require_alive
from grla.engine.cell import save_images
from grla.engine.cells import CELLS, CellStore, is_bucket, open_cells, require_new_layout
from grla.engine.claiming import Worker, claimed_cells, run_claimed
from grla.engine.dashboard import ARTIFACTS, Artifacts, Makers
from grla.engine.material import baseline_rows, cached, load_material
from grla.engine.measuring import costs_of, measure_variants, work_of
from grla.engine.plan import Plan, PlannedCell, enqueue, join_plan, make_plan, named_cells, tell_start
from grla.engine.processes import (
    USUAL,
    Arrangement,
    Execution,
    Machine,
    Progress,
    StopRequest,
    arrange,
    run_workers,
    team,
    threads_of,
    torchrun_group,
)
from grla.engine.storage import (
    FILE_NAME,
    GRACE_SECONDS,
    open_storage,
    planning,
    require_storage,
    storage_named,
    storage_url,
    waiting_for_server,
)
from grla.errors import require
from grla.files import write_text
from grla.provenance import describe_run, without_password
from grla.spec import all_stages
from grla.study import OPEN_FIELDS, Cell, Study
from grla.training import num_processes, require_equal_slices, require_precision


@dataclass(frozen=True)
class RunSettings:
    """Where a run's files go, on what it computes and who takes part; the same for studies and searches.

    Everything goes below folder `out`: cells, tables and, unless `storage` (a URL) names another, the storage, a SQLite
    file. `workers` are the processes on this machine (0 only plans) and `threads` what each computes with; None leaves
    that to `grla.engine.processes.arrangement`. `artifacts` is a folder that several machines share, or s3://, for
    cells' files. After `grace` seconds of silence a worker's cell is given to another.
    """

    out: Path
    device: torch.device
    workers: int | None = None
    threads: int | None = None
    storage: str | None = None
    artifacts: str | None = None
    grace: int = GRACE_SECONDS
    execution: Execution = USUAL

    def __post_init__(self) -> None:
        require(self.workers is None or self.workers >= 0, "workers", "must be at least 0", self.workers)
        require(self.threads is None or self.threads >= 1, "threads", "must be at least 1", self.threads)
        require(self.grace >= 1, "grace", "must be at least 1 second", self.grace)

    @property
    def storage_url(self) -> str:
        """The URL of the storage."""
        return storage_url(self.storage, self.out)

    @property
    def cache(self) -> Path:
        """Where decoded training images are kept."""
        return self.out / "cache"

    @property
    def shown_files(self) -> Path:
        """The folder whose files the dashboard shows; it can show none of a bucket."""
        shared = self.artifacts
        return self.out / ARTIFACTS if shared is None or is_bucket(shared) else Path(shared)

    def describe(self) -> dict[str, object]:
        """Provenance of a run with these settings, ready for JSON."""
        storage = FILE_NAME if self.storage is None else without_password(self.storage)
        return {
            **describe_run(),
            "storage": storage,
            "workers": self.workers,
            "threads": self.threads,
            "device": self.device.type,
            "execution": {**asdict(self.execution), "processes": num_processes()},
        }


@dataclass(frozen=True)
class StudyRun:
    """What to run: a profile of a study, changed by `changes` (spec field to value), with these settings.

    To `join` is to claim cells of a study that another process plans; failed ones only with `retry_failed`.
    For studies that get more seeds as they need them (`grla.report.until_clear`): `stopped` are the variants that stop
    after fewer seeds than the others, with their number of seeds; `num_looks` is at how many looks verdicts may be
    given. `cell_files` make what the dashboard shows of each finished cell.
    """

    study: Study
    profile: str
    settings: RunSettings
    changes: Mapping[str, object] = field(default_factory=dict)
    seeds: int | None = None
    join: bool = False
    retry_failed: bool = False
    stopped: Mapping[str, int] = field(default_factory=dict)
    num_looks: int = 1
    cell_files: Makers = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where this run's tables, figures and links to its cells go."""
        return self.settings.out / self.study.name / self.profile

    def cells(self) -> tuple[Cell, ...]:
        """All cells, done or not."""
        cells = self.study.cells(self.profile, self.changes, self.seeds)
        return tuple(cell for cell in cells if cell.spec.seed < self.stopped.get(cell.variant, cell.spec.seed + 1))


def run_study(run: StudyRun) -> str:
    """Run all cells that are not done and return the name of the Optuna study that holds them.

    Several processes may do so at once, each with one or more workers: every cell is run by one of them. Raises
    `Interrupted` after Ctrl-C, with everything finished so far in the storage, and InputError for unusable images, an
    `out` that cannot be written or holds results of an earlier layout, or a storage that cannot be used.
    """
    settings, cells = run.settings, run.cells()
    require_new_layout(settings.out)
    with storage_named(settings.storage_url), StopRequest() as stop:
        plan, store = open_plan(run), open_cells(settings.out, settings.artifacts)
        names = {planned.cell_hash: _readable(planned) for planned in plan.cells}
        unfinished = {planned.cell_hash for planned in plan.unfinished()}
        store.require_same_place(run.folder, names, names.keys() - unfinished)
        store.link(run.folder, names)
        if not run.join:
            _write_surroundings(run, plan, store)
        if len(unfinished) < len(cells):
            print(f"{len(cells) - len(unfinished)} of {len(cells)} cells are done already.")
        if unfinished and settings.workers != 0:
            _require_precisions(plan, settings.device)
            measure_variants(plan, settings.device, settings.execution, lambda: stop.asked)
            arrangement = _arrangement(run, plan, len(unfinished))
            if arrangement.workers > 1:
                job = partial(join_work, run, arrangement)
                run_workers(job, arrangement.workers, arrangement.threads, settings.device, stop)
            else:
                work(run, arrangement, plan, store, stop)
        _fetch_pictures(run, plan, store)
        _tell_losses(plan)
        return plan.trials.study_name


def open_plan(run: StudyRun) -> Plan:
    """Plan the study, or join the one that another process planned."""
    settings = run.settings
    make = join_plan if run.join else make_plan
    if run.join:
        require_storage(settings.storage_url)
    with planning(settings.storage_url):
        storage = open_storage(settings.storage_url, settings.grace)
        find = cached(load_material, settings.cache, settings.device)
        planned = named_cells(run.cells(), find, settings.device)
        if not run.join:
            tell_start(planned)
        plan = make(storage, run.study, run.profile, planned)
        if run.join and run.retry_failed:
            enqueue(plan)
    return plan


def work(run: StudyRun, arrangement: Arrangement, plan: Plan, store: CellStore, stop: StopRequest) -> None:
    """Claim and run cells in this process until all are finished; InputError when its GPU is of no more use."""
    settings, num_cells, workers = run.settings, len(plan.cells), arrangement.workers
    artifacts = Artifacts(settings.shown_files, run.cell_files, run.folder / "images")
    worker = Worker(store, settings.device, artifacts, workers, settings.execution)
    threads = arrangement.threads if settings.device.type == "cpu" else None
    progress = Progress(num_cells, stop, workers, threads=threads)
    find = partial(cached, load_material, settings.cache, settings.device)
    with threads_of(arrangement.threads), team(arrangement.processes, arrangement.threads, find):
        for trial, planned in claimed_cells(plan, lambda: stop.asked):
            progress.num_done = num_cells - len(plan.unfinished())
            run_claimed(plan, trial, planned, worker, progress.start(_name(planned)))
            require_alive(settings.device)


def join_work(run: StudyRun, arrangement: Arrangement, stop: StopRequest) -> None:
    """What one of several workers does: join the planned study, and work."""
    joining = replace(run, join=True, retry_failed=False)
    settings = run.settings
    with storage_named(settings.storage_url):
        # The run that started this worker has reached the server.
        plan = waiting_for_server(partial(open_plan, joining), settings.storage_url)
        work(run, arrangement, plan, open_cells(settings.out, settings.artifacts), stop)


@contextmanager
def torchrun(run: StudyRun) -> Iterator[bool]:
    """Inside, all processes that torchrun started train each cell of `run` together; without torchrun this one does.

    Gives True in the process that leads, which is to run the study. The others train what it trains until its block
    ends, and are given False. Raises InputError for a batch that cannot be shared out equally.
    """
    settings = run.settings
    with torchrun_group(settings.device, partial(cached, load_material, settings.cache, settings.device)) as leading:
        if leading and num_processes() > 1:
            require(not settings.execution.compile, "compile", "must be off under torchrun", True)
            require(settings.workers in (None, 1), "workers", "must be 1 under torchrun", settings.workers)
            for cell in run.cells():
                for _, _, batch_size in all_stages(cell.spec.data):
                    require_equal_slices(batch_size)
        yield leading


def _arrangement(run: StudyRun, plan: Plan, num_unfinished: int) -> Arrangement:
    """How the cells are run on this machine; it is printed. Under torchrun it is torchrun's, one thread a process."""
    settings, machine = run.settings, Machine.here(run.settings.device)
    if num_processes() > 1:
        return Arrangement(threads=settings.threads or machine.cores)
    costs = [(one.cell.spec, costs_of(plan, one, settings.device, settings.execution)) for one in plan.cells]
    work = work_of(costs, settings.execution)
    asked = arrange(work, machine, settings.workers, settings.threads)
    arrangement = replace(asked, workers=min(asked.workers, num_unfinished))
    print(f"{arrangement}.", file=sys.stderr, flush=True)
    return arrangement


def _require_precisions(plan: Plan, device: torch.device) -> None:
    """Refuse, once for all cells and before anything is measured, what this machine's GPU would have to emulate."""
    for planned in plan.queued():
        require_precision(planned.cell.spec.train.computed_in, device)


def _name(planned: PlannedCell) -> str:
    return f"{planned.cell.variant} seed {planned.cell.spec.seed}"


def _readable(planned: PlannedCell) -> str:
    """The name of a link to a cell's folder, the same for the same cell, and different for different code."""
    variant = planned.cell.variant.replace(", ", "_").replace("/", "-")
    return f"{variant}_seed{planned.cell.spec.seed}_{planned.cell_hash[:6]}"


def _fetch_pictures(run: StudyRun, plan: Plan, store: CellStore) -> None:
    """Bring the pictures of cells that other machines ran, for the figures."""
    names = [path.name for path in (run.folder / "images" / "hr").glob("*.png")]
    for planned in plan.cells:
        store.fetch_pictures(store.folder(planned.cell_hash), names)


def _tell_losses(plan: Plan) -> None:
    """Say what can happen to several workers: late results, and cells that ended worker after worker."""
    late, given_up = plan.queue.num_late(), plan.given_up()
    if late:
        print(f"{late} late results of workers that had been silent for too long were discarded.")
    if given_up:
        names = ", ".join(map(_name, given_up))
        print(f"Given up, because each worker that had it died: {names}. Run again to try once more.")


def _cells_folder(run: StudyRun, store: CellStore) -> dict[str, str]:
    """Where cells lie if not in the run's `out`: as it was given, but seen from the study's folder if relative."""
    if store.root == run.settings.out / CELLS:
        return {}
    root = store.root if store.root.is_absolute() else os.path.relpath(store.root, run.folder)
    return {"cells_folder": str(root)}


def _write_surroundings(run: StudyRun, plan: Plan, store: CellStore) -> None:
    """Provenance, and the baseline every cell is compared with."""
    base = plan.cells[0]
    materials = {id(planned.material): (planned.material, planned.cell.spec.model.upscale) for planned in plan.cells}
    for line in dict.fromkeys(line for material, _ in materials.values() for line in material.found):
        print(line)
    baselines = [row for material, factor in materials.values() for row in baseline_rows(material, factor)]
    plan.trials.set_user_attr("baselines", json.dumps(baselines))
    # A plan for more looks is never forgotten: verdicts may have been read at them.
    plan.trials.set_user_attr("num_looks", max(run.num_looks, plan.trials.user_attrs.get("num_looks", 1)))
    for name, answers in base.material.baselines.items():
        save_images(run.folder / "images" / name, base.material, answers)
    save_images(run.folder / "images" / "hr", base.material, [pair.hr for pair in base.material.test])
    provenance = {
        **run.settings.describe(),
        "study": run.study.name,
        "profile": run.profile,
        "optuna_study": plan.trials.study_name,
        **_cells_folder(run, store),
        "base_changes": {path: value for path, value in run.changes.items() if not path.startswith(OPEN_FIELDS)},
        "cells": {planned.cell_hash: planned.cell.variant for planned in plan.cells},
        "image_checksums": base.material.checksums,
        "trained_on": sorted({name for material, _ in materials.values() for name in material.overlap}),
        # Of panels with images of their own: the hashes of their cells name these.
        "other_images": [material.checksums for material, _ in materials.values() if material is not base.material],
    }
    write_text(run.folder / "provenance.json", json.dumps(provenance, indent=2) + "\n")
