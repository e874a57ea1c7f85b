"""Training any super-resolution model within a budget."""

from grla.training.checkpoint import load_checkpoint, previous_checkpoint, resume_checkpoint, save_checkpoint
from grla.training.distributed import (
    SharedTrainer,
    announce,
    end_of_steps,
    leads,
    next_job,
    num_processes,
    own_slice,
    process_group,
    require_equal_slices,
    trainer_kind,
)
from grla.training.loop import STEP_PHASES, Diverged, StepStats, Trainer, advance, fit
from grla.training.tracking import Tracker

__all__ = [
    "STEP_PHASES",
    "Diverged",
    "SharedTrainer",
    "StepStats",
    "Tracker",
    "Trainer",
    "advance",
    "announce",
    "end_of_steps",
    "fit",
    "leads",
    "load_checkpoint",
    "next_job",
    "num_processes",
    "own_slice",
    "previous_checkpoint",
    "process_group",
    "require_equal_slices",
    "resume_checkpoint",
    "save_checkpoint",
    "trainer_kind",
]
