"""Comparisons at equal cost: variants that are each as wide as it takes to cost what the base costs.

Only `model.dim` is changed, and every head must keep a whole number of channels, at least two: dims come in steps, and
the nearest one may miss the base's cost by more than is called equal. Each row of the study's tables and figures says
its dim and by how much its cost differs.
"""

from __future__ import annotations

import bisect
import functools
import json
import math
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

import torch

from grla.cost import Counts, count, time_in_turns
from grla.devices import card_name
from grla.engine.processes import planned_path
from grla.errors import InputError, ModelError, require
from grla.files import write_text
from grla.model import build_model, build_on_meta
from grla.spec import ModelSpec, RunSpec, spec_hash, with_changes
from grla.study import SIZE_TOLERANCE, Cell, Changes, Size, Study

Measure = Literal["params", "macs", "latency"]

MATCHED = "-matched-"
KEPT_DIMS = "matched_dims.json"  # the usual name of the file of dims found by latency, below the folder of results
WORDS: dict[Measure, str] = {"params": "parameters", "macs": "MACs", "latency": "latency"}


@dataclass(frozen=True)
class Matching:
    """By what cost to match, and on what device latency is measured.

    `kept` is a file in which the dims found by latency are kept and found again, so that running again on such a card
    goes on with the same networks; None keeps nothing.
    """

    measure: Measure
    device: torch.device
    kept: Path | None = None


def match_study(study: Study, profile: str, changes: Changes, matching: Matching) -> Study:
    """The study NAME-matched-MEASURE: `study` with the sizes at which this profile's variants cost what its base costs.

    A variant that has no `dim` (a network that is not GRLASR) stays as it is, and tables say so. InputError for a study
    of panels, which have bases of their own, and for one that varies `dim`.
    """
    rule = "must not be 'panels', whose parts have different bases, at equal cost; take a study of one base"
    require(study.design != "panels", f"study {study.name!r}: design", rule, study.design)
    cells = study.cells(profile, changes, seeds=1)
    base = cells[0].spec
    require(
        isinstance(base.model, ModelSpec), f"study {study.name!r}: base", "must be GRLASR at equal cost", base.model
    )
    sizes = {cell.variant: size for cell in cells if (size := _size(study, cell, base, matching))}
    words = (
        f"At equal {WORDS[matching.measure]}: dims are chosen for it; percentages are what is left, 'unmatched' if "
        f"over {SIZE_TOLERANCE:.0%}."
    )
    name = f"{study.name}{MATCHED}{matching.measure}"
    return replace(study, name=name, question=f"{study.question} {words}", sizes=sizes)


def nearest_dim(ratio: Callable[[int], float], step: int, least: int) -> tuple[int, float]:
    """The multiple of `step` from `least` on at which `ratio` (cost over the base's, growing) is nearest 1, and it."""
    known = functools.cache(ratio)
    highest = least
    while known(highest) < 1:
        highest *= 2
    dims = range(least, highest + 1, step)
    above = bisect.bisect_left(dims, 1.0, key=known)
    nearest = min(dims[max(above - 1, 0) : above + 1], key=lambda dim: abs(known(dim) - 1))
    return nearest, known(nearest)


def dim_steps(model: ModelSpec) -> tuple[int, int]:
    """What the model's dims are multiples of, and the least of them: for its numbers of heads."""
    by_layer = {"window": model.num_heads, "global": model.num_global_heads}
    heads = [by_layer[layer] for layer in model.layers]
    step = math.lcm(*heads)
    return step, step * math.ceil(2 * max(heads) / step)


def _size(study: Study, cell: Cell, base: RunSpec, matching: Matching) -> Size | None:
    """The size of a variant; None where it has none to choose."""
    spec = cell.spec
    if not (isinstance(spec.model, ModelSpec) and isinstance(base.model, ModelSpec)):
        return None
    if spec.model.dim != base.model.dim:
        raise InputError(
            f"study {study.name!r} varies model.dim ({cell.variant}: {spec.model.dim}, base {base.model.dim}), which "
            "is what is chosen for equal cost; take another study"
        )
    return Size(spec.model.dim, 1.0) if spec.model == base.model else _find(spec, base, matching)


def _find(spec: RunSpec, base: RunSpec, matching: Matching) -> Size:
    """The size of `spec` at the base's cost; latency's from the file of earlier runs, if it is there."""
    assert isinstance(spec.model, ModelSpec)
    find = functools.partial(nearest_dim, _ratio(spec, base, matching), *dim_steps(spec.model))
    if matching.measure != "latency" or matching.kept is None:
        return Size(*find())
    known = json.loads(matching.kept.read_text(encoding="utf-8")) if matching.kept.is_file() else {}
    card = card_name(matching.device) or matching.device.type
    paths = [path for run in (spec, base) if (path := planned_path(run, matching.device))]
    key = spec_hash([spec_hash(spec), spec_hash(base), card, *paths])
    if key not in known:
        known[key] = find()
        write_text(matching.kept, json.dumps(known, indent=2) + "\n")
    return Size(*known[key])


def _ratio(spec: RunSpec, base: RunSpec, matching: Matching) -> Callable[[int], float]:
    """By dim, the cost of `spec` over the base's."""

    def sized(dim: int) -> RunSpec:
        return with_changes(spec, {"model.dim": dim})

    if matching.measure == "latency":
        return lambda dim: _latency_ratio(sized(dim), base, matching.device)
    own = _counted(base, matching.measure)
    return lambda dim: _counted(sized(dim), matching.measure) / own


def _counted(spec: RunSpec, measure: Measure) -> int:
    counts = counts_of(spec)
    return counts.num_params if measure == "params" else counts.macs


def counts_of(spec: RunSpec) -> Counts:
    """The network's counts at the spec's `count_output`."""
    height, width = (side // spec.model.upscale for side in spec.cost.count_output)
    try:
        model = build_on_meta(spec.model)
    except ModelError:  # code from outside may need the numbers, as SwinIR's `linspace(...)` of drop rates does
        model = build_model(spec.model)
    return count(model, (1, 3, height, width))


def _latency_ratio(spec: RunSpec, base: RunSpec, device: torch.device) -> float:
    """Timed in turns with the base, on the input and for the rounds that the study times latency with."""
    models = {name: build_model(run.model).to(device) for name, run in (("base", base), ("variant", spec))}
    turns = time_in_turns(models, "base", (1, 3, *base.cost.latency_input), max(base.cost.latency_runs, 2))
    return next(turn.ratio for turn in turns if turn.name == "variant")
