"""What a network costs: counts, latency, and the memory of a forward pass and of a training step."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import torch
from torch import nn

from grla.answers import ask
from grla.cost import count, device_of, is_out_of_memory, measure_latency, peak_memory_mib, suited
from grla.engine.cell import make_trainer, outcome_of
from grla.engine.material import TrainingMaterial
from grla.engine.processes import Execution
from grla.errors import InputError, ModelError, NotFinite, reason_of
from grla.model import build_model
from grla.provenance import OthersShare
from grla.spec import RunSpec, all_stages
from grla.study import Record
from grla.training import Diverged, Trainer

MEASURED = (
    "outcome",
    "reason",
    "num_params",
    "macs",
    "hook_flops",
    "elementwise_ops",
    "num_features",
    "latency_ms",
    "latency_p10_ms",
    "latency_p90_ms",
    "latency_replay_ms",
    "latency_threads",
    "others_share",
    "peak_memory_mib",
    "train_peak_memory_mib",
)
"""The fields of a record that a measurement fills in; its outcome is "ok" unless the network cannot be run."""


def measure(spec: RunSpec, material: TrainingMaterial, device: torch.device, execution: Execution) -> dict[str, Any]:
    """Count and time a network and take the peaks of its memory: the fields MEASURED of a record.

    A network that cannot be built, run or trained, for lack of memory say, has the outcome and the reason. One that can
    but cannot be counted has no counts but of its parameters, and that reason.
    """
    record, others = Record(""), OthersShare()
    with outcome_of(record), _of_the_network():
        model = build_model(spec.model).to(device)
        measured = measured_costs(model, spec, device)
        counts, record.reason = _counts_or_reason(model, spec)
        for name, value in (counts | measured).items():
            setattr(record, name, value)
        for _ in range(2):  # the second time, when libraries have allocated what they keep
            trial = make_trainer(spec, copy.deepcopy(model), material, device, execution)
            # Where batches are largest.
            trial.step = max(all_stages(spec.data), key=lambda stage: stage[1] ** 2 * stage[2])[0]
            # The first step creates the optimiser's state, the second holds it while gradients exist: the peak.
            record.train_peak_memory_mib = peak_memory_mib(functools.partial(_steps, trial, 2), device)
    record.others_share = others.now()
    return {name: getattr(record, name) for name in MEASURED}


@contextmanager
def _of_the_network() -> Iterator[None]:
    """Nothing but a network can be wrong inside: it may be one of several, so the others go on."""
    try:
        yield
    except InputError as error:
        raise ModelError(str(error)) from error


def _counts_or_reason(model: nn.Module, spec: RunSpec) -> tuple[dict[str, int | None], str]:
    """`counted_costs`, or only the number of parameters and why nothing else can be counted."""
    try:
        return counted_costs(model, spec), ""
    except Exception as error:  # code from outside may raise anything on the size that is counted
        if is_out_of_memory(error):
            raise
        reason = f"not counted: {reason_of(error)}"
    return {"num_params": sum(one.numel() for one in model.parameters())}, reason


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
    """latency_ms, its percentiles and threads, and peak_memory_mib of a forward pass at the spec's `latency_input`.

    `model` is on `device` and is left in eval mode; nothing else should run meanwhile. Raises ModelError as
    `grla.answers.ask` does, but for values that are not finite: those of a network that is not trained say nothing.
    """
    shape = (1, 3, *spec.cost.latency_input)
    model.eval()
    with torch.inference_mode(), suppress(NotFinite):
        ask(model, torch.zeros(shape), spec.model.upscale)
    latency = measure_latency(model, shape, spec.cost.latency_runs)
    lr = suited(torch.zeros(shape), model)
    with torch.inference_mode():
        peak = peak_memory_mib(lambda: model(lr), device)
    return {
        "latency_ms": latency.median_ms,
        "latency_p10_ms": latency.p10_ms,
        "latency_p90_ms": latency.p90_ms,
        "latency_replay_ms": latency.replay_ms,
        "latency_threads": torch.get_num_threads(),
        "peak_memory_mib": peak,
    }


def _num_features(model: nn.Module) -> int | None:
    """The number of features of the model's linear kernel; None where it has none."""
    for module in model.modules():  # found by what it offers: cells without such a kernel do not depend on its code
        if (count_features := getattr(module, "count_features", None)) is not None:
            number: int = count_features(device_of(model))
            return number
    return None


def _steps(trainer: Trainer, number: int) -> None:
    with suppress(Diverged):  # which is for each cell to find out by itself
        for _ in range(number):
            trainer.train_step()
