"""What a study is: a question, a base run, factors that change it, seeds, and profiles for small and large budgets."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from grla.errors import InputError, require, require_choice
from grla.spec import RunSpec, with_changes
from grla.study.catalogue import ABLATIONS, load_named, names_of

Design = Literal["one_at_a_time", "grid", "panels"]
Changes = Mapping[str, object]
"""Spec fields by dotted path and their new values."""
OPEN_FIELDS = ("data.train", "data.test", "train.budget")
"""What a run may change in the base without asking another question: where images lie, and how long to train."""


@dataclass(frozen=True)
class Factor:
    """One thing a study varies: its short name, and what each level, by label, changes in the base's spec."""

    name: str
    levels: Mapping[str, Changes]

    def __post_init__(self) -> None:
        require(len(self.levels) > 0, f"factor {self.name!r}: levels", "must not be empty", self.levels)

    def base_level(self, base: RunSpec) -> str:
        """The label of the level at which `base` stands; raises InputError when it stands at none."""
        for label, changes in self.levels.items():
            if with_changes(base, changes) == base:
                return label
        raise InputError(f"factor {self.name!r}: the base must stand at one of its levels, {', '.join(self.levels)}")


def vary(name: str, path: str, *values: object) -> Factor:
    """The factor that gives one spec field these values, each labelled by its text."""
    return Factor(name, {level_text(value): {path: value} for value in values})


@dataclass(frozen=True)
class Profile:
    """How large a study is run: spec changes on top of the base, number of seeds, and the time to expect.

    `factors` replace those of the study that have their names, where a small profile cannot hold the large levels.
    """

    changes: Changes
    seeds: int
    expected_time: str
    factors: tuple[Factor, ...] = ()


@dataclass(frozen=True)
class Cell:
    """One run of a study: the label of each factor's level, a short name for their difference to the base, the spec."""

    variant: str
    levels: Mapping[str, str]
    spec: RunSpec


@dataclass(frozen=True)
class Study:
    """A question put to measurement. A file in `studies/` exports one as `STUDY`; the file's name is the study's name.

    `source` says which table or figure of the paper it answers to. "one_at_a_time" varies one factor around the base,
    "grid" takes all combinations; with "panels" the levels of the first factor (upscale factors, say) are not compared
    with each other, and within each of them the other factors are varied one at a time.
    """

    question: str
    source: str
    factors: tuple[Factor, ...]
    profiles: Mapping[str, Profile]
    base: RunSpec = field(default_factory=RunSpec)
    design: Design = "one_at_a_time"
    name: str = ""

    def profile(self, name: str) -> Profile:
        """The profile called `name`; raises InputError listing the known ones."""
        require_choice(f"study {self.name!r}: profile", name, self.profiles)
        return self.profiles[name]

    def resolved_factors(self, profile: str) -> tuple[Factor, ...]:
        """The factors with the levels of `profile`."""
        own = {factor.name: factor for factor in self.profile(profile).factors}
        unknown = set(own) - {factor.name for factor in self.factors}
        require(
            not unknown, f"study {self.name!r}, profile {profile!r}: factors", "must be the study's", sorted(unknown)
        )
        return tuple(own.get(factor.name, factor) for factor in self.factors)

    def cells(self, profile: str, changes: Changes, seeds: int | None = None) -> tuple[Cell, ...]:
        """All cells of a profile with further spec `changes`: for each seed the base first, then each variant.

        Raises InputError naming the study for a level or change that a spec refuses.
        """
        chosen, factors = self.profile(profile), self.resolved_factors(profile)
        enough = self.design != "panels" or len(factors) > 1
        require(enough, f"study {self.name!r}: factors", "must be two or more for panels", len(factors))
        num_seeds = chosen.seeds if seeds is None else seeds
        require(num_seeds >= 1, "seeds", "must be at least 1", num_seeds)
        try:
            base = with_changes(self.base, {**chosen.changes, **changes})
            base_levels = {factor.name: factor.base_level(base) for factor in factors}
            variants = [
                _cell(base, base_levels, factors, levels) for levels in self._combinations(factors, base_levels)
            ]
        except InputError as error:
            raise InputError(f"study {self.name!r}, profile {profile!r}: {error}") from error
        return tuple(
            Cell(cell.variant, cell.levels, with_changes(cell.spec, {"seed": seed}))
            for seed in range(num_seeds)
            for cell in variants
        )

    def _combinations(self, factors: tuple[Factor, ...], base_levels: dict[str, str]) -> list[dict[str, str]]:
        """The labels by factor name of each variant, the base first and no variant twice."""
        if self.design == "grid":
            names = [factor.name for factor in factors]
            rows = [dict(zip(names, row, strict=True)) for row in itertools.product(*(f.levels for f in factors))]
        else:
            panels = {factors[0].name: factors[0].levels} if self.design == "panels" else {}
            starts = [{**base_levels, name: label} for name, labels in panels.items() for label in labels]
            inner = factors[len(panels) :]
            rows = [
                {**start, factor.name: label}
                for start in starts or [base_levels]
                for factor in inner
                for label in factor.levels
            ]
        return list({tuple(row.values()): row for row in [base_levels, *rows]}.values())


def _cell(base: RunSpec, base_levels: dict[str, str], factors: tuple[Factor, ...], levels: dict[str, str]) -> Cell:
    changes = {path: value for factor in factors for path, value in factor.levels[levels[factor.name]].items()}
    differing = [f"{name}={label}" for name, label in levels.items() if label != base_levels[name]]
    return Cell(", ".join(differing) or "base", levels, with_changes(base, changes))


def study_names(folder: Path = ABLATIONS) -> list[str]:
    """The studies in `folder`, one a file."""
    return names_of(folder)


def load_study(name: str, folder: Path = ABLATIONS) -> Study:
    """The study of file `{folder}/{name}.py`, named after it; raises InputError listing the known ones."""
    return replace(load_named("study", folder, name, Study), name=name)


def level_text(value: object) -> str:
    """A level as it is written in tables, storage and labels."""
    return "+".join(map(str, value)) if isinstance(value, tuple) else str(value)
