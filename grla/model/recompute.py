"""Activation checkpointing: recomputing a block in the backward pass instead of storing its activations."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext

from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint


def recomputed(block: nn.Module, x: Tensor) -> Tensor:
    """block(x), storing only x for the backward pass, which recomputes the rest (Chen et al. 2016).

    Values, gradients and running statistics are those of block(x).
    """
    out: Tensor = checkpoint(block, x, use_reentrant=False, context_fn=lambda: (nullcontext(), _running_copies(block)))
    return out


@contextmanager
def _running_copies(block: nn.Module) -> Iterator[None]:
    """Make BatchNorm layers update copies of their running statistics, which have counted the batch already."""
    norms = [module for module in block.modules() if isinstance(module, nn.BatchNorm2d)]
    kept = [(norm, name, buffer) for norm in norms for name, buffer in norm.named_buffers()]
    try:
        for norm, name, buffer in kept:
            setattr(norm, name, buffer.clone())
        yield
    finally:
        for norm, name, buffer in kept:
            setattr(norm, name, buffer)
