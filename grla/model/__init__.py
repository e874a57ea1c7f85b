"""GRLASR and the baselines it is compared with."""

from __future__ import annotations

from torch import nn

from grla.model.network import GRLASR
from grla.spec import ModelSpec


def build_model(spec: ModelSpec) -> nn.Module:
    """Build GRLASR for `spec` with PyTorch's default initialisation (seed it with `torch.manual_seed` first).

    Raises InputError for an unknown kernel or kernel option.
    """
    return GRLASR(spec)
