"""Processing many tokens in pieces that stay in the processor's cache through all steps."""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor

from grla.attention.linear import linear

PIECE = 2**17  # elements in a piece of the first tensor; half a MiB of float32


def pieces(*tensors: Tensor) -> Iterator[tuple[Tensor, ...]]:
    """The tensors (..., num_tokens, channels), split alike along their tokens.

    They stay whole on GPUs and in compiled graphs, which would contain the steps of every piece.
    """
    first = tensors[0]
    cut = first.device.type == "cpu" and not torch.compiler.is_compiling()
    size = max(1, PIECE * first.shape[-2] // max(1, first.numel())) if cut else first.shape[-2]
    return zip(*(tensor.split(size, dim=-2) for tensor in tensors), strict=True)


def times(tokens: Tensor, matrix: Tensor) -> Tensor:
    """tokens @ matrix: (..., num_tokens, n) times (..., n, m), fast where batch and heads (...) are 1."""
    if tokens.shape[0] == tokens.shape[1] == 1:
        return linear(tokens, matrix[0, 0].mT)
    return tokens @ matrix
