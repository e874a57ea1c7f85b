"""Training any super-resolution model within a budget."""

from grla.training.checkpoint import load_checkpoint, previous_checkpoint, resume_checkpoint, save_checkpoint
from grla.training.distributed import (
    dismiss,
    follow_jobs,
    leads,
    met_at,
    num_processes,
    own_slice,
    process_group,
    require_equal_slices,
    trained_together,
    trainer_kind,
)
from grla.training.freed_memory import keep_freed_memory
from grla.training.loop import STEP_PHASES, Diverged, StepStats, Trainer, fit
from grla.training.precision import precisions_of, require_precision
from grla.training.queued import QueuedTrainer
from grla.training.tracking import Tracker
