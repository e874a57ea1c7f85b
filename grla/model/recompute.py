"""Activation checkpointing: computing a block twice, so as not to keep what its backward pass needs until then."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


def recomputed(block: nn.Module, x: Tensor) -> Tensor:
    """block(x), of which x alone is kept for the backward pass, which computes the rest anew (Chen et al. 2016).

    Values, gradients and running statistics are those of block(x).
    """
    out: Tensor = checkpoint(block, x, use_reentrant=False, context_fn=lambda: (nullcontext(), _running_copies(block)))
    return out


@contextmanager
def _running_copies(block: nn.Module) -> Iterator[None]:
    """BatchNorm layers write to copies of their running statistics: they have counted the batch once already."""
    norms = [module for module in block.modules() if isinstance(module, nn.BatchNorm2d)]
    kept = [(norm, name, buffer) for norm in norms for name, buffer in norm.named_buffers()]
    try:
        for norm, name, buffer in kept:
            setattr(norm, name, buffer.clone())
        yield
    finally:
        for norm, name, buffer in kept:
            setattr(norm, name, buffer)
