"""How the rows of a study belong together: its factors, their levels, and the label of every variant."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from grla.errors import InputError

BASE = "base"
BICUBIC = "bicubic"


@dataclass(frozen=True)
class Factor:
    """One thing a study varies; `levels` are labels in the order of the tables, `base` is one of them."""

    name: str
    levels: tuple[str, ...]
    base: str

    def __post_init__(self) -> None:
        if self.base not in self.levels:
            raise InputError(f"base of factor {self.name!r} must be one of {', '.join(self.levels)}, got {self.base!r}")


@dataclass(frozen=True)
class Group:
    """Rows that are read against each other: one table, one panel. `rows` are pairs (label, variant)."""

    title: str
    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Layout:
    """What a study asked and which variants it consists of; all that tables and figures know of its definition."""

    study: str
    question: str
    source: str
    profile: str
    design: Literal["one_at_a_time", "grid"]
    factors: tuple[Factor, ...]

    def variant(self, levels: Mapping[str, str]) -> str:
        """The label of the variant with these levels (factors left out stand at their base level).

        "base" if nothing differs from the base, otherwise the differing factors: "kernel=relu, depth=1".
        """
        changed = [f"{f.name}={levels[f.name]}" for f in self.factors if levels.get(f.name, f.base) != f.base]
        return ", ".join(changed) or BASE

    def groups(self) -> tuple[Group, ...]:
        """One group per factor, each with the base; in a grid a single group of all combinations."""
        if self.design == "grid":
            return (Group(" x ".join(factor.name for factor in self.factors), self._grid_rows()),)
        return tuple(Group(f.name, tuple((x, self.variant({f.name: x})) for x in f.levels)) for f in self.factors)

    def variants(self) -> tuple[str, ...]:
        """Every variant once, in the order of the tables, the base first."""
        return tuple(dict.fromkeys([BASE, *(variant for group in self.groups() for _, variant in group.rows)]))

    def _grid_rows(self) -> tuple[tuple[str, str], ...]:
        names = [factor.name for factor in self.factors]
        grid = itertools.product(*(factor.levels for factor in self.factors))
        return tuple((", ".join(cell), self.variant(dict(zip(names, cell, strict=True)))) for cell in grid)
