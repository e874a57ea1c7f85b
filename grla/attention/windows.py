"""Cutting a feature map into square windows, putting it back, and padding it so that windows fit."""

from __future__ import annotations

import torch
from torch import Tensor


def partition(x: Tensor, window_size: int) -> Tensor:
    """(batch, height, width, dim) -> (batch * num_windows, window_size ** 2, dim); sides divisible by window_size."""
    batch, height, width, dim = x.shape
    rows, columns = height // window_size, width // window_size
    x = x.reshape(batch, rows, window_size, columns, window_size, dim)
    return x.transpose(2, 3).reshape(batch * rows * columns, window_size**2, dim)


def merge(windows: Tensor, height: int, width: int) -> Tensor:
    """The inverse of `partition`: (batch * num_windows, window_size ** 2, dim) -> (batch, height, width, dim)."""
    window_size, dim = int(windows.shape[1] ** 0.5), windows.shape[2]
    rows, columns = height // window_size, width // window_size
    x = windows.view(-1, rows, columns, window_size, window_size, dim)
    return x.transpose(2, 3).reshape(-1, height, width, dim)


def reflect_pad(x: Tensor, multiple: int) -> Tensor:
    """Pad (batch, height, width, dim) at bottom and right to multiples of `multiple` by reflection.

    Reflects as often as it takes, so any side of at least 1 can be padded by any amount (F.pad refuses padding that
    is as long as the image).
    """
    for axis in (1, 2):
        size = x.shape[axis]
        missing = -size % multiple
        # An exported program is for every size, so it cannot leave out what one size does not need.
        if multiple > 1 and (torch.compiler.is_exporting() or missing):
            # A triangle wave 0, 1, ..., size - 1, size - 2, ..., 1, 0, 1, ... walks the reflected image.
            last = torch.arange(size, device=x.device)[-1]  # a tensor, for tracers that know the size as a symbol only
            position = torch.arange(size + missing, device=x.device) % (2 * last).clamp(min=1)
            x = x.index_select(axis, torch.minimum(position, 2 * last - position))
    return x
