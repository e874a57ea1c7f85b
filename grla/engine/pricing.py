"""What a cell's network costs, by the names that a record has: counted, or measured on this machine."""

from __future__ import annotations

import torch
from torch import nn

from grla.attention import LinearKernel
from grla.cost import count, measure_latency, peak_memory_mib
from grla.spec import RunSpec


def counted_costs(model: nn.Module, spec: RunSpec) -> dict[str, int | None]:
    """num_params, macs, hook_flops and elementwise_ops at the spec's `count_output`, and num_features.

    Nothing is computed, so the model may be one without data (see `build_on_meta`). Raises InputError as
    `grla.cost.count` does.
    """
    height, width = (side // spec.model.upscale for side in spec.cost.count_output)
    counts = count(model, (1, 3, height, width))
    names = ("num_params", "macs", "hook_flops", "elementwise_ops")
    return {name: getattr(counts, name) for name in names} | {"num_features": _num_features(model)}


def measured_costs(model: nn.Module, spec: RunSpec, device: torch.device) -> dict[str, float | None]:
    """latency_ms with its percentiles and peak_memory_mib of a forward pass at the spec's `latency_input`.

    `model` is on `device` and is left in eval mode; nothing else should run meanwhile.
    """
    shape = (1, 3, *spec.cost.latency_input)
    latency = measure_latency(model, shape, spec.cost.latency_runs)
    lr = torch.zeros(shape, device=device)
    model.eval()
    with torch.inference_mode():
        peak = peak_memory_mib(lambda: model(lr), device)
    times = {"latency_ms": latency.median_ms, "latency_p10_ms": latency.p10_ms, "latency_p90_ms": latency.p90_ms}
    return times | {"peak_memory_mib": peak}


def _num_features(model: nn.Module) -> int | None:
    """The number of features of the model's linear kernel; None where it has none."""
    for kernel in model.modules():
        if isinstance(kernel, LinearKernel):
            token = torch.zeros(1, 1, 1, kernel.head_dim, device=next(model.parameters()).device)
            return kernel.map_k(token).shape[-1]
    return None
