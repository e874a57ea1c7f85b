"""Peak memory of networks by name, every measurement in a process of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, dataclass
from functools import partial
from statistics import median
from typing import Any

import torch
from tqdm import tqdm

from grla.benchmark.networks import benchmark_record, prepared_network, require_lr_size
from grla.cost import Answer, Peak, map_every_tensor, peak_memory, run_in_child
from grla.errors import InputError, require_at_least
from grla.spec import TrainSpec
from grla.training import Trainer

REPEATS = 3
STEPS = 2
"""The first step creates the optimiser's state, the second holds it while gradients exist: the peak."""


@dataclass(frozen=True)
class BatchSize:
    """The batch of a training step: its number of patches, and the side of one in LR pixels."""

    batch_size: int = 4
    patch_size: int = 64

    def __post_init__(self) -> None:
        require_at_least("batch_size", self.batch_size, 1)
        require_at_least("patch_size", self.patch_size, 1)


def measure_memory(
    names: Sequence[str],
    upscale: int,
    lr_size: tuple[int, int],
    batch: BatchSize,
    repeats: int,
    device: torch.device,
) -> dict[str, Any]:
    """A record of the networks' peak memory: the settings, and a row per network.

    A row has `forward_mib` (one LR image of `lr_size`, height and width, in evaluation) and `training_step_mib`
    (forward, backward, Adam), each with the columns of `peak_columns`, and their common outcome and reason. Raises
    InputError for sizes and repeats below 1.
    """
    require_lr_size(lr_size)
    rows = []
    for name in tqdm(names, "memory", disable=None):
        forward = peak_columns("forward", repeats, forward_peak, name, upscale, lr_size, device)
        step = peak_columns("training_step", repeats, training_step_peak, name, upscale, batch, device)
        failed = forward if forward["outcome"] != "ok" else step
        rows.append({"model": name} | forward | step | {key: failed[key] for key in ("outcome", "reason")})
    about = {"upscale": upscale, "lr_size": list(lr_size), **asdict(batch), "repeats": repeats}
    return benchmark_record(device, **about, models=rows)


def peak_columns(what: str, repeats: int, work: Callable[..., Peak], *arguments: object) -> dict[str, Any]:
    """Call `work(*arguments)` in `repeats` fresh processes and summarise the peaks it returns, see `summarised`."""
    require_at_least("repeats", repeats, 1)
    return summarised(what, (run_in_child(partial(work, *arguments)) for _ in range(repeats)))


def summarised(what: str, answers: Iterable[Answer]) -> dict[str, Any]:
    """Columns of `answers` that hold a Peak each; the first one that failed ends the iteration.

    Columns: `{what}_mib`, the median; `{what}_low_mib` and `{what}_high_mib`; `{what}_reserved_mib`, the median of what
    a GPU's allocator reserved; outcome ("ok", "out_of_memory", "error") and reason.
    """
    names = [f"{what}_{name}" for name in ("mib", "low_mib", "high_mib", "reserved_mib")]
    peaks: list[Peak] = []
    for answer in answers:
        if answer.outcome != "ok":
            return dict.fromkeys(names) | {"outcome": answer.outcome, "reason": f"{what}: {answer.reason}"}
        peaks.append(answer.value)
    grown = [peak.mib for peak in peaks]
    reserved = [peak.reserved_mib for peak in peaks if peak.reserved_mib is not None]
    numbers = (median(grown), min(grown), max(grown), median(reserved) if reserved else None)
    return dict(zip(names, numbers, strict=True)) | {"outcome": "ok", "reason": ""}


def forward_peak(name: str, upscale: int, lr_size: tuple[int, int], device: torch.device) -> Peak:
    """The peak of this process' first forward pass, above the network (in evaluation mode) and its input.

    It includes what libraries load on their first use, 10 to 20 MiB on a CPU.
    """
    network = prepared_network(name, upscale, device)
    lr = torch.rand(1, 3, *lr_size, device=device)
    with torch.inference_mode():
        return _measured(lambda: network(lr), device)


def training_step_peak(name: str, upscale: int, batch: BatchSize, device: torch.device) -> Peak:
    """The peak of this process' first training steps, above the network and a batch of noise: gradients, Adam's state.

    It takes `STEPS` steps, because the first one only creates the optimiser's state.
    """
    side = batch.patch_size
    lr = torch.rand(batch.batch_size, 3, side, side, device=device)
    hr = torch.rand(batch.batch_size, 3, upscale * side, upscale * side, device=device)
    trainer = Trainer(prepared_network(name, upscale, device), TrainSpec(), lambda step: (lr, hr), device)
    return _measured(lambda: [trainer.train_step() for _ in range(STEPS)], device)


def _measured(work: Callable[[], object], device: torch.device) -> Peak:
    map_every_tensor()
    peak = peak_memory(work, device)
    if peak is None:
        raise InputError("peak memory on a CPU needs Linux, where a process can reset its peak (/proc/self/clear_refs)")
    return peak
