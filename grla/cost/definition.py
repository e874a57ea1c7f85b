"""What is counted: a network's definition, not the faster paths that usually run."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from contextlib import contextmanager

import torch
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel


def definition_of(model: nn.Module, device: str) -> nn.Module:
    """A copy of `model` on `device`, in eval mode and on the plain path of modules that have one."""
    definition = copy.deepcopy(model).to(device).eval()
    for module in definition.modules():
        if hasattr(module, "plain_path"):
            module.plain_path = True  # type: ignore[assignment]
        for name, value in vars(module).items():
            if isinstance(value, Tensor):  # neither parameter nor buffer, so `to` has not moved it
                setattr(module, name, value.to(device))
    return definition


@contextmanager
def plain_torch() -> Iterator[None]:
    """Run PyTorch's own attention as the matrix products of its definition, without gradients."""
    was_fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.mha.set_fastpath_enabled(was_fast)
