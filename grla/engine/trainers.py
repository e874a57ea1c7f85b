"""How a cell is trained: by which trainer, in which way, by how many processes."""

from __future__ import annotations

import functools

import torch
from torch import nn

from grla.engine.execution import USUAL, Execution
from grla.engine.material import TrainingMaterial
from grla.spec import RunSpec
from grla.training import Trainer, num_processes, own_slice


def make_trainer(
    spec: RunSpec,
    model: nn.Module,
    material: TrainingMaterial,
    device: torch.device,
    execution: Execution = USUAL,
    kind: type[Trainer] = Trainer,
) -> Trainer:
    """A trainer of `model` on the material's patches; batch t depends on the spec's seed and t alone.

    Of several processes each has its slice of the batch.
    """
    batch = own_slice(functools.partial(material.batch, spec.seed))
    return kind(model, spec.train, batch, device, execution.prepare)


def in_words(execution: Execution) -> str:
    """What a record says about the way its cell is trained: "" for the usual way in one process."""
    processes = f"{num_processes()} processes" if num_processes() > 1 else ""
    return ", ".join(filter(None, [str(execution), processes]))
