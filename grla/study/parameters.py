"""The parameters of a search: a spec field by dotted path, the values it may take, and when it exists at all."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass

from grla.errors import require, require_at_least

Value = float | int | str | bool


@dataclass(frozen=True)
class When:
    """A parameter exists only where another, named before it, has one of these values."""

    parameter: str
    values: tuple[Value, ...]

    def holds(self, chosen: Mapping[str, Value]) -> bool:
        """Whether the condition holds for these values, of the parameters that exist."""
        return chosen.get(self.parameter) in self.values


@dataclass(frozen=True)
class Float:
    """A number from `low` to `high`; with `log`, uniform in the logarithm."""

    name: str
    path: str
    low: float
    high: float
    log: bool = False
    when: When | None = None

    def __post_init__(self) -> None:
        _check_range(self)

    def holds(self, value: object) -> bool:
        """Whether it may take `value`."""
        return isinstance(value, (int, float)) and self.low <= value <= self.high

    def draw(self, numbers: random.Random) -> Value:
        """A value at random."""
        if self.log:
            return math.exp(numbers.uniform(math.log(self.low), math.log(self.high)))
        return numbers.uniform(self.low, self.high)

    def __str__(self) -> str:
        return f"{self.low:g} to {self.high:g}" + (", logarithmic" if self.log else "")


@dataclass(frozen=True)
class Int:
    """A whole number from `low` to `high` in steps of `step`, starting at `low`."""

    name: str
    path: str
    low: int
    high: int
    step: int = 1
    when: When | None = None

    def __post_init__(self) -> None:
        _check_range(self)
        require_at_least(f"parameter {self.name!r}: step", self.step, 1)

    def holds(self, value: object) -> bool:
        """Whether it may take `value`."""
        return isinstance(value, int) and value in range(self.low, self.high + 1, self.step)

    def draw(self, numbers: random.Random) -> Value:
        """A value at random."""
        return numbers.randrange(self.low, self.high + 1, self.step)

    def __str__(self) -> str:
        return f"{self.low} to {self.high}" + (f" in steps of {self.step}" if self.step > 1 else "")


@dataclass(frozen=True)
class Choice:
    """One of some values, without an order."""

    name: str
    path: str
    choices: tuple[Value, ...]
    when: When | None = None

    def __post_init__(self) -> None:
        several = len(set(self.choices)) == len(self.choices) > 1
        require(several, f"parameter {self.name!r}: choices", "must be two or more different values", self.choices)

    def holds(self, value: object) -> bool:
        """Whether it may take `value`."""
        return value in self.choices

    def draw(self, numbers: random.Random) -> Value:
        """A value at random."""
        return numbers.choice(self.choices)

    def __str__(self) -> str:
        return ", ".join(map(str, self.choices))


Parameter = Float | Int | Choice


def exists(parameter: Parameter, chosen: Mapping[str, Value]) -> bool:
    """Whether a parameter exists, given the values chosen before it."""
    return parameter.when is None or parameter.when.holds(chosen)


def _check_range(parameter: Float | Int) -> None:
    low, high = parameter.low, parameter.high
    require(low < high, f"parameter {parameter.name!r}: low", f"must lie below high ({high})", low)
    positive = not (isinstance(parameter, Float) and parameter.log) or low > 0
    require(positive, f"parameter {parameter.name!r}: low", "must be above 0 for a logarithmic range", low)
