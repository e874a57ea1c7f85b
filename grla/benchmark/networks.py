"""Networks by name, outside of a study, and their times against each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from torch import nn

from grla.analysis import load_trained
from grla.attention import kernel_names
from grla.benchmark.machine_load import conditions_now
from grla.cost import Turn, time_in_turns
from grla.engine import read_ways
from grla.errors import InputError, require
from grla.model import build_model, outside_model
from grla.provenance import BENCHMARK_PROTOCOL, describe_run
from grla.spec import EdsrLiteSpec, KernelSpec, ModelSpec

EDSR_LITE = "edsr_lite"


def find_network(name: str, upscale: int) -> nn.Module:
    """The network called `name`, in evaluation mode, with random weights unless it is a checkpoint.

    A kernel's name stands for GRLASR at the paper's size with that kernel, "edsr_lite" for the baseline,
    "package.module:factory" for a model from outside, and a file for a checkpoint of ours. Raises InputError for
    anything else.
    """
    torch.manual_seed(0)
    if name in kernel_names():
        return build_model(ModelSpec(upscale=upscale, kernel=KernelSpec(name))).eval()
    if name == EDSR_LITE:
        return build_model(EdsrLiteSpec(upscale=upscale)).eval()
    if Path(name).is_file():
        return load_trained(Path(name), upscale).eval()
    if ":" in name:
        return outside_model(name, upscale).eval()
    known = f"a kernel ({', '.join(kernel_names())}), {EDSR_LITE}, a checkpoint file or package.module:factory"
    raise InputError(f"model must be {known}, got {name!r}")


def find_subject(name: str, upscale: int, device: torch.device) -> nn.Module:
    """The network of a `name` like "gaussian_rbf+compile" on `device`: see `find_network` and `read_ways`.

    Raises InputError as they do, and for a network that cannot be computed so.
    """
    plain, execution = read_ways(name)
    model = find_network(plain, upscale).to(device)
    able = execution.suited(model) == execution
    require(able, f"model {name}", "cannot checkpoint its activations, only GRLASR can", type(model).__name__)
    return execution.prepare(model)


def time_networks(
    names: Sequence[str], base: str, upscale: int, lr_size: tuple[int, int], rounds: int, device: torch.device
) -> dict[str, Any]:
    """A record of the networks' times in turns, ready for JSON: how it was run, and a row per network."""
    require(base in names, "--base", f"must be one of --models, {', '.join(names)}", base)
    before = conditions_now()
    models = {name: find_subject(name, upscale, device) for name in names}
    turns: list[Turn] = time_in_turns(models, base, (1, 3, *lr_size), rounds)
    about = {"protocol": BENCHMARK_PROTOCOL, "upscale": upscale, "lr_size": list(lr_size), "base": base}
    about |= {"rounds": rounds, "device": device.type, "conditions": {"before": before, "after": conditions_now()}}
    return {**describe_run(), **about, "models": [asdict(turn) for turn in turns]}


def slower_than_before(now: dict[str, Any], before: dict[str, Any], limit: float) -> list[str]:
    """What got slower against the base by more than `limit` (1.10: a tenth), in words; one line per model.

    Ratios to the base are compared, which other machines share more than milliseconds. Raises InputError when the
    records are of another protocol, size, upscale factor or base.
    """
    for key in ("protocol", "upscale", "lr_size", "base", "device"):
        require(
            before.get(key) == now[key], f"--compare: {key}", f"must be {now[key]!r} as in this run", before.get(key)
        )
    old = {row["name"]: row["ratio"] for row in before["models"]}
    return [
        f"{row['name']}: {row['ratio']:.2f} times the base, {row['ratio'] / old[row['name']]:.2f} times what it was"
        for row in now["models"]
        if row["name"] in old and row["ratio"] > limit * old[row["name"]]
    ]
