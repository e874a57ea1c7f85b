"""BatchNorm with the statistics of the slices of all processes; PyTorch's SyncBatchNorm does not support CPUs."""

from __future__ import annotations

from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
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
        out, mean, variance = _Normalised.apply(wide, self.weight, self.bias, self.eps)  # type: ignore[no-untyped-call]
        self._remember(mean, variance, dist.get_world_size() * x.numel() // x.shape[1])
        normalised: Tensor = out.to(x.dtype)
        return normalised

    def _remember(self, mean: Tensor, variance: Tensor, count: int) -> None:
        """Update the running statistics as nn.BatchNorm2d does, with the unbiased variance of `count` values."""
        assert self.running_mean is not None
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.running_mean.lerp_(mean, self.momentum)
        self.running_var.lerp_(variance * (count / max(count - 1, 1)), self.momentum)
        self.num_batches_tracked.add_(1)


class _Normalised(torch.autograd.Function):
    """A slice normalised by the mean and the variance of the whole batch, and these, in one exchange each way."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, eps: float) -> tuple[Tensor, Tensor, Tensor]:
        # Of the ways to take both statistics this one has a fast path for channels-last images on CPUs.
        own_mean, own_variance = (part.double() for part in torch.batch_norm_update_stats(x, None, None, 0.0))
        mean, square = mean_of_processes(torch.stack([own_mean, own_variance + own_mean.square()]))
        mean, variance = mean.to(x.dtype), (square - mean.square()).clamp_min(0).to(x.dtype)
        out, _, _ = torch.native_batch_norm(x, weight, bias, mean, variance, False, 0.0, eps)
        ctx.save_for_backward(x, weight, mean, variance)
        ctx.eps = eps
        ctx.mark_non_differentiable(mean, variance)
        return out, mean, variance

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor, *_: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        x, weight, mean, variance = ctx.saved_tensors
        # As in evaluation, where statistics are constants, this gives the sums that all gradients are made of.
        _, by_weight, by_bias = torch.ops.aten.native_batch_norm_backward(
            grad, x, weight, mean, variance, None, None, False, ctx.eps, [False, True, True]
        )
        along, total = mean_of_processes(torch.stack([by_weight, by_bias])) * (x.shape[1] / x.numel())
        deviation = torch.rsqrt(variance + ctx.eps)
        scale = weight * deviation
        slope = -scale * deviation * along
        shift = -scale * total - slope * mean
        by_x = torch.addcmul(shift[:, None, None], grad, scale[:, None, None]).addcmul_(x, slope[:, None, None])
        return by_x, by_weight, by_bias, None


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
    """The mean of the processes' tensors, without a gradient."""
    total = x.clone(memory_format=torch.contiguous_format)
    dist.all_reduce(total)
    return total / dist.get_world_size()
