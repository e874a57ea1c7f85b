"""GRLASR and the baselines it is compared with."""

from __future__ import annotations

import torch
from torch import nn

from grla.model.baselines import EdsrLite, find_factory, outside_model
from grla.model.network import GRLASR
from grla.spec import AnyModelSpec, EdsrLiteSpec, OutsideSpec


def build_model(spec: AnyModelSpec) -> nn.Module:
    """Build the network of `spec` with PyTorch's default initialisation (seed it with `torch.manual_seed` first).

    GRLASR for a ModelSpec, a baseline for the others. Raises InputError for an unknown kernel, option or factory.
    """
    if isinstance(spec, OutsideSpec):
        return outside_model(spec.factory, spec.upscale)
    return EdsrLite(spec) if isinstance(spec, EdsrLiteSpec) else GRLASR(spec)


def build_on_meta(spec: AnyModelSpec) -> nn.Module:
    """The network on PyTorch's meta device, without data: for counting, which needs shapes alone."""
    with torch.device("meta"):
        return build_model(spec)
