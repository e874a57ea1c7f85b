"""A study whose cells are each trained by several processes, which torchrun starts."""

from __future__ import annotations

import functools
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import torch

from grla.engine.material import load_material
from grla.engine.trainers import make_trainer
from grla.engine.work import StudyRun
from grla.errors import Interrupted, require
from grla.model import build_model
from grla.training import SharedTrainer, announce, leads, next_job, num_processes, process_group, require_equal_slices


def run_together(run: StudyRun, lead: Callable[[], str]) -> str | None:
    """`lead`, which runs `run`, by all processes that torchrun started, or by this one alone; None in the helping ones.

    Raises what `lead` does, and InputError for a batch that cannot be shared out equally.
    """
    with process_group(run.device):
        if num_processes() == 1:
            return lead()
        if not leads():
            help_first(run.out / "cache", run.device)
            return None
        require(not run.execution.compile, "--compile", "is for one process so far: leave it out or torchrun", True)
        require(run.crew.workers == 1, "--workers", "must be 1 under torchrun", run.crew.workers)
        for cell in run.cells():
            require_equal_slices(cell.spec.data.batch_size)
        try:
            name = lead()
        except Interrupted:
            announce(None)
            raise
        announce(None)
        return name


def help_first(cache: Path, device: torch.device) -> None:
    """Train what the first process announces, until it announces the end; exit with an error when it is gone."""
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)  # it is the first process that stops, at its next step
    material = functools.cache(load_material)
    try:
        while (job := next_job()) is not None:
            spec, execution, saved = job
            model = build_model(spec.model)
            images = material(spec.data, spec.model.upscale, cache, device)
            trainer = make_trainer(spec, model, images, device, execution, SharedTrainer)
            assert isinstance(trainer, SharedTrainer)
            if saved is not None:
                trainer.load_state_dict(saved)
            trainer.follow()
    except RuntimeError as error:
        sys.exit(f"a helping process ends: {str(error).splitlines()[0]}")
