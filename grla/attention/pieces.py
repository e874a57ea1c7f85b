"""Taking many tokens in pieces that stay in the processor's cache through all steps."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from grla.attention.linear import linear

PIECE = 2**17  # numbers in the first tensor's piece; half a MiB


def pieces(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """The tensors (..., num_tokens, channels), cut alike along their tokens.

    On other devices than CPUs, and in compiled graphs, which would hold the steps of each piece, they stay whole.
    """
    first = tensors[0]
    cut = first.device.type == "cpu" and not torch.compiler.is_compiling()
    size = max(1, PIECE * first.shape[-2] // max(1, first.numel())) if cut else first.shape[-2]
    return zip(*(tensor.split(size, dim=-2) for tensor in tensors), strict=True)


def times(tokens: Tensor, matrix: Tensor) -> Tensor:
    """tokens @ matrix: (..., num_tokens, n) times (..., n, m), fast where batch and heads (...) are one."""
    if tokens.shape[0] == tokens.shape[1] == 1:
        return linear(tokens, matrix[0, 0].mT)
    return tokens @ matrix
