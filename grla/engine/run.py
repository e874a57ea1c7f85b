"""A study from definition to finished cells: plan, workers, provenance."""

from __future__ import annotations

import json
from dataclasses import asdict
from functools import partial

import torch

from grla.engine.cell import save_images
from grla.engine.claiming import cell_folders
from grla.engine.material import baseline_rows
from grla.engine.plan import Plan
from grla.engine.progress import StopRequest
from grla.engine.shared import open_shared
from grla.engine.storage import FILE_NAME
from grla.engine.taken_over import bring_files
from grla.engine.work import StudyRun, join_work, open_plan, storage_named, work
from grla.engine.workers import run_workers
from grla.errors import require
from grla.files import write_text
from grla.provenance import describe_run, without_password
from grla.study import OPEN_FIELDS
from grla.training import num_processes


def run_study(run: StudyRun) -> str:
    """Run all cells that are not done and return the name of the Optuna study that holds them.

    Several processes may do so at once, each with one or more workers: every cell is run by one of them. Raises
    `Interrupted` after Ctrl-C, with everything finished so far in the storage, and InputError for unusable images, an
    `out` that cannot be written, or a storage that cannot be used.
    """
    cells = run.cells()
    with storage_named(run.storage), StopRequest() as stop:
        plan = open_plan(run)
        if not run.crew.join:
            _write_surroundings(run, plan)
        unfinished = len(plan.unfinished())
        if unfinished < len(cells):
            print(f"{len(cells) - unfinished} of {len(cells)} cells are done already and taken over.")
        if run.crew.workers > 1 and unfinished:
            run_workers(partial(join_work, run), run.crew.workers, run.device, stop)
        elif run.crew.workers == 1:
            work(run, plan, stop)
        bring_files(plan, run.folder)
        _fetch_pictures(run, plan)
        _tell_losses(plan)
        return plan.trials.study_name


def choose_device(name: str) -> torch.device:
    """The device called "auto" (a GPU if there is one), "cpu" or "cuda"; asking for a missing GPU is an InputError."""
    available = torch.cuda.is_available()
    require(name != "cuda" or available, "--device", "cuda needs a GPU that PyTorch can see; use cpu", name)
    return torch.device("cuda" if name == "cuda" or (name == "auto" and available) else "cpu")


def _fetch_pictures(run: StudyRun, plan: Plan) -> None:
    """Bring the pictures of cells that other machines ran, for the figures."""
    shared = open_shared(run.crew.artifacts)
    if shared is not None:
        names = [path.name for path in (run.folder / "images" / "hr").glob("*.png")]
        for planned in plan.cells:
            shared.fetch_pictures(cell_folders(run.folder, planned), names)


def _tell_losses(plan: Plan) -> None:
    """Say what can happen to several workers: late results, and cells that ended worker after worker."""
    late, given_up = plan.queue.num_late(), plan.given_up()
    if late:
        print(f"{late} late results of workers that had been silent for too long were discarded.")
    if given_up:
        names = ", ".join(f"{planned.cell.variant} seed {planned.cell.spec.seed}" for planned in given_up)
        print(f"Given up, because each worker that had it died: {names}. Run again to try once more.")


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
        "storage": FILE_NAME if run.crew.storage is None else without_password(run.crew.storage),
        "workers": run.crew.workers,
        "device": run.device.type,
        "execution": {**asdict(run.execution), "processes": num_processes()},
        "base_changes": {path: value for path, value in run.changes.items() if not path.startswith(OPEN_FIELDS)},
        "cells": {planned.cell_hash: planned.cell.variant for planned in plan.cells},
        "image_checksums": base.material.checksums,
        # Of panels with images of their own: the hashes of their cells name these.
        "other_images": [material.checksums for material, _ in materials.values() if material is not base.material],
    }
    write_text(run.folder / "provenance.json", json.dumps(provenance, indent=2) + "\n")
