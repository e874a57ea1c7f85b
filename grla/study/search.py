"""What a search is: a question, a base run, parameters to tune, limits on cost, what to minimise. Pure data."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal, get_args

from grla.errors import InputError, require, require_at_least, require_choice
from grla.spec import KernelSpec, RunSpec, with_changes
from grla.study.catalogue import SEARCHES, load_named, names_of
from grla.study.definition import replaced
from grla.study.layout import Changes
from grla.study.parameters import Parameter, Value, exists

Cost = Literal["num_params", "macs", "latency_ms", "peak_memory_mib"]
"""Costs that can be limited or minimised, as a record names them; the first two are counted, the others measured."""
COUNTED: tuple[Cost, ...] = ("num_params", "macs")
Configuration = Mapping[str, Value]
"""A value for each parameter that exists, by its name."""
TUNING_SEED = 1000
"""The seed of all trials. Studies count theirs from 0, so a winner is confirmed on seeds it was not chosen by."""


@dataclass(frozen=True)
class Limit:
    """A cost that no configuration may exceed, in the cost's own unit (num_params and macs: ones, not K or G)."""

    cost: Cost
    at_most: float

    def __post_init__(self) -> None:
        require_choice("limit: cost", self.cost, get_args(Cost))
        require(self.at_most > 0, f"limit of {self.cost}", "must be above 0", self.at_most)


@dataclass(frozen=True)
class SearchProfile:
    """How large a search is run: spec changes on top of the base, number of trials, and the time to expect.

    `parameters` and `limits` replace the search's of the same names.
    """

    changes: Changes
    trials: int
    expected_time: str
    parameters: tuple[Parameter, ...] = ()
    limits: tuple[Limit, ...] = ()


@dataclass(frozen=True)
class Search:
    """A question and the space to search. A file in `studies/searches/` exports one as `SEARCH` and names it.

    The aim is the best PSNR-Y on the validation images; where `minimise` names costs, the Pareto front of them
    and PSNR-Y. The base is the first configuration that is tried.
    """

    question: str
    source: str
    parameters: tuple[Parameter, ...]
    profiles: Mapping[str, SearchProfile]
    base: RunSpec = field(default_factory=RunSpec)
    limits: tuple[Limit, ...] = ()
    minimise: tuple[Cost, ...] = ()
    name: str = ""

    def profile(self, name: str) -> SearchProfile:
        """The profile called `name`; raises InputError listing the known ones."""
        require_choice(f"search {self.name!r}: profile", name, self.profiles)
        return self.profiles[name]

    def space(self, profile: str, changes: Changes) -> Space:
        """What a profile searches, with further spec `changes` of the base.

        Raises InputError naming the search for a parameter, limit or base that does not fit the others.
        """
        chosen = self.profile(profile)
        try:
            seed = {"seed": TUNING_SEED}
            return Space(
                with_changes(self.base, {**chosen.changes, **changes, **seed}),
                replaced(self.parameters, chosen.parameters),
                replaced(self.limits, chosen.limits, "cost"),
                self.minimise,
            )
        except InputError as error:
            raise InputError(f"search {self.name!r}, profile {profile!r}: {error}") from error


@dataclass(frozen=True)
class Space:
    """The configurations of one profile of a search, as changes of its base."""

    base: RunSpec
    parameters: tuple[Parameter, ...]
    limits: tuple[Limit, ...] = ()
    minimise: tuple[Cost, ...] = ()

    def __post_init__(self) -> None:
        names = [parameter.name for parameter in self.parameters]
        require_at_least("number of parameters", len(names), 1)
        require(len(set(names)) == len(names), "parameters", "must have different names", names)
        for cost in self.minimise:
            require_choice("minimise", cost, get_args(Cost))
        for index, parameter in enumerate(self.parameters):
            if parameter.when is not None:
                _check_condition(parameter, self.parameters[:index])
        start = self.base_configuration()
        same = with_changes(self.base, self.changes(start)) == self.base
        require(same, "the base", "must differ from its own configuration in nothing", self.changes(start))

    @property
    def costs(self) -> tuple[Cost, ...]:
        """The costs that matter: those minimised or limited."""
        return tuple(dict.fromkeys((*self.minimise, *(limit.cost for limit in self.limits))))

    def configure(self, pick: Callable[[Parameter], Value]) -> dict[str, Value]:
        """A configuration of picked values, in order, of those parameters that exist given the values before them."""
        chosen: dict[str, Value] = {}
        for parameter in self.parameters:
            if exists(parameter, chosen):
                chosen[parameter.name] = pick(parameter)
        return chosen

    def base_configuration(self) -> dict[str, Value]:
        """The configuration of the base; raises InputError when it lies outside the space."""
        return self.configure(lambda parameter: _stands_at(self.base, parameter))

    def changes(self, configuration: Configuration) -> dict[str, Value]:
        """The configuration by spec field."""
        return {p.path: configuration[p.name] for p in self.parameters if p.name in configuration}

    def spec(self, configuration: Configuration) -> RunSpec:
        """The run; raises InputError when a spec's rule is broken."""
        return with_changes(self.base, self.changes(configuration))


def search_names(folder: Path = SEARCHES) -> list[str]:
    """The searches in `folder`, one a file."""
    return names_of(folder)


def load_search(name: str, folder: Path = SEARCHES) -> Search:
    """The search of file `{folder}/{name}.py`, named after it; raises InputError listing the known ones."""
    return replace(load_named("search", folder, name, Search), name=name)


def _check_condition(parameter: Parameter, before: tuple[Parameter, ...]) -> None:
    assert parameter.when is not None
    names = [other.name for other in before]
    require_choice(f"parameter {parameter.name!r}: when", parameter.when.parameter, names or ["(none stands before)"])
    other = before[names.index(parameter.when.parameter)]
    for value in parameter.when.values:
        rule = f"must be values that {other.name!r} takes, or the parameter never exists"
        require(other.holds(value), f"parameter {parameter.name!r}: when", rule, value)


def _stands_at(base: RunSpec, parameter: Parameter) -> Value:
    """The base's value of a parameter; a kernel is known by its name."""
    value: Any = base
    for key in parameter.path.split("."):
        known = key in value if isinstance(value, Mapping) else hasattr(value, key)
        require(known, f"parameter {parameter.name!r}", "must be a field or option that the base gives", parameter.path)
        value = value[key] if isinstance(value, Mapping) else getattr(value, key)
    value = value.name if isinstance(value, KernelSpec) else value
    rule = f"must have the base's value, {value!r}, among its own"
    require(parameter.holds(value), f"parameter {parameter.name!r}", rule, str(parameter))
    return value  # type: ignore[no-any-return]
