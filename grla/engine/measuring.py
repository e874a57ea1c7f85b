"""The costs of a study's variants: measured once for all seeds, before the machine that measures trains anything."""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import optuna
import torch

from grla.cost import quick_collection
from grla.devices import card_name, require_alive
from grla.engine.costs import measure
from grla.engine.plan import Plan, PlannedCell
from grla.engine.processes import Execution, Work, planned_path
from grla.errors import InputError, Interrupted
from grla.provenance import DISTURBED
from grla.spec import Budget, OutsideSpec, RunSpec, all_stages, spec_hash, with_changes
from grla.study import Changes, cell_identity

PREFIX = "costs."
"""Begins the names of a study's attributes in the storage that hold what was measured, one for each variant."""
ANY: Changes = {
    "seed": 0,
    "train.learning_rate": 1e-3,
    "train.warmup": 0,
    "train.budget": Budget(10, "steps"),
    "train.validations": 5,
}
"""What a step costs the same with, whatever it is."""
FATAL = "fatal"
"""Marks, among what was measured, a failure that left the GPU of no more use: it would end each run again."""


def measure_variants(
    plan: Plan, device: torch.device, execution: Execution, should_stop: Callable[[], bool] = lambda: False
) -> None:
    """Measure the costs of all variants with cells to run that nobody has measured yet, one variant at a time.

    They go into the storage, for all seeds and for the workers of all machines. Nothing else should run here meanwhile.
    Raises `Interrupted` when `should_stop` asks for it, and InputError when a network left the GPU of no more use; the
    next run takes that as the network's outcome instead of measuring it again.
    """
    wanted = {cost_name(planned, device, execution): planned for planned in plan.queued()}
    known = _known(plan.queue.storage)
    for name in wanted.keys() & known.keys():
        plan.trials.set_user_attr(f"{PREFIX}{name}", json.dumps(known[name]))
    missing = [(name, planned) for name, planned in wanted.items() if name not in known]
    disturbed = 0.0
    with quick_collection():
        for number, (name, planned) in enumerate(missing, 1):
            if should_stop():
                raise Interrupted("stopped between two measurements")
            print(f"[{number}/{len(missing)}] measuring what {planned.cell.variant} costs", file=sys.stderr, flush=True)
            costs = measure(planned.cell.spec, planned.material, device, execution)
            plan.trials.set_user_attr(f"{PREFIX}{name}", json.dumps(costs))
            disturbed = max(disturbed, costs["others_share"])
            try:
                require_alive(device)
            except InputError:
                plan.trials.set_user_attr(f"{PREFIX}{name}", json.dumps({**costs, FATAL: True}))
                raise
    if disturbed > DISTURBED:
        print(
            f"Other work kept up to {disturbed:.0%} of this machine's processors busy while costs were measured: "
            "latencies are too high, and those of one variant more than another's. Scores do not depend on it; "
            "run_benchmark.py latency measures in turns.",
            file=sys.stderr,
            flush=True,
        )


def costs_of(plan: Plan, planned: PlannedCell, device: torch.device, execution: Execution) -> dict[str, Any]:
    """What was measured for the cell's variant, as fields of a record, and that measurement's name; {} if nothing."""
    name = cost_name(planned, device, execution)
    stored = plan.trials.user_attrs.get(f"{PREFIX}{name}")
    if stored is None:
        return {}
    measured = json.loads(stored)
    measured.pop(FATAL, None)
    return {**measured, "costs": name}


def cost_name(planned: PlannedCell, device: torch.device, execution: Execution) -> str:
    """16 hex digits that name what is measured: the cell but for ANY, the way it is trained, and on which card.

    On a GPU the path of its attention, too: without Triton's kernels another time is measured.
    """
    priced = with_changes(planned.cell.spec, ANY)
    identity = cell_identity(priced, planned.material.checksums, device.type, planned.source)
    path = planned_path(priced, device)
    return spec_hash([identity, str(execution), card_name(device), *([path] if path else [])])


def work_of(costs: Sequence[tuple[RunSpec, Mapping[str, Any]]], execution: Execution) -> Work:
    """A number of cells, with what is known of the costs of each, and what the largest one takes."""
    macs = max(_step_macs(spec, cost) for spec, cost in costs)
    mib = max(cost.get("train_peak_memory_mib") or 0 for _, cost in costs)
    # Outside models may have norms that cannot be shared, and a compiled step cannot be either.
    shared = not execution.compile and not any(isinstance(spec.model, OutsideSpec) for spec, _ in costs)
    batch_sizes = (batch_size for spec, _ in costs for _, _, batch_size in all_stages(spec.data))
    batch_size = math.gcd(*batch_sizes) if shared else 1
    return Work(len(costs), batch_size, macs, mib)


def _step_macs(spec: RunSpec, costs: Mapping[str, Any]) -> float:
    """Multiply-adds of a forward pass over the largest batch, from those at the size that is counted."""
    height, width = (side // spec.model.upscale for side in spec.cost.count_output)
    pixels = max(batch_size * patch_size**2 for _, patch_size, batch_size in all_stages(spec.data))
    return (costs.get("macs") or 0) * pixels / (height * width)


def _known(storage: optuna.storages.RDBStorage) -> dict[str, dict[str, Any]]:
    """What was measured before, by name, in any study of the storage; what failed is measured again unless fatal."""
    found = {}
    for summary in optuna.get_all_study_summaries(storage, include_best_trial=False):
        for name, value in summary.user_attrs.items():
            if name.startswith(PREFIX):
                costs = json.loads(value)
                if costs["outcome"] == "ok" or FATAL in costs:
                    found[name.removeprefix(PREFIX)] = costs
    return found
