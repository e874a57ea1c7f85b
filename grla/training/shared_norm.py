"""BatchNorm with the statistics of the slices of all processes; PyTorch's SyncBatchNorm does not support CPUs."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from grla.errors import InputError


class SharedBatchNorm2d(nn.BatchNorm2d):
    """nn.BatchNorm2d, affine and with running statistics, over equal slices of a batch in several processes."""

    def forward(self, x: Tensor) -> Tensor:
        """(batch, dim, height, width), this process' slice -> the same shape."""
        if not self.training:
            return super().forward(x)
        assert self.running_mean is not None
        wide = x.to(self.running_mean.dtype)
        mean = mean_of_processes(wide.mean((0, 2, 3)))
        centred = wide - mean[:, None, None]
        variance = mean_of_processes(centred.square().mean((0, 2, 3)))
        self._remember(mean.detach(), variance.detach(), dist.get_world_size() * x.numel() // x.shape[1])
        scale = self.weight * torch.rsqrt(variance + self.eps)
        return (centred * scale[:, None, None] + self.bias[:, None, None]).to(x.dtype)

    def _remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Update the running statistics as nn.BatchNorm2d does, with the unbiased variance of `count` values."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (count / max(count - 1, 1)), self.momentum)
        self.num_batches_tracked.add_(1)


def share_batch_norms(model: nn.Module) -> nn.Module:
    """Make all BatchNorm2d layers of `model` share their statistics, and return it; parameters and names stay.

    Raises InputError for batch norms of another kind: their statistics would be those of a slice.
    """
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if isinstance(child, _BatchNorm) and not isinstance(child, SharedBatchNorm2d):
                setattr(parent, name, _shared(child))
    return model


def _shared(norm: _BatchNorm) -> SharedBatchNorm2d:
    usual = type(norm) is nn.BatchNorm2d and norm.affine and norm.track_running_stats and norm.momentum is not None
    if not usual:
        raise InputError(f"shared batch norms must be nn.BatchNorm2d, affine, with running statistics, got {norm}")
    shared = SharedBatchNorm2d(norm.num_features, norm.eps, norm.momentum)
    for name, parameter in norm.named_parameters():
        setattr(shared, name, parameter)
    for name, buffer in norm.named_buffers():
        setattr(shared, name, buffer)
    return shared.train(norm.training)


def mean_of_processes(x: Tensor) -> Tensor:
    """The mean of the processes' tensors, with the gradient of the sum of their losses."""
    mean: Tensor = _Mean.apply(x)  # type: ignore[no-untyped-call]
    return mean


class _Mean(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        return _all_reduced(x)

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tensor:
        return _all_reduced(grad)


def _all_reduced(x: Tensor) -> Tensor:
    total = x.clone(memory_format=torch.contiguous_format)
    dist.all_reduce(total)
    return total / dist.get_world_size()
