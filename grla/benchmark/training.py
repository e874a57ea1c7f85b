"""What training costs: networks by name, a step of each in turns."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from grla.benchmark import overhead
from grla.benchmark.machine_load import conditions_now
from grla.benchmark.memory import REPEATS, BatchSize, peak_columns, training_step_peak
from grla.benchmark.networks import find_subject
from grla.cost import Laps, Turn, take_turns
from grla.engine import CellWatcher, Material, load_material, make_trainer
from grla.errors import InputError, require, require_at_least
from grla.provenance import BENCHMARK_PROTOCOL, describe_run
from grla.spec import Budget, DataSpec, ModelSpec, RunSpec, TrainSpec
from grla.training import STEP_PHASES, Tracker, advance

RECIPE = TrainSpec(Budget(1000, "steps"), learning_rate=1e-6)
"""How often a step is logged depends on the budget; with so small a learning rate no network diverges."""


class Student:
    """A network that trains beside others: each go is one step with its logging, and remembers where its time went."""

    def __init__(self, name: str, spec: RunSpec, material: Material, logs: Path, device: torch.device) -> None:
        self.name = name
        self.device = device
        self.tracker = Tracker(logs, 0)
        self.trainer = make_trainer(spec, find_subject(name, spec.model.upscale, device), material, device)
        self.watcher = CellWatcher(spec, material, self.tracker, overhead.TimedCell(device))
        self.steps: list[dict[str, float]] = []

    def go(self) -> float:
        """One step of the training loop in milliseconds; InputError when there is no memory for it, say."""
        self.trainer.lap = laps = Laps(self.device)
        try:
            advance(self.trainer, self.watcher)
        except RuntimeError as error:
            raise InputError(f"model {self.name} cannot be trained: {str(error).splitlines()[0]}") from error
        self.steps.append(laps.seconds)
        return 1000 * laps.total

    def shares(self, number: int) -> dict[str, float]:
        """The share of each phase in the time of the last `number` steps, 0 to 1: `data_share`, `forward_share`, ..."""
        seconds = {phase: sum(step[phase] for step in self.steps[-number:]) for phase in STEP_PHASES}
        return {f"{phase}_share": mine / sum(seconds.values()) for phase, mine in seconds.items()}


def time_training(
    names: Sequence[str], base: str, upscale: int, batch: BatchSize, rounds: int, folder: Path, device: torch.device
) -> dict[str, Any]:
    """A record of training on the bundled photographs, ready for JSON: how it was run, and a row per network.

    A row: seconds for 1000 iterations, images (patches) per second, the columns of `grla.cost.Turn` for one step, of
    `peak_columns` for its memory, and of `Student.shares`. A network that cannot be trained here has its outcome and
    reason only. `noise_floor` is the base against itself, `harness` the harness' share of a small cell. Scratch files
    go below `folder`. Raises InputError for a base that is not among the names or cannot be trained.
    """
    require(base in names, "--base", f"must be one of --models, {', '.join(names)}", base)
    require_at_least("--rounds", rounds, 2)
    before = conditions_now()
    data = DataSpec(patch_size=batch.patch_size, batch_size=batch.batch_size)
    material = load_material(data, upscale, folder / "cache", device)
    rows = {name: _memory(name, upscale, batch, device) for name in tqdm(names, "memory", disable=None)}
    trainable = [name for name, row in rows.items() if row["outcome"] == "ok"]
    require(base in trainable, f"--base {base}", "must be a model that can be trained here", rows[base]["reason"])
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        spec = RunSpec(ModelSpec(upscale=upscale), data, RECIPE)
        students = {name: Student(name, spec, material, Path(scratch) / name, device) for name in trainable}
        *turns, again = take_turns({name: student.go for name, student in students.items()}, base, rounds)
        for student in students.values():
            student.tracker.close()
    for turn in turns:
        rows[turn.name] |= _speed(turn, batch.batch_size) | students[turn.name].shares(rounds)
    harness = overhead.harness_share(overhead.SMALL_CELL, folder, device)
    about = {"protocol": BENCHMARK_PROTOCOL, "upscale": upscale, **asdict(batch), "base": base, "rounds": rounds}
    about |= {"device": device.type, "conditions": {"before": before, "after": conditions_now()}}
    floor = {"ratio": again.ratio, "low": again.low, "high": again.high}
    return {**describe_run(), **about, "noise_floor": floor, "harness": harness, "models": list(rows.values())}


def _memory(name: str, upscale: int, batch: BatchSize, device: torch.device) -> dict[str, Any]:
    columns = peak_columns("training_step", REPEATS, training_step_peak, name, upscale, batch, device)
    return {"model": name, **columns}


def _speed(turn: Turn, batch_size: int) -> dict[str, float]:
    """The turn's columns, and its median in the units of the paper's table 11: a millisecond is a second in 1000."""
    columns = {name: value for name, value in asdict(turn).items() if name != "name"}
    return {"seconds_per_1000": turn.median_ms, "images_per_second": 1000 * batch_size / turn.median_ms, **columns}
