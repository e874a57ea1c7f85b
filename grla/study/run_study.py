"""A study from definition to finished cells: lock, images, storage, plan, run, provenance."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import filelock
import torch
from optuna.exceptions import StorageInternalError

from grla.errors import InputError, require
from grla.files import write_text
from grla.study.dashboard import ARTIFACTS, Artifacts, Makers
from grla.study.definition import Cell, Study
from grla.study.engine import Plan, make_plan, run_plan
from grla.study.material import Material, baseline_rows, load_material
from grla.study.progress import StopRequest, StudyProgress
from grla.study.provenance import describe_run
from grla.study.run_one import save_images
from grla.study.storage import FILE_NAME, open_storage


@dataclass(frozen=True)
class StudyRun:
    """What to run and where: a profile of a study, changed by `changes` (spec field to value), below folder `out`.

    For studies that get more seeds as they need them (`grla.report.looks`): `stopped` are the variants that stop after
    fewer seeds than the others, with their number of seeds; `num_looks` is at how many looks verdicts may be given.
    `cell_files` make what the dashboard shows of each finished cell.
    """

    study: Study
    profile: str
    out: Path
    device: torch.device
    changes: Mapping[str, object] = field(default_factory=dict)
    seeds: int | None = None
    stopped: Mapping[str, int] = field(default_factory=dict)
    num_looks: int = 1
    cell_files: Makers = field(default_factory=dict)

    @property
    def folder(self) -> Path:
        """Where this run's tables, figures, logs and checkpoints go."""
        return self.out / self.study.name / self.profile

    def cells(self) -> tuple[Cell, ...]:
        """All cells, done or not."""
        cells = self.study.cells(self.profile, self.changes, self.seeds)
        return tuple(cell for cell in cells if cell.spec.seed < self.stopped.get(cell.variant, cell.spec.seed + 1))


def run_study(run: StudyRun) -> str:
    """Run all cells that are not done and return the name of the Optuna study that holds them.

    Raises `Interrupted` after Ctrl-C, with everything finished so far in the storage, and InputError for unusable
    images, an `out` that cannot be written, or one in which another run is under way.
    """
    cells = run.cells()
    try:
        with _only_run_in(run.out), StopRequest() as stop:
            materials = _Materials(run)
            plan = make_plan(open_storage(run.out), run.study, run.profile, cells, materials.find, run.device)
            _write_surroundings(run, plan)
            unfinished = len(plan.unfinished())
            if unfinished < len(cells):
                print(f"{len(cells) - unfinished} of {len(cells)} cells are done already and taken over.")
            progress = StudyProgress(len(cells) - unfinished, len(cells))
            artifacts = Artifacts(run.out / ARTIFACTS, run.cell_files)
            run_plan(plan, run.folder, run.device, lambda planned: progress.start(planned, stop), artifacts)
            return plan.trials.study_name
    except StorageInternalError as error:
        reason = str(error.__cause__ or error).splitlines()[0]
        raise InputError(f"the storage {run.out / FILE_NAME} failed: {reason}; finished cells are kept") from error


def choose_device(name: str) -> torch.device:
    """The device called "auto" (a GPU if there is one), "cpu" or "cuda"; asking for a missing GPU is an InputError."""
    available = torch.cuda.is_available()
    require(name != "cuda" or available, "--device", "cuda needs a GPU that PyTorch can see; use cpu", name)
    return torch.device("cuda" if name == "cuda" or (name == "auto" and available) else "cpu")


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


@contextmanager
def _only_run_in(out: Path) -> Iterator[None]:
    """Hold a lock that the operating system drops when its holder dies; timings need the machine to themselves."""
    lock = filelock.FileLock(out / ".lock")
    try:
        out.mkdir(parents=True, exist_ok=True)
        lock.acquire(timeout=0)
    except filelock.Timeout as error:
        raise InputError(f"another run is under way in {out}; wait for it or choose another --out") from error
    except OSError as error:
        raise InputError(f"cannot write to {out}: {error.strerror}; choose another --out") from error
    try:
        yield
    finally:
        lock.release()


def _write_surroundings(run: StudyRun, plan: Plan) -> None:
    """Provenance, and the baseline every cell is compared with."""
    base = plan.cells[0]
    materials = {id(planned.material): (planned.material, planned.cell.spec.model.upscale) for planned in plan.cells}
    baselines = [row for material, factor in materials.values() for row in baseline_rows(material, factor)]
    plan.trials.set_user_attr("baselines", json.dumps(baselines))
    # A plan for more looks is never forgotten: verdicts may have been read at them.
    plan.trials.set_user_attr("num_looks", max(run.num_looks, plan.trials.user_attrs.get("num_looks", 1)))
    for name, answers in base.material.baselines.items():
        save_images(run.folder / "images" / name, base.material, answers)
    save_images(run.folder / "images" / "hr", base.material, [pair.hr for pair in base.material.test])
    provenance = {
        **describe_run(),
        "study": run.study.name,
        "profile": run.profile,
        "optuna_study": plan.trials.study_name,
        "storage": FILE_NAME,
        "device": run.device.type,
        "cells": {planned.cell_hash: planned.cell.variant for planned in plan.cells},
        "image_checksums": base.material.checksums,
    }
    write_text(run.folder / "provenance.json", json.dumps(provenance, indent=2) + "\n")
