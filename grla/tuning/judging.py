"""How a trial of a search can end, and the ends that come before the first step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import torch

from grla.engine import outcome_of
from grla.errors import InputError
from grla.study import Configuration, Record, Space
from grla.tuning.affordable import describe, price, violations
from grla.tuning.pruning import Rival, dominated

REFUSED = ("over_limit", "invalid", "dominated")
"""Outcomes of trials that were not trained at all. They do not count as trials that somebody asked for."""


@dataclass(frozen=True)
class Ending:
    """How a trial ended; `infeasible` says by how much it breaks what, for the sampler to keep away."""

    outcome: str
    reason: str = ""
    infeasible: Mapping[str, float] = field(default_factory=dict)


def judge(
    space: Space, configuration: Configuration, record: Record, rivals: Sequence[Rival], device: torch.device
) -> Ending | None:
    """Write what the configuration costs into `record`, and say why it is not to be trained, if it is not."""
    try:
        spec = space.spec(configuration)
        with outcome_of(record):
            for name, value in price(space, spec, device).items():
                setattr(record, name, value)
    except InputError as error:
        return Ending("invalid", str(error), {"invalid": 1.0})
    if record.outcome != "ok":  # no memory to measure it, say
        return ending_of(record)
    violated = violations(space, vars(record))
    if violated:
        return Ending("over_limit", describe(violated), {limit.cost: share for limit, share in violated.items()})
    reason = dominated(minimised(space, record), rivals)
    return Ending("dominated", reason) if reason else None


def ending_of(record: Record) -> Ending:
    """How a record ended."""
    outcome = record.outcome
    return Ending(outcome, record.reason, {outcome: 1.0} if outcome in ("diverged", "out_of_memory") else {})


def minimised(space: Space, record: Record) -> tuple[float, ...]:
    """The costs that are objectives."""
    return tuple(float(getattr(record, name)) for name in space.minimise)
