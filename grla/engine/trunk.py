"""Several budgets from one run: what runs with the schedule "stable" share, and what half the budget would have given.

Such runs keep their rate until the last fifth of the budget. Those that differ in their budget alone have the same
first steps, their trunk, which is trained once: a longer run goes on, to the bit, from where a shorter one branched
off. Each run also trains the branch that ends at half its budget, so that its record can say what the last doubling of
the steps was worth.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grla.engine.material import TrainingMaterial, cell_hash
from grla.files import atomic_write
from grla.spec import Budget, RunSpec, TrainSpec, with_changes
from grla.study import VALIDATION_PSNR
from grla.training import load_checkpoint

TRUNKS = "trunks"


@dataclass(frozen=True)
class Trunk:
    """The folder of a trunk: checkpoints at the steps where branches began, each named by its step."""

    folder: Path

    def state_for(self, spec: TrainSpec) -> dict[str, Any] | None:
        """The latest state on the way of the run of `spec`, as it would have come there itself; None if there is none.

        The run may validate more rarely than the one that left the checkpoint: a loss is the mean over the steps since
        the last validation.
        """
        every = int(spec.budget.amount) / spec.validations
        for step in sorted((int(path.stem) for path in self.folder.glob("*.pt")), reverse=True):
            if step <= (spec.trunk_steps or 0):
                state = load_checkpoint(self._path(step))
                marks = [mark for k in range(1, spec.validations + 1) if (mark := k * every) <= step]
                known = {entry["step"] for entry in state["history"]}
                if step in marks and known.issuperset(marks):
                    return {**state, "history": _thinned(state["history"], marks)}
        return None

    def keep(self, checkpoint: Path, step: int) -> None:
        """Copy a run's checkpoint at `step`, the end of its trunk."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with checkpoint.open("rb") as source, atomic_write(self._path(step)) as file:
            shutil.copyfileobj(source, file)

    def _path(self, step: int) -> Path:
        return self.folder / f"{step}.pt"


def trunk_of(root: Path, spec: RunSpec, material: TrainingMaterial, device: Any) -> Trunk | None:
    """The trunk, below folder `root`, of a run that has one: named by all that its steps depend on."""
    if spec.train.trunk_steps is None:
        return None
    return Trunk(root / TRUNKS / cell_hash(_alike(spec), material, device))


def shares_to_train(specs: Sequence[RunSpec]) -> list[float]:
    """Of each run's steps the share that it trains itself, one run after the other, the branch of half of it included.

    1 where nothing is shared.
    """
    shares: list[float] = []
    ends: dict[RunSpec, set[int]] = {}
    for number, spec in enumerate(specs):
        if spec.train.trunk_steps is None:
            shares.append(1.0)
            continue
        kept, steps = ends.setdefault(_alike(spec), {0}), 0.0
        half = half_of(spec)
        for branch in (spec,) if half is None or half in specs[:number] else (half, spec):
            last = branch.train.trunk_steps or 0
            steps += branch.train.budget.amount - max(end for end in kept if end <= last)
            kept.add(last)
        shares.append(steps / spec.train.budget.amount)
    return shares


def half_of(spec: RunSpec) -> RunSpec | None:
    """The run with half the budget, if it has the same trunk; None where there is no such budget."""
    amount = spec.train.budget.amount
    if spec.train.trunk_steps is None or amount % 20:
        return None
    # Of the type that it has: 20 and 20.0 steps have different names.
    return with_changes(spec, {"train.budget": Budget(type(amount)(amount / 2), "steps")})


def gain_since_half(history: list[dict[str, float]]) -> float | None:
    """dB of validation PSNR-Y between the last validation and the last one in the first half of the steps.

    In the middle of a schedule that falls all the time the rate is still high, so that this is more than a run of half
    the budget would have left to gain. None where there is no such validation.
    """
    halves = [entry for entry in history if 2 * entry["step"] <= history[-1]["step"]]
    return history[-1][VALIDATION_PSNR] - halves[-1][VALIDATION_PSNR] if halves else None


def _alike(spec: RunSpec) -> RunSpec:
    """The same for all that share a trunk: any budget will do, as a trunk knows none."""
    return with_changes(spec, {"train.budget": Budget(10, "steps"), "train.validations": 5})


def recorded_end(record: Path) -> float | None:
    """The last validation PSNR-Y in a cell's record.json, if it is there and the cell was trained to its end."""
    if not record.exists():
        return None
    values = json.loads(record.read_text(encoding="utf-8"))
    return values["history"][-1][VALIDATION_PSNR] if values["outcome"] == "ok" else None


def _thinned(history: list[dict[str, float]], marks: list[float]) -> list[dict[str, float]]:
    """The entries at `marks`, each with the mean loss since the one before."""
    kept, start, total = [], 0.0, 0.0
    before = 0.0
    for entry in history:
        total += entry["loss"] * (entry["step"] - before)
        before = entry["step"]
        if entry["step"] in marks:
            kept.append({**entry, "loss": total / (before - start)})
            start, total = before, 0.0
    return kept
