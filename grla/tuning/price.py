"""What a configuration costs, known before it is trained, and whether limits and cheaper trials leave it a chance."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch

from grla.engine import counted_costs, measured_costs, outcome_of
from grla.errors import InputError
from grla.model import build_model, build_on_meta
from grla.spec import RunSpec
from grla.study import COUNTED, Configuration, Limit, Record, Space

REFUSED = ("over_limit", "invalid", "dominated")
"""Outcomes of trials that were not trained at all. They do not count as trials that somebody asked for."""
TRIES = 100
"""How many configurations are drawn before a search is called impossible."""


@dataclass(frozen=True)
class Ending:
    """How a trial ended; `infeasible` says by how much it breaks what, for the sampler to keep away."""

    outcome: str
    reason: str = ""
    infeasible: Mapping[str, float] = field(default_factory=dict)


def judge(space: Space, configuration: Configuration, record: Record, device: torch.device) -> Ending | None:
    """Write what the configuration costs into `record`, and say why it cannot be trained, if it cannot."""
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
    return None


def ending_of(record: Record) -> Ending:
    """How a record ended."""
    outcome = record.outcome
    return Ending(outcome, record.reason, {outcome: 1.0} if outcome in ("diverged", "out_of_memory") else {})


def minimised(space: Space, record: Record) -> tuple[float, ...]:
    """The costs that are objectives."""
    return tuple(float(getattr(record, name)) for name in space.minimise)


def price(space: Space, spec: RunSpec, device: torch.device) -> dict[str, Any]:
    """All counted costs of a run and, where one of them matters to the search, the measured ones, by name.

    Times are not taken of a network whose counts break a limit already. Raises InputError for a network that cannot be
    built or counted and for a cost that cannot be measured here.
    """
    costs: dict[str, Any] = dict(counted_costs(build_on_meta(spec.model), spec))
    if set(space.costs) <= set(COUNTED) or violations(space, costs):
        return costs
    costs |= measured_costs(build_model(spec.model).to(device), spec, device)
    for name in space.costs:
        if costs[name] is None:
            raise InputError(f"{name} cannot be measured on this system; search for another cost")
    return costs


def violations(space: Space, costs: dict[str, Any]) -> dict[Limit, float]:
    """The limits that are exceeded by these costs and by what share, 0.5 for half as much again."""
    shares = {limit: costs[limit.cost] / limit.at_most - 1 for limit in space.limits if limit.cost in costs}
    return {limit: share for limit, share in shares.items() if share > 0}


def describe(violated: dict[Limit, float]) -> str:
    """Exceeded limits in words."""
    return ", ".join(
        f"{limit.cost} {_number((1 + share) * limit.at_most)} exceeds {_number(limit.at_most)}"
        for limit, share in violated.items()
    )


def require_possible(space: Space, device: torch.device) -> None:
    """Raise InputError unless the base or one of `TRIES` random configurations keeps all limits.

    It says of each limit the least cost that was found, so that one knows where to put it.
    """
    numbers, least = random.Random(0), dict[str, float]()
    start = space.base_configuration()
    draws = (space.configure(lambda parameter: parameter.draw(numbers)) for _ in range(TRIES))
    for configuration in (start, *draws) if space.limits else ():
        try:
            costs = price(space, space.spec(configuration), device)
        except InputError:
            if configuration is start:  # what is wrong with the base is wrong with the search
                raise
            continue
        if not violations(space, costs):
            return
        for limit in space.limits:
            if limit.cost in costs:
                least[limit.cost] = min(costs[limit.cost], least.get(limit.cost, costs[limit.cost]))
    if space.limits:
        asked = ", ".join(f"{limit.cost} at most {_number(limit.at_most)}" for limit in space.limits)
        found = ", ".join(f"{name} {_number(value)}" for name, value in least.items())
        rule = f"none of {TRIES + 1} configurations tried keeps the limits ({asked})"
        raise InputError(f"{rule}; the least of each that was found: {found}; raise the limits or widen the parameters")


def _number(value: float) -> str:
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"
