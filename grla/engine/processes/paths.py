"""By which path a network's attention runs on a GPU: what its times there depend on."""

from __future__ import annotations

import torch
from torch import nn

from grla.engine.processes.execution import USUAL, Execution
from grla.errors import InputError
from grla.model import build_on_meta
from grla.spec import ModelSpec, RunSpec


def attention_path(model: nn.Module, device: torch.device, execution: Execution = USUAL) -> str:
    """The path of the network's attention on a GPU, "compiled" in training that is; "" where it has but one.

    See `grla.study.Record`.
    """
    # Found by what it offers: cells without such a kernel do not depend on its code.
    paths = (path_on(device) for module in model.modules() if (path_on := getattr(module, "path_on", None)) is not None)
    path: str = next(paths, "")
    return "compiled" if path and execution.compile else path


def planned_path(spec: RunSpec, device: torch.device) -> str:
    """`attention_path` of the network that a spec is of; "" on a CPU, and where it cannot be built."""
    if device.type != "cuda" or not isinstance(spec.model, ModelSpec):
        return ""
    try:
        return attention_path(build_on_meta(spec.model), device)
    except InputError:  # which its measurement says
        return ""
