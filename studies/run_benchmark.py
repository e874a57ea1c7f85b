"""Count networks, time them against each other and measure their memory, outside of a study.

    python studies/run_benchmark.py cost --models gaussian_rbf softmax package.module:factory
    python studies/run_benchmark.py cost --models gaussian_rbf --tree-depth 4 --published 56.5
    python studies/run_benchmark.py latency --models gaussian_rbf rbf_ridge --lr-size 128 128
    python studies/run_benchmark.py latency --compare results/benchmark/latency.json --fail-above 1.1
    python studies/run_benchmark.py memory --lr-size 180 320
    python studies/run_benchmark.py training --models gaussian_rbf softmax --batch-size 4
    python studies/run_benchmark.py training --models gaussian_rbf gaussian_rbf+checkpoint-activations
    python studies/run_benchmark.py throughput --models quick gaussian_rbf
    python studies/run_benchmark.py scaling --models gaussian_rbf edsr_lite

A model is a kernel's name (GRLASR at the paper's size), edsr_lite, a checkpoint file or package.module:factory; in
latency also a file that export.py wrote, which runs on the CPU. In latency, memory and training, +compile after the
name runs it through torch.compile, and +checkpoint-activations trains GRLASR in less memory and more time. Run nothing
else while you time: other load distorts the times.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Annotated, Any

import tyro

from command import command

from grla.benchmark import (
    EVERY_KERNEL,
    REPEATS,
    BatchSize,
    Sweep,
    Throughput,
    TrainingTimes,
    count_networks,
    measure_memory,
    measure_throughput,
    other_work,
    run_sweep,
    slower_than_before,
    time_networks,
    time_training,
)
from grla.devices import choose_device
from grla.engine import require_new_layout
from grla.errors import InputError, require
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
    throughput_table,
    training_notes,
    training_table,
    write_figures,
)


@dataclass(frozen=True)
class Common:
    """What all subcommands have."""

    models: tuple[str, ...] = ("gaussian_rbf", "rbf_ridge", "relu", "edsr_lite")
    """What to measure."""
    upscale: int = 4
    """Super-resolution factor."""
    out: Path = Path("results/benchmark")
    """Folder for the record, a .json file, its rows in a .csv file, and figures."""


@dataclass(frozen=True)
class OnDevice(Common):
    """What the subcommands have that run networks."""

    device: str = "auto"
    """Where to measure: auto (a GPU if there is one), cpu, cuda, cuda:1 (the second GPU) or mps (Apple's)."""


@dataclass(frozen=True)
class InTurns(OnDevice):
    """What the subcommands have that compare times."""

    base: str | None = None
    """The model that others are compared with, by default the first; it is timed twice, to show the noise."""
    rounds: int = 15
    """How often each model runs."""

    @property
    def compared_with(self) -> str:
        """The name of the base."""
        return self.models[0] if self.base is None else self.base


@dataclass(frozen=True)
class Cost(Common):
    """Count parameters, multiply-adds and the rest, exactly; a number on which other counters disagree is refused."""

    models: tuple[str, ...] = ("gaussian_rbf", "softmax", "rbf_ridge", "relu", "edsr_lite")
    """What to count."""
    lr_size: tuple[int, int] = (180, 320)
    """Height and width of the LR input in pixels."""
    tree_depth: int = 0
    """How many levels of modules to print below each model; cost.json has all of them."""
    published: float | None = None
    """A published "FLOPs" figure in G, to find out what was counted; with one model."""

    def run(self) -> None:
        """Count, print and write."""
        record = count_networks(self.models, self.upscale, self.lr_size, self.published)
        write_record(self.out, "cost", record)
        print(cost_text(record, self.tree_depth))
        require_all(record)


@dataclass(frozen=True)
class Latency(InTurns):
    """Time forward passes, all models in turns, with ratios to a base."""

    lr_size: tuple[int, int] = (128, 128)
    """Height and width of the LR input in pixels."""
    compare: Path | None = None
    """A latency.json of an earlier run."""
    fail_above: float = 1.1
    """With --compare: fail when a ratio to the base has grown by more than this factor."""

    def run(self) -> None:
        """Time, print, write. Raises InputError for what got slower."""
        require(self.fail_above > 0, "fail_above", "must be above 0", self.fail_above)
        before = None if self.compare is None else read_json(self.compare)
        device = choose_device(self.device)
        record = time_networks(self.models, self.compared_with, self.upscale, self.lr_size, self.rounds, device)
        write_record(self.out, "latency", record)
        frame = models_frame(record)
        print(frame.to_markdown(index=False, floatfmt=".3f"))
        again = frame[frame["name"].str.endswith(" again")].iloc[0]
        floor = f"{again['ratio']:.3f} [{again['low']:.3f}, {again['high']:.3f}]"
        print(f"\nNoise floor: the base against itself is {floor}.")
        warn_of_other_work(record)
        require_all(record)
        slower = [] if before is None else slower_than_before(record, before, self.fail_above)
        if slower:
            raise InputError("slower than before: " + "; ".join(slower))


@dataclass(frozen=True)
class Memory(OnDevice):
    """Measure the peak memory of a forward pass and of a training step, each in a process of its own."""

    lr_size: tuple[int, int] = (180, 320)
    """Height and width of the LR input of the forward pass in pixels."""
    batch_size: int = 4
    """Patches in a training step."""
    patch_size: int = 64
    """Side of a training patch in LR pixels."""
    repeats: int = REPEATS
    """Processes per measurement."""

    def run(self) -> None:
        """Measure, print, write."""
        batch, device = BatchSize(self.batch_size, self.patch_size), choose_device(self.device)
        record = measure_memory(self.models, self.upscale, self.lr_size, batch, self.repeats, device)
        write_record(self.out, "memory", record)
        print(memory_table(record))
        print("\nGrowth above the network itself at its peak; it includes what libraries load on their first use.")


@dataclass(frozen=True)
class Training(InTurns):
    """Time training steps, all models in turns, and where their time goes; and the harness' own share of a cell."""

    batch_size: int = 4
    """Patches in a step."""
    patch_size: int = 64
    """Side of a patch in LR pixels."""

    def run(self) -> None:
        """Train, print, write."""
        batch = BatchSize(self.batch_size, self.patch_size)
        asked = TrainingTimes(self.models, self.compared_with, self.upscale, self.rounds, batch)
        show_training(time_training(asked, self.out, choose_device(self.device)), self.out)


@dataclass(frozen=True)
class ThroughputOfTraining(OnDevice):
    """Train on this machine's cores, or its GPU, shared out in several ways: cells side by side, threads, processes."""

    models: tuple[str, ...] = ("quick", "gaussian_rbf")
    """What to train; "quick" is the base network of that profile, with its batches."""
    rounds: int = 3
    """How often each arrangement of each model is measured."""
    steps: int = 5
    """Steps in a measurement."""
    batch_size: int = 4
    """Patches in a step."""
    patch_size: int = 64
    """Side of a patch in LR pixels."""

    def run(self) -> None:
        """Train, print, write."""
        batch = BatchSize(self.batch_size, self.patch_size)
        device = choose_device(self.device)
        record = measure_throughput(Throughput(self.models, self.upscale, batch, self.rounds, self.steps, device))
        write_record(self.out, "throughput", record)
        print(throughput_table(record))
        warn_of_other_work(record)


@dataclass(frozen=True)
class Scaling(OnDevice):
    """Measure time and memory against the number of tokens, forward and backward, and fit laws to them."""

    kernels: tuple[str, ...] = EVERY_KERNEL
    """Attention kernels, alone, with one head."""
    models: tuple[str, ...] = ("gaussian_rbf", "softmax", "edsr_lite")
    """Whole networks, on square LR images of that many pixels."""
    tokens: tuple[int, ...] = ()
    """Numbers of tokens, by default 4096 to 1,048,576 in steps of four times, and on a GPU to 16,777,216."""
    head_dim: int = 55
    """Channels of the kernels' head."""
    seconds_limit: float = 20
    """A pass that takes longer is stopped and marked, and larger sizes are not tried."""
    fit_from: int | None = None
    """Tokens from which on laws are fitted, by default 16,384, and on a GPU 1,048,576: the time of smaller sizes is
    mostly that of the call."""

    def sweep(self, on_gpu: bool) -> Sweep:
        """What is asked for, with the sizes that suit the device where none are."""
        asked = {field.name: getattr(self, field.name) for field in fields(Sweep)}
        asked["tokens"] = self.tokens or tuple(4**power for power in range(6, 13 if on_gpu else 11))
        if self.fit_from is None:
            asked["fit_from"] = 4**10 if on_gpu else 4**7
        return Sweep(**asked)

    def run(self) -> None:
        """Sweep, write, draw and print."""
        device = choose_device(self.device)
        record = run_sweep(self.sweep(device.type == "cuda"), device, lambda point: print(point, file=sys.stderr))
        write_record(self.out, "scaling", record)
        print(scaling_table(record).to_markdown(index=False, floatfmt=".4g", intfmt=","))
        print(f"\n{memory_verdict(record)}")


Subcommand = (
    Annotated[Cost, tyro.conf.subcommand("cost")]
    | Annotated[Latency, tyro.conf.subcommand("latency")]
    | Annotated[Memory, tyro.conf.subcommand("memory")]
    | Annotated[Training, tyro.conf.subcommand("training")]
    | Annotated[ThroughputOfTraining, tyro.conf.subcommand("throughput")]
    | Annotated[Scaling, tyro.conf.subcommand("scaling")]
)


def main(arguments: Cost | Latency | Memory | Training | ThroughputOfTraining | Scaling) -> None:
    """Do what is asked; refuse a folder of the first layout before anything is measured."""
    require_new_layout(arguments.out)
    named = len(arguments.models) > 0 or isinstance(arguments, Scaling)
    require(named, "models", "must name at least one", arguments.models)
    arguments.run()


def show_training(record: dict[str, Any], out: Path) -> None:
    """Write and print a record of training."""
    write_record(out, "training", record)
    print(training_table(record), training_notes(record), sep="\n\n")
    warn_of_other_work(record)


def require_all(record: dict[str, Any]) -> None:
    """Raise InputError, once the others are written and printed, for networks that were refused."""
    if "refused" in record:
        raise InputError("\n".join(record["refused"].values()))


def write_record(out: Path, name: str, record: dict[str, Any]) -> None:
    """Write `name`.json, its rows as `name`.csv, and its figures."""
    write_text(out / f"{name}.json", json.dumps(record, indent=2) + "\n")
    write_text(out / f"{name}.csv", ROWS[name](record).to_csv(index=False))
    write_figures(record_figures(name, record), out)


def warn_of_other_work(record: dict[str, Any]) -> None:
    """Warn on stderr if the load averages around a measurement show that something else was running."""
    warning = other_work(**record["conditions"])
    if warning is not None:
        print(warning, file=sys.stderr)


if __name__ == "__main__":
    command(main, Subcommand, __doc__, model="models")
