"""Networks by name, outside of a study, and their times against each other."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import nn

from grla.analysis import load_trained
from grla.answers import ask
from grla.attention import kernel_names
from grla.benchmark.exported import is_exported, load_exported
from grla.benchmark.machine_load import conditions_now
from grla.cost import time_in_turns
from grla.devices import card_name
from grla.engine import read_ways
from grla.errors import InputError, ModelError, require, require_at_least
from grla.model import build_model, outside_model
from grla.provenance import BENCHMARK_PROTOCOL, describe_run
from grla.spec import EdsrLiteSpec, KernelSpec, ModelSpec

EDSR_LITE = "edsr_lite"
Made = TypeVar("Made")


@contextmanager
def seeded() -> Iterator[None]:
    """Inside, PyTorch's CPU generator starts at seed 0; afterwards it is as it was before."""
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(0)
        yield


@seeded()
def find_network(name: str, upscale: int) -> nn.Module:
    """The network called `name`, in evaluation mode, with random weights of seed 0 unless it is a checkpoint.

    A kernel's name stands for GRLASR at the paper's size with that kernel, "edsr_lite" for the baseline,
    "package.module:factory" for a model from outside, and a file for a checkpoint of a study. Raises InputError for
    anything else.
    """
    if name in kernel_names():
        return build_model(ModelSpec(upscale=upscale, kernel=KernelSpec(name))).eval()
    if name == EDSR_LITE:
        return build_model(EdsrLiteSpec(upscale=upscale)).eval()
    if Path(name).is_file():
        return load_trained(Path(name), upscale)[1]
    if ":" in name:
        return outside_model(name, upscale).eval()
    known = f"a kernel ({', '.join(kernel_names())}), {EDSR_LITE}, a checkpoint file or package.module:factory"
    raise InputError(f"model must be {known}, got {name!r}")


def prepared_network(name: str, upscale: int, device: torch.device) -> nn.Module:
    """The network of a `name` like "gaussian_rbf+compile" on `device`: see `find_network` and `read_ways`.

    Raises InputError as they do, and for a network that cannot be run in that way.
    """
    plain, execution = read_ways(name)
    model = find_network(plain, upscale).to(device)
    able = execution.suited(model) == execution
    require(able, f"model {name}", "cannot checkpoint its activations, only GRLASR can", type(model).__name__)
    return execution.prepare(model)


def usable(names: Sequence[str], use: Callable[[str], Made]) -> tuple[dict[str, Made], dict[str, str]]:
    """What `use` makes of each network, and why it makes nothing of the others; InputError if of none."""
    made, refused = {}, {}
    for name in names:
        try:
            made[name] = use(name)
        except InputError as error:
            refused[name] = str(error)
    if not made:
        raise InputError("\n".join(refused.values()))
    return made, refused


def timed_network(name: str, upscale: int, device: torch.device) -> nn.Module:
    """`prepared_network`, or the network of an exported file, which runs on the CPU only; errors as there."""
    if not is_exported(name):
        return prepared_network(name, upscale, device)
    require(device.type == "cpu", f"model {name}", "runs on the CPU only: give --device cpu", device.type)
    return load_exported(Path(name), upscale)


def require_lr_size(lr_size: tuple[int, int]) -> None:
    """Raise InputError unless height and width of an LR input are at least a pixel."""
    for side in lr_size:
        require_at_least("lr_size", side, 1)


def benchmark_record(device: torch.device, **about: Any) -> dict[str, Any]:
    """A record, ready for JSON: how the benchmark was run, its protocol, device and card, and what `about` says."""
    where = {"device": device.type, "gpu": card_name(device)}
    return {**describe_run(), "protocol": BENCHMARK_PROTOCOL, **where, **about}


def time_networks(
    names: Sequence[str], base: str, upscale: int, lr_size: tuple[int, int], rounds: int, device: torch.device
) -> dict[str, Any]:
    """A record of the networks' times in turns: the settings, the conditions, and a row per network.

    Networks that cannot be timed have no row, and the reason in `refused`. Raises InputError for a base that is not
    among the names or cannot be timed, an empty input, and fewer than two rounds.
    """
    require(base in names, "base", f"must be one of the models, {', '.join(names)}", base)
    require_lr_size(lr_size)
    before = conditions_now()
    models, refused = usable(names, functools.partial(_tried_network, upscale, lr_size, device))
    if base in refused:
        raise InputError(refused[base])
    turns = time_in_turns(models, base, (1, 3, *lr_size), rounds)
    return benchmark_record(
        device,
        upscale=upscale,
        lr_size=list(lr_size),
        base=base,
        rounds=rounds,
        conditions={"before": before, "after": conditions_now()},
        models=[asdict(turn) for turn in turns],
        **({"refused": refused} if refused else {}),
    )


def _tried_network(upscale: int, lr_size: tuple[int, int], device: torch.device, name: str) -> nn.Module:
    """The prepared network after a first pass, which it must answer as it should."""
    network = timed_network(name, upscale, device)
    with _named(name), torch.inference_mode():
        ask(network, torch.rand(1, 3, *lr_size, generator=torch.Generator().manual_seed(0)).to(device), upscale)
    return network


@contextmanager
def _named(name: str) -> Iterator[None]:
    """An error says which network it is about."""
    try:
        yield
    except ModelError as error:
        raise ModelError(f"model {name}: {error}") from error


def slower_than_before(now: dict[str, Any], before: dict[str, Any], limit: float) -> list[str]:
    """What got slower against the base by more than a factor of `limit`, in words; one line per model.

    Ratios to the base are compared: unlike milliseconds, they are alike on different processors. Raises InputError when
    the records are of another protocol, size, upscale factor, base, device or card.
    """
    for key in ("protocol", "upscale", "lr_size", "base", "device", "gpu"):
        found = before.get(key, "" if key == "gpu" else None)  # older records are of CPUs
        require(found == now[key], f"the earlier record's {key}", f"must be {now[key]!r} as in this run", found)
    old = {row["name"]: row["ratio"] for row in before["models"]}
    return [
        f"{row['name']}: {row['ratio']:.2f} times the base, {row['ratio'] / old[row['name']]:.2f} times what it was"
        for row in now["models"]
        if row["name"] in old and row["ratio"] > limit * old[row["name"]]
    ]
