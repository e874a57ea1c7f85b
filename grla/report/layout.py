"""How the rows of a study belong together: its factors, their levels, and the label of every variant."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from grla.errors import InputError

BASE = "base"


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
    """Rows that are read against each other: one table, one frame of a figure. `rows` are pairs (label, variant).

    `base` is the variant that the others are compared with. `panel` names the part of a study of design "panels" that
    the group belongs to; numbers of different panels are never compared.
    """

    title: str
    rows: tuple[tuple[str, str], ...]
    base: str = BASE
    panel: str = ""

    def name(self, label: str, variant: str) -> str:
        """`label` as tables and figures show it: the base says that it is the base."""
        return f"{label} (base)" if variant == self.base else label


@dataclass(frozen=True)
class Layout:
    """What a study asked and which variants it consists of; all that tables and figures know of its definition.

    "one_at_a_time" varies one factor around the base, "grid" takes all combinations. In "panels" each level of the
    first factor is a panel with a base of its own, around which the other factors are varied one at a time.
    `num_looks` is at how many looks its verdicts may be given (see `grla.report.statistics.sequential`).
    """

    study: str
    question: str
    source: str
    profile: str
    design: Literal["one_at_a_time", "grid", "panels"]
    factors: tuple[Factor, ...]
    num_looks: int = 1

    def __post_init__(self) -> None:
        if self.design == "panels" and len(self.factors) < 2:
            raise InputError(f"study {self.study!r}: design 'panels' needs a factor besides the one that names panels")

    def variant(self, levels: Mapping[str, str]) -> str:
        """The label of the variant with these levels (factors left out stand at their base level).

        "base" if nothing differs from the base, otherwise the differing factors: "kernel=relu, depth=1".
        """
        changed = [f"{f.name}={levels[f.name]}" for f in self.factors if levels.get(f.name, f.base) != f.base]
        return ", ".join(changed) or BASE

    def groups(self) -> tuple[Group, ...]:
        """One group per factor, in panels one per panel and further factor, each with its base; in a grid just one."""
        if self.design == "grid":
            return (Group(" x ".join(factor.name for factor in self.factors), self._grid_rows()),)
        if self.design == "one_at_a_time":
            return tuple(Group(factor.name, self._rows(factor, {})) for factor in self.factors)
        panel, *factors = self.factors
        return tuple(self._panel_group(panel.name, level, factor) for level in panel.levels for factor in factors)

    def variants(self) -> tuple[str, ...]:
        """Every variant once, in the order of the tables; but the base comes first, and so does each panel's in it."""
        names = [(group.base, *(variant for _, variant in group.rows)) for group in self.groups()]
        return tuple(dict.fromkeys([BASE, *itertools.chain.from_iterable(names)]))

    def _rows(self, factor: Factor, around: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        """The levels of a factor, all others standing at the base but for the levels `around`."""
        return tuple((level, self.variant({**around, factor.name: level})) for level in factor.levels)

    def _panel_group(self, panel: str, level: str, factor: Factor) -> Group:
        name, around = f"{panel} {level}", {panel: level}
        return Group(f"{name}: {factor.name}", self._rows(factor, around), self.variant(around), name)

    def _grid_rows(self) -> tuple[tuple[str, str], ...]:
        names = [factor.name for factor in self.factors]
        grid = itertools.product(*(factor.levels for factor in self.factors))
        return tuple((", ".join(cell), self.variant(dict(zip(names, cell, strict=True)))) for cell in grid)
