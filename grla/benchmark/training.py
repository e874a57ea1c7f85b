"""What training costs: steps of several networks in turns, and the harness' own share of a cell's time."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm

from grla.benchmark.machine_load import conditions_now
from grla.benchmark.memory import REPEATS, BatchSize, peak_columns, training_step_peak
from grla.benchmark.networks import benchmark_record, prepared_network
from grla.cost import Laps, Turn, take_turns, warm_up
from grla.engine import (
    CellStore,
    CellWatcher,
    Material,
    Worker,
    claimed_cells,
    load_material,
    make_plan,
    make_trainer,
    named_cells,
    open_storage,
    run_claimed,
)
from grla.errors import InputError, require, require_at_least
from grla.spec import Budget, DataSpec, ModelSpec, RunSpec, TrainSpec
from grla.study import QUICK, Changes, Profile, Study
from grla.training import STEP_PHASES, StepStats, Tracker

RECIPE = TrainSpec(Budget(1000, "steps"), learning_rate=1e-6)
"""How often a step is logged depends on the budget; with so small a learning rate no network diverges."""
HARNESS_PHASES = ("data", "logging", "checkpoint", "storage")


@dataclass(frozen=True)
class TrainingTimes:
    """What `time_training` measures: `rounds` steps of each of the `models`, compared with the `base`.

    `repeats` is the number of processes that measure memory. `cell` is what the harness' share is measured on: profile
    quick has the smallest cells whose numbers mean something, and of small cells the harness takes most. Raises
    InputError for a base that is not among the models and for fewer than two rounds.
    """

    models: tuple[str, ...]
    base: str
    upscale: int
    rounds: int
    batch: BatchSize
    repeats: int = REPEATS
    cell: Changes = field(default_factory=lambda: QUICK)

    def __post_init__(self) -> None:
        require(self.base in self.models, "base", f"must be one of the models, {', '.join(self.models)}", self.base)
        require_at_least("rounds", self.rounds, 2)


def time_training(asked: TrainingTimes, folder: Path, device: torch.device) -> dict[str, Any]:
    """A record of training on the bundled photographs: the settings, the conditions, and a row per network.

    A row: seconds for 1000 iterations, images (patches) per second, the columns of `grla.cost.Turn` for one step, of
    `peak_columns` for its memory, and of `TimedTrainer.shares`. A network that cannot be trained here has its outcome
    and reason only. `noise_floor` is the base against itself, `harness` is what `harness_share` returns. Temporary
    files go below `folder`. Raises InputError for a base that cannot be trained.
    """
    before = conditions_now()
    names, base, batch, upscale = asked.models, asked.base, asked.batch, asked.upscale
    data = DataSpec(patch_size=batch.patch_size, batch_size=batch.batch_size)
    material = load_material(data, upscale, folder / "cache", device)
    rows: dict[str, dict[str, Any]] = {}
    for name in tqdm(names, "memory", disable=None):
        work = training_step_peak, name, upscale, batch, device
        rows[name] = {"model": name, **peak_columns("training_step", asked.repeats, *work)}
    trainable = [name for name, row in rows.items() if row["outcome"] == "ok"]
    if base not in trainable:
        raise InputError(f"model {base}, the base, cannot be trained here: {rows[base]['reason']}")
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        spec = RunSpec(ModelSpec(upscale=upscale), data, RECIPE)
        trainers = {name: TimedTrainer(name, spec, material, Path(scratch) / name, device) for name in trainable}
        for trainer in trainers.values():
            trainer.warm_up()
        *turns, again = take_turns({name: trainer.step for name, trainer in trainers.items()}, base, asked.rounds)
        for trainer in trainers.values():
            trainer.tracker.close()
    for turn in turns:
        rows[turn.name] |= _speed(turn, batch.batch_size) | trainers[turn.name].shares(asked.rounds)
    return benchmark_record(
        device,
        upscale=upscale,
        **asdict(batch),
        base=base,
        rounds=asked.rounds,
        harness=harness_share(asked.cell, folder, device),
        conditions={"before": before, "after": conditions_now()},
        noise_floor={"ratio": again.ratio, "low": again.low, "high": again.high},
        models=list(rows.values()),
    )


class TimedTrainer:
    """A network that is trained in turns with others: a step with its logging at a time, timed phase by phase."""

    def __init__(self, name: str, spec: RunSpec, material: Material, logs: Path, device: torch.device) -> None:
        self.name = name
        self.device = device
        self.tracker = Tracker(logs, 0)
        self.trainer = make_trainer(spec, prepared_network(name, spec.model.upscale, device), material, device)
        self.watcher = CellWatcher(spec, material, self.tracker, TimedCell(device))
        self.steps: list[dict[str, float]] = []

    def step(self) -> float:
        """One step of the training loop, in milliseconds. Raises InputError if it fails, for lack of memory say."""
        self.trainer.lap = laps = Laps(self.device)
        try:
            self.watcher.stepped(self.trainer, self.trainer.train_step())
            self.trainer.lap("logging")
        except RuntimeError as error:
            raise InputError(f"model {self.name} cannot be trained: {str(error).splitlines()[0]}") from error
        self.steps.append(laps.seconds)
        return 1000 * laps.total

    def warm_up(self) -> None:
        """Keep a GPU busy with steps: warming up by the number of runs may end while its clocks still rise."""
        if self.device.type == "cuda":
            warm_up(self.step, self.device)

    def shares(self, number: int) -> dict[str, float]:
        """The share of each phase in the time of the last `number` steps, 0 to 1: `data_share`, `forward_share`, ..."""
        seconds = {phase: sum(step[phase] for step in self.steps[-number:]) for phase in STEP_PHASES}
        return {f"{phase}_share": mine / sum(seconds.values()) for phase, mine in seconds.items()}


class TimedCell:
    """A listener that shows nothing and adds up where a cell's time goes."""

    def __init__(self, device: torch.device) -> None:
        self.lap = Laps(device)
        self.outcome = ""

    def stepped(self, progress: float, stats: StepStats) -> None:
        """Not shown."""

    def validated(self, entry: dict[str, float]) -> None:
        """Not shown."""

    def checkpointed(self) -> None:
        """Not shown."""

    def should_stop(self) -> bool:
        """Never."""
        return False

    def finished(self, outcome: str) -> None:
        """Keep how it ended."""
        self.outcome = outcome


def harness_share(
    changes: Changes, folder: Path, device: torch.device, load: Callable[..., Material] = load_material
) -> dict[str, Any]:
    """Run the base cell with `changes` as a study does, in a temporary folder inside `folder`, and time its phases.

    `harness_share` (0 to 1) is what `HARNESS_PHASES` take (sampling, logs, checkpoints, Optuna's storage) of the cell's
    whole time, `seconds` the time by phase; creating the storage, once per study, is not part of a cell. `load` loads
    the images.
    """
    study = Study("What does the harness take?", "none", (), {"cell": Profile(changes, 1, "")}, name="overhead")
    cells = study.cells("cell", {})
    spec = cells[0].spec
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        material = load(spec.data, spec.model.upscale, Path(scratch), device)
        plan = make_plan(open_storage(Path(scratch)), study, "cell", named_cells(cells, lambda _: material, device))
        cell = TimedCell(device)
        for trial, planned in claimed_cells(plan):
            run_claimed(plan, trial, planned, Worker(CellStore(Path(scratch)), device), cell)
    harness = sum(cell.lap.seconds.get(phase, 0.0) for phase in HARNESS_PHASES)
    about = {"budget": str(spec.train.budget), "batch_size": spec.data.batch_size, "patch_size": spec.data.patch_size}
    share = harness / cell.lap.total
    return {**about, "outcome": cell.outcome, "harness_share": share, "seconds": cell.lap.seconds}


def _speed(turn: Turn, batch_size: int) -> dict[str, float]:
    """The turn's columns, and its median in the units of the paper's table 11: a millisecond is a second in 1000."""
    columns = {name: value for name, value in asdict(turn).items() if name != "name"}
    return {"seconds_per_1000": turn.median_ms, "images_per_second": 1000 * batch_size / turn.median_ms, **columns}
