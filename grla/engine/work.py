"""One process' part in a study: open the storage, plan or join, claim and run cells until all are finished."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import torch
from optuna.exceptions import StorageInternalError

from grla.engine.claiming import Workplace, run_plan
from grla.engine.dashboard import ARTIFACTS, Artifacts, Makers
from grla.engine.execution import USUAL, Execution
from grla.engine.material import Material, load_material
from grla.engine.plan import Plan, PlannedCell, enqueue, join_plan, make_plan, named_cells
from grla.engine.progress import CellProgress, StopRequest, StudyProgress
from grla.engine.shared import open_shared
from grla.engine.storage import GRACE_SECONDS, open_storage, planning, require_storage, storage_url
from grla.errors import InputError, require
from grla.provenance import without_password
from grla.study import Cell, Study


@dataclass(frozen=True)
class Crew:
    """Who runs the cells, and what they share.

    `workers` processes on this machine (0 only plans); `storage`, a URL, by default a SQLite file; `artifacts`, a
    folder or s3:// for checkpoints and pictures; `grace`, seconds after which a silent worker's cell is given to
    another. To `join` is to claim cells of a study that another process plans; failed ones only with `retry_failed`.
    """

    workers: int = 1
    storage: str | None = None
    artifacts: str | None = None
    grace: int = GRACE_SECONDS
    join: bool = False
    retry_failed: bool = False

    def __post_init__(self) -> None:
        require(self.workers >= 0, "--workers", "must be at least 0", self.workers)
        require(self.grace >= 1, "--grace", "must be at least 1 second", self.grace)


@dataclass(frozen=True)
class StudyRun:
    """What to run and where: a profile of a study, changed by `changes` (spec field to value), below folder `out`.

    For studies that get more seeds as they need them (`grla.report.statistics.sequential`): `stopped` are the variants
    that stop after fewer seeds than the others, with their number of seeds; `num_looks` is at how many looks verdicts
    may be given. `cell_files` make what the dashboard shows of each finished cell.
    """

    study: Study
    profile: str
    out: Path
    device: torch.device
    changes: Mapping[str, object] = field(default_factory=dict)
    seeds: int | None = None
    crew: Crew = field(default_factory=Crew)
    stopped: Mapping[str, int] = field(default_factory=dict)
    num_looks: int = 1
    cell_files: Makers = field(default_factory=dict)
    execution: Execution = USUAL

    @property
    def folder(self) -> Path:
        """Where this run's tables, figures, logs and checkpoints go."""
        return self.out / self.study.name / self.profile

    @property
    def artifacts(self) -> Path:
        """The folder whose files the dashboard shows; it can show none of a bucket."""
        shared = self.crew.artifacts
        return self.out / ARTIFACTS if shared is None or shared.startswith("s3://") else Path(shared)

    @property
    def storage(self) -> str:
        """The URL of the storage."""
        return storage_url(self.crew.storage, self.out)

    def cells(self) -> tuple[Cell, ...]:
        """All cells, done or not."""
        cells = self.study.cells(self.profile, self.changes, self.seeds)
        return tuple(cell for cell in cells if cell.spec.seed < self.stopped.get(cell.variant, cell.spec.seed + 1))


def open_plan(run: StudyRun) -> Plan:
    """Plan the study, or join the one that another process planned."""
    crew, materials = run.crew, _Materials(run)
    make = join_plan if crew.join else make_plan
    if crew.join:
        require_storage(run.storage)
    with planning(run.storage):
        storage = open_storage(run.storage, crew.grace)
        plan = make(storage, run.study, run.profile, named_cells(run.cells(), materials.find, run.device))
        if crew.join and crew.retry_failed:
            enqueue(plan)
    return plan


def work(run: StudyRun, plan: Plan, stop: StopRequest) -> None:
    """Claim and run cells in this process until all are finished."""
    workers = run.crew.workers
    artifacts = Artifacts(run.artifacts, run.cell_files)
    workplace = Workplace(run.folder, run.device, open_shared(run.crew.artifacts), workers, artifacts, run.execution)
    num_cells = len(plan.cells)
    progress = StudyProgress(num_cells - len(plan.unfinished()), num_cells, workers=workers)

    def start(planned: PlannedCell) -> CellProgress:
        return progress.start(planned, stop, num_cells - len(plan.unfinished()))

    run_plan(plan, workplace, start, lambda: stop.asked)


def join_work(run: StudyRun, stop: StopRequest) -> None:
    """What one of several workers does: join the planned study, and work."""
    joining = replace(run, crew=replace(run.crew, join=True, retry_failed=False))
    with storage_named(run.storage):
        work(run, open_plan(joining), stop)


@contextmanager
def storage_named(url: str) -> Iterator[None]:
    """Say which storage failed in mid-run, and why."""
    try:
        yield
    except StorageInternalError as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        storage = url.removeprefix("sqlite:///")
        raise InputError(
            f"the storage {without_password(storage)} failed: {reason}; finished cells are kept"
        ) from error


class _Materials:
    """Loads each distinct set of images once."""

    def __init__(self, run: StudyRun) -> None:
        self.run = run
        self._loaded: dict[object, Material] = {}

    def find(self, cell: Cell) -> Material:
        data, upscale = cell.spec.data, cell.spec.model.upscale
        if (data, upscale) not in self._loaded:
            self._loaded[data, upscale] = load_material(data, upscale, self.run.out / "cache", self.run.device)
        return self._loaded[data, upscale]
