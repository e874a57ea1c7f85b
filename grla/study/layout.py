"""How the cells of a study belong together: its factors, their levels, and the label of every variant.

A layout is one profile of a study. It is what a run plans from, what is recorded, and all that tables and figures know
of a study's definition.
"""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Literal

from grla.errors import InputError, require
from grla.spec import RunSpec, with_changes
from grla.study.sizes import DIM, NOT_SIZED, Size

BASE = "base"
BUDGET = "train.budget"
MARGIN = 0.02
"""dB within which variants count as equal where a study says nothing else: a third of what papers call a gain."""
Combination = Literal["one_at_a_time", "grid", "panels"]
Changes = Mapping[str, object]
"""Spec fields by dotted path and their new values."""


@dataclass(frozen=True)
class Factor:
    """One thing a study varies: its short name, and what each level, by label, changes in the base's spec.

    `base` is the label of the level of the study's base, "" until that is known.
    """

    name: str
    levels: Mapping[str, Changes]
    base: str = ""

    def __post_init__(self) -> None:
        require(len(self.levels) > 0, f"factor {self.name!r}: levels", "must not be empty", self.levels)
        known = self.base in ("", *self.levels)
        require(known, f"factor {self.name!r}: base", f"must be one of {', '.join(self.levels)}", self.base)

    def standing(self, base: RunSpec) -> Factor:
        """The factor with its base level; raises InputError when `base` is at none of its levels.

        Any budget may be the base's (`--budget`, `--until-flat`): to a factor of budgets it is one level more.
        """
        for label, changes in self.levels.items():
            if with_changes(base, changes) == base:
                return replace(self, base=label)
        if all(changes.keys() == {BUDGET} for changes in self.levels.values()):
            label = f"{base.train.budget.amount:.10g}"
            return replace(self, levels={**self.levels, label: {BUDGET: base.train.budget}}, base=label)
        raise InputError(f"factor {self.name!r}: the base must be at one of its levels, {', '.join(self.levels)}")


def vary(name: str, path: str, *values: object) -> Factor:
    """The factor that gives one spec field these values, each labelled by its text."""
    return Factor(name, {level_text(value): {path: value} for value in values})


def level_text(value: object) -> str:
    """The text of a level in tables, storage and labels."""
    return "+".join(map(str, value)) if isinstance(value, tuple) else str(value)


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
    """What a study asked at one profile, and which variants it consists of. Every factor has its base level.

    "one_at_a_time" varies one factor around the base, "grid" takes all combinations. In "panels" each level of the
    first factor is a panel with a base of its own, around which the other factors are varied one at a time.
    `num_looks` is the number of looks at which verdicts may be given (see `grla.report.statistics.sequential`). `file`
    is the name of the file of the study or search that it comes from, where the study's own name differs. Within
    `margin` dB variants count as equal, see `grla.report.statistics.equivalence`. `rates` are learning rates by
    variant, where each has its own (`grla.study.rates`). `threshold` is a validation PSNR-Y of which tables say after
    how many steps it was reached. `sizes` are the widths by variant of a study at equal cost.
    """

    study: str
    question: str
    source: str
    profile: str
    design: Combination
    factors: tuple[Factor, ...]
    file: str = ""
    num_looks: int = 1
    margin: float = MARGIN
    rates: Mapping[str, float] = field(default_factory=dict)
    threshold: float | None = None
    sizes: Mapping[str, Size] = field(default_factory=dict)

    def __post_init__(self) -> None:
        enough = self.design != "panels" or len(self.factors) > 1
        require(enough, f"study {self.study!r}: factors", "must be two or more for panels", len(self.factors))

    def variant(self, levels: Mapping[str, str]) -> str:
        """The label of the variant with these levels (factors left out are at their base level).

        "base" if nothing differs from the base, otherwise the differing factors: "kernel=relu, depth=1".
        """
        changed = [f"{f.name}={levels[f.name]}" for f in self.factors if levels.get(f.name, f.base) != f.base]
        return ", ".join(changed) or BASE

    def rated_as(self, levels: Mapping[str, str]) -> str:
        """The variant whose learning rate the variant with these levels has: in panels that of the base's panel."""
        if self.design != "panels":
            return self.variant(levels)
        return self.variant({**levels, self.factors[0].name: self.factors[0].base})

    def changes(self, levels: Mapping[str, str]) -> dict[str, object]:
        """The spec fields that the variant with these levels changes in the base, its width included."""
        changes = {path: value for f in self.factors for path, value in f.levels[levels[f.name]].items()}
        size = self.sizes.get(self.variant(levels))
        return changes | ({DIM: size.dim} if size else {})

    def rows(self) -> list[dict[str, str]]:
        """The level of each factor, by name, of every variant: the base first, and no variant twice."""
        base = {factor.name: factor.base for factor in self.factors}
        if self.design == "grid":
            names = [factor.name for factor in self.factors]
            rows = [dict(zip(names, row, strict=True)) for row in itertools.product(*(f.levels for f in self.factors))]
        else:
            panels, inner = (self.factors[:1], self.factors[1:]) if self.design == "panels" else ((), self.factors)
            starts = [{**base, panel.name: label} for panel in panels for label in panel.levels] or [base]
            rows = [{**start, one.name: label} for start in starts for one in inner for label in one.levels]
        return list({tuple(row.values()): row for row in [base, *rows]}.values())

    def groups(self) -> tuple[Group, ...]:
        """One group per factor, in panels one per panel and further factor, each with its base; in a grid just one."""
        if self.design == "grid":
            names = [factor.name for factor in self.factors]
            grid = itertools.product(*(factor.levels for factor in self.factors))
            rows = tuple(self._row(", ".join(cell), dict(zip(names, cell, strict=True))) for cell in grid)
            return (Group(" x ".join(names), rows),)
        if self.design == "one_at_a_time":
            return tuple(Group(factor.name, self._rows(factor, {})) for factor in self.factors)
        panel, *factors = self.factors
        return tuple(self._panel_group(panel.name, level, factor) for level in panel.levels for factor in factors)

    def variants(self) -> tuple[str, ...]:
        """Every variant once, in the order of the tables, but the base comes first, and each panel's in it."""
        names = [(group.base, *(variant for _, variant in group.rows)) for group in self.groups()]
        return tuple(dict.fromkeys([BASE, *itertools.chain.from_iterable(names)]))

    def _rows(self, factor: Factor, around: Mapping[str, str]) -> tuple[tuple[str, str], ...]:
        """The levels of a factor, all others at the base except for the levels `around`."""
        return tuple(self._row(level, {**around, factor.name: level}) for level in factor.levels)

    def _row(self, label: str, levels: Mapping[str, str]) -> tuple[str, str]:
        """A row's label, at equal cost with the width, and the variant with these levels."""
        variant = self.variant(levels)
        if variant == BASE or not self.sizes:
            return label, variant
        return f"{label} {self.sizes[variant].words if variant in self.sizes else NOT_SIZED}", variant

    def _panel_group(self, panel: str, level: str, factor: Factor) -> Group:
        name, around = f"{panel} {level}", {panel: level}
        return Group(f"{name}: {factor.name}", self._rows(factor, around), self.variant(around), name)


def layout_to_json(layout: Layout) -> dict[str, Any]:
    """The layout as it is recorded: with what each level changes, and what else it has of its own, such as rates."""
    plain: dict[str, Any] = json.loads(json.dumps(asdict(layout)))
    # All that there was before studies could state others.
    usual = {"margin": MARGIN, "rates": {}, "threshold": None, "sizes": {}}
    return {name: value for name, value in plain.items() if name not in usual or value != usual[name]}


def layout_from_json(content: Mapping[str, Any]) -> Layout:
    """The layout of a record. Records of the first format only name their levels, which then change nothing."""
    factors = tuple(Factor(one["name"], _levels(one["levels"]), one["base"]) for one in content["factors"])
    texts = {name: content[name] for name in ("study", "question", "source", "profile", "design")}
    further = {name: content[name] for name in ("file", "num_looks", "margin", "rates", "threshold") if name in content}
    sizes = {variant: Size(**size) for variant, size in content.get("sizes", {}).items()}
    return Layout(**texts, factors=factors, sizes=sizes, **further)


def _levels(recorded: Mapping[str, Changes] | Sequence[str]) -> Mapping[str, Changes]:
    return recorded if isinstance(recorded, Mapping) else {label: {} for label in recorded}
