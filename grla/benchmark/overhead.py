"""The harness' own share of a cell's time: one cell run as a study runs it, and timed phase by phase."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import torch

from grla.cost import Laps
from grla.engine import CellStore, Worker, load_material, make_plan, named_cells, open_storage, run_plan
from grla.study import QUICK, Changes, Profile, Study
from grla.training import StepStats

HARNESS_PHASES = ("data", "logging", "checkpoint", "storage")
SMALL_CELL = QUICK
"""The smallest cell whose numbers mean something: of all cells' times, of its time the harness takes most."""


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


def harness_share(changes: Changes, folder: Path, device: torch.device) -> dict[str, Any]:
    """Run the base cell with `changes` as a study does, in a scratch folder inside `folder`, and say what took time.

    `harness_share` (0 to 1) is what `HARNESS_PHASES` take (sampling, logs, checkpoints, Optuna's storage) of the cell's
    whole time, `seconds` the time by phase; creating the storage, once a study, is not part of a cell.
    """
    study = Study("What does the harness take?", "none", (), {"cell": Profile(changes, 1, "")}, name="overhead")
    cells = study.cells("cell", {})
    spec = cells[0].spec
    with tempfile.TemporaryDirectory(dir=folder) as scratch:
        material = load_material(spec.data, spec.model.upscale, Path(scratch), device)
        plan = make_plan(open_storage(Path(scratch)), study, "cell", named_cells(cells, lambda _: material, device))
        cell = TimedCell(device)
        run_plan(plan, Worker(CellStore(Path(scratch)), device), lambda _: cell)
    harness = sum(cell.lap.seconds.get(phase, 0.0) for phase in HARNESS_PHASES)
    about = {"budget": str(spec.train.budget), "batch_size": spec.data.batch_size, "patch_size": spec.data.patch_size}
    share = harness / cell.lap.total
    return {**about, "outcome": cell.outcome, "harness_share": share, "seconds": cell.lap.seconds}
