"""Count and time networks against each other, outside of a study.

    python studies/run_benchmark.py cost --models gaussian_rbf softmax package.module:factory
    python studies/run_benchmark.py cost --models gaussian_rbf --tree-depth 4 --published 56.5
    python studies/run_benchmark.py latency --models gaussian_rbf rbf_ridge --lr-size 128 128
    python studies/run_benchmark.py latency --compare results/benchmark/latency.json --fail-above 1.1

A model is a kernel's name (GRLASR at the paper's size), edsr_lite, a checkpoint file or package.module:factory. Have
nothing else running while you time: other load on the machine is part of what is measured.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import pandas as pd
import tyro

import project_root  # noqa: F401  it puts the project on the path

from grla.errors import InputError
from grla.files import write_text
from grla.report.cost import cost_frame, cost_text
from grla.study.benchmark import slower_than_before, time_networks
from grla.study.benchmark_cost import count_networks
from grla.study.run_study import choose_device


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


Command = Annotated[Cost, tyro.conf.subcommand("cost")] | Annotated[Latency, tyro.conf.subcommand("latency")]


def main(command: Cost | Latency) -> None:
    """Do what is asked."""
    if isinstance(command, Cost):
        return show_cost(command)
    return show_latency(command)


def show_cost(command: Cost) -> None:
    """Count, print and write."""
    record = count_networks(command.models, command.upscale, command.lr_size, command.published)
    write_text(command.out / "cost.json", json.dumps(record, indent=2) + "\n")
    write_text(command.out / "cost.csv", cost_frame(record).to_csv(index=False))
    print(cost_text(record, command.tree_depth))


def show_latency(command: Latency) -> None:
    """Time, print, write, and fail on what got slower."""
    before = None if command.compare is None else read_record(command.compare)
    record = time_networks(
        command.models, command.base, command.upscale, command.lr_size, command.rounds, choose_device(command.device)
    )
    frame = pd.DataFrame(record["models"])
    write_text(command.out / "latency.json", json.dumps(record, indent=2) + "\n")
    write_text(command.out / "latency.csv", frame.to_csv(index=False))
    print(frame.to_markdown(index=False, floatfmt=".3f"))
    again = frame[frame["name"].str.endswith(" again")].iloc[0]
    print(f"\nNoise floor: the base against itself is {again['ratio']:.3f} [{again['low']:.3f}, {again['high']:.3f}].")
    slower = [] if before is None else slower_than_before(record, before, command.fail_above)
    if slower:
        raise InputError("slower than before: " + "; ".join(slower))


def read_record(path: Path) -> dict[str, object]:
    """The JSON of an earlier run."""
    try:
        record: dict[str, object] = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"--compare must be a latency.json of an earlier run, cannot read {path}: {error}") from error
    return record


if __name__ == "__main__":
    try:
        main(tyro.cli(Command, description=__doc__))
    except InputError as error:
        sys.exit(f"error: {error}")
