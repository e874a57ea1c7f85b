"""Count networks, time them against each other and measure their memory, outside of a study.

    python studies/run_benchmark.py cost --models gaussian_rbf softmax package.module:factory
    python studies/run_benchmark.py cost --models gaussian_rbf --tree-depth 4 --published 56.5
    python studies/run_benchmark.py latency --models gaussian_rbf rbf_ridge --lr-size 128 128
    python studies/run_benchmark.py latency --compare results/benchmark/latency.json --fail-above 1.1
    python studies/run_benchmark.py memory --lr-size 180 320
    python studies/run_benchmark.py training --models gaussian_rbf softmax --batch-size 4
    python studies/run_benchmark.py training --models gaussian_rbf gaussian_rbf+checkpoint-activations
    python studies/run_benchmark.py scaling --models gaussian_rbf edsr_lite

A model is a kernel's name (GRLASR at the paper's size), edsr_lite, a checkpoint file or package.module:factory. In
latency, memory and training +compile after it runs it through torch.compile, and +checkpoint-activations trains GRLASR
in less memory and more time. Have nothing else running while you time: other load is part of what is measured.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

import project_root  # noqa: F401  it puts the project on the path

from grla.benchmark import (
    EVERY_KERNEL,
    REPEATS,
    BatchSize,
    Sweep,
    count_networks,
    measure_memory,
    other_work,
    run_sweep,
    slower_than_before,
    time_networks,
    time_training,
)
from grla.engine import choose_device
from grla.errors import InputError
from grla.files import write_text
from grla.report import (
    ROWS,
    cost_text,
    memory_table,
    memory_verdict,
    models_frame,
    read_json,
    record_figures,
    scaling_table,
    training_notes,
    training_table,
    write_figures,
)


@dataclass(frozen=True)
class Cost:
    """Count parameters, multiply-adds and the rest, exactly; numbers on which other counters differ are refused."""

    models: tuple[str, ...] = ("gaussian_rbf", "softmax", "rbf_ridge", "relu", "edsr_lite")
    """What to count."""
    upscale: int = 4
    """Super-resolution factor."""
    lr_size: tuple[int, int] = (180, 320)
    """Height and width of the LR input in pixels."""
    tree_depth: int = 0
    """How many levels of modules to print below each model; cost.json has all of them."""
    published: float | None = None
    """A published "FLOPs" figure in G, to find out what was counted; with one model."""
    out: Path = Path("results/benchmark")
    """Folder for cost.json and cost.csv."""


@dataclass(frozen=True)
class Latency:
    """Time forward passes, all models in turns, with ratios to a base."""

    models: tuple[str, ...] = ("gaussian_rbf", "rbf_ridge", "relu", "edsr_lite")
    """What to time."""
    base: str = "gaussian_rbf"
    """The model that others are compared with; it is timed twice, to show the noise."""
    upscale: int = 4
    """Super-resolution factor."""
    lr_size: tuple[int, int] = (128, 128)
    """Height and width of the LR input in pixels."""
    rounds: int = 15
    """How often each model runs."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to time; auto takes a GPU if there is one."""
    compare: Path | None = None
    """A latency.json of an earlier run."""
    fail_above: float = 1.1
    """With --compare: fail when a ratio to the base has grown by more than this factor."""
    out: Path = Path("results/benchmark")
    """Folder for latency.json and latency.csv."""


@dataclass(frozen=True)
class Memory:
    """Measure the peak memory of a forward pass and of a training step, each in a process of its own."""

    models: tuple[str, ...] = ("gaussian_rbf", "rbf_ridge", "relu", "edsr_lite")
    """What to measure."""
    upscale: int = 4
    """Super-resolution factor."""
    lr_size: tuple[int, int] = (180, 320)
    """Height and width of the LR input of the forward pass in pixels."""
    batch_size: int = 4
    """Patches in a training step."""
    patch_size: int = 64
    """Side of a training patch in LR pixels."""
    repeats: int = REPEATS
    """Processes per measurement."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to measure; auto takes a GPU if there is one."""
    out: Path = Path("results/benchmark")
    """Folder for memory.json, memory.csv and the figure."""


@dataclass(frozen=True)
class Training:
    """Time training steps, all models in turns, and where their time goes; and the harness' own share of a cell."""

    models: tuple[str, ...] = ("gaussian_rbf", "rbf_ridge", "relu", "edsr_lite")
    """What to train."""
    base: str = "gaussian_rbf"
    """The model that others are compared with; it is timed twice, to show the noise."""
    rounds: int = 15
    """How many steps of each model are timed."""
    upscale: int = 4
    """Super-resolution factor."""
    batch_size: int = 4
    """Patches in a step."""
    patch_size: int = 64
    """Side of a patch in LR pixels."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train; auto takes a GPU if there is one."""
    out: Path = Path("results/benchmark")
    """Folder for training.json, training.csv and the figure."""


@dataclass(frozen=True)
class Scaling:
    """Measure time and memory against the number of tokens, forward and backward, and fit laws to them."""

    kernels: tuple[str, ...] = EVERY_KERNEL
    """Attention kernels, alone, with one head."""
    models: tuple[str, ...] = ("gaussian_rbf", "softmax", "edsr_lite")
    """Whole networks, on square LR images of that many pixels."""
    tokens: tuple[int, ...] = (4096, 16_384, 65_536, 262_144, 1_048_576)
    """Numbers of tokens."""
    head_dim: int = 55
    """Channels of the kernels' head."""
    upscale: int = 4
    """Super-resolution factor of the networks."""
    seconds_limit: float = 20
    """What takes longer for a pass is stopped and marked, and larger sizes are not tried."""
    fit_from: int = 16_384
    """Tokens from which on laws are fitted; smaller sizes cost what a call costs."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to measure; auto takes a GPU if there is one."""
    out: Path = Path("results/benchmark")
    """Folder for scaling.json, scaling.csv and the figures."""


Command = (
    Annotated[Cost, tyro.conf.subcommand("cost")]
    | Annotated[Latency, tyro.conf.subcommand("latency")]
    | Annotated[Memory, tyro.conf.subcommand("memory")]
    | Annotated[Training, tyro.conf.subcommand("training")]
    | Annotated[Scaling, tyro.conf.subcommand("scaling")]
)


def main(command: Cost | Latency | Memory | Training | Scaling) -> None:
    """Do what is asked."""
    match command:
        case Cost():
            show_cost(command)
        case Latency():
            show_latency(command)
        case Memory():
            show_memory(command)
        case Training():
            show_training(command)
        case Scaling():
            show_scaling(command)


def show_cost(command: Cost) -> None:
    """Count, print and write."""
    record = count_networks(command.models, command.upscale, command.lr_size, command.published)
    write_record(command.out, "cost", record)
    print(cost_text(record, command.tree_depth))


def show_latency(command: Latency) -> None:
    """Time, print, write, and fail on what got slower."""
    before = None if command.compare is None else read_json(command.compare)
    record = time_networks(
        command.models, command.base, command.upscale, command.lr_size, command.rounds, choose_device(command.device)
    )
    write_record(command.out, "latency", record)
    frame = models_frame(record)
    print(frame.to_markdown(index=False, floatfmt=".3f"))
    again = frame[frame["name"].str.endswith(" again")].iloc[0]
    print(f"\nNoise floor: the base against itself is {again['ratio']:.3f} [{again['low']:.3f}, {again['high']:.3f}].")
    warn_of_other_work(record)
    slower = [] if before is None else slower_than_before(record, before, command.fail_above)
    if slower:
        raise InputError("slower than before: " + "; ".join(slower))


def show_memory(command: Memory) -> None:
    """Measure, print, write."""
    batch, device = BatchSize(command.batch_size, command.patch_size), choose_device(command.device)
    record = measure_memory(command.models, command.upscale, command.lr_size, batch, command.repeats, device)
    write_record(command.out, "memory", record)
    print(memory_table(record))
    print("\nGrowth above the network itself at its peak; what libraries load on their first use is part of it.")


def show_training(command: Training) -> None:
    """Train, print, write."""
    batch, device = BatchSize(command.batch_size, command.patch_size), choose_device(command.device)
    record = time_training(command.models, command.base, command.upscale, batch, command.rounds, command.out, device)
    write_record(command.out, "training", record)
    print(training_table(record), training_notes(record), sep="\n\n")
    warn_of_other_work(record)


def show_scaling(command: Scaling) -> None:
    """Sweep, write, draw and print."""
    asked = {field.name: getattr(command, field.name) for field in fields(Sweep)}
    record = run_sweep(Sweep(**asked), choose_device(command.device), lambda point: print(point, file=sys.stderr))
    write_record(command.out, "scaling", record)
    print(scaling_table(record).to_markdown(index=False, floatfmt=".4g", intfmt=","))
    print(f"\n{memory_verdict(record)}")


def write_record(out: Path, name: str, record: dict[str, Any]) -> None:
    """Write `name`.json, its rows as `name`.csv, and its figures."""
    write_text(out / f"{name}.json", json.dumps(record, indent=2) + "\n")
    write_text(out / f"{name}.csv", ROWS[name](record).to_csv(index=False))
    write_figures(record_figures(name, record), out)


def warn_of_other_work(record: dict[str, Any]) -> None:
    """Say on stderr when the load averages around a measurement tell of something else running."""
    warning = other_work(**record["conditions"])
    if warning is not None:
        print(warning, file=sys.stderr)


if __name__ == "__main__":
    try:
        main(tyro.cli(Command, description=__doc__))
    except InputError as error:
        sys.exit(f"error: {error}")
