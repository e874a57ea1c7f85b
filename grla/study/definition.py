"""What a study is: a question, a base run, factors that change it, seeds, and profiles for small and large budgets."""

from __future__ import annotations

import importlib.util
import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from grla.errors import InputError, require, require_choice
from grla.spec import RunSpec, with_changes

Design = Literal["one_at_a_time", "grid"]


@dataclass(frozen=True)
class Factor:
    """One thing a study varies: its short name, the dotted spec field, and the levels it takes."""

    name: str
    path: str
    levels: tuple[object, ...]

    def __post_init__(self) -> None:
        require(len(self.levels) > 0, f"factor {self.name!r}: levels", "must not be empty", self.levels)


@dataclass(frozen=True)
class Profile:
    """How large a study is run: spec changes on top of the base, number of seeds, and the time to expect.

    `levels` replaces a factor's levels by name, where a small profile cannot hold the large ones.
    """

    changes: Mapping[str, object]
    seeds: int
    expected_time: str
    levels: Mapping[str, tuple[object, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class Cell:
    """One run of a study: the level of each factor as text, a short name for their difference to the base, the spec."""

    variant: str
    levels: Mapping[str, str]
    spec: RunSpec


@dataclass(frozen=True)
class Study:
    """A question put to measurement. A file in `studies/` exports one as `STUDY`; the file's name is the study's name.

    `source` says which table or figure of the paper it answers to. "one_at_a_time" varies one factor around the base,
    "grid" takes all combinations.
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
        levels = self.profile(profile).levels
        unknown = set(levels) - {factor.name for factor in self.factors}
        require(not unknown, f"study {self.name!r}: profile {profile!r}: levels", "must name factors", sorted(unknown))
        return tuple(Factor(f.name, f.path, levels.get(f.name, f.levels)) for f in self.factors)

    def cells(self, profile: str, changes: Mapping[str, object], seeds: int | None = None) -> tuple[Cell, ...]:
        """All cells of a profile with further spec `changes`: for each seed the base first, then each variant.

        Raises InputError naming the study for a level or change that a spec refuses.
        """
        chosen = self.profile(profile)
        factors = self.resolved_factors(profile)
        num_seeds = chosen.seeds if seeds is None else seeds
        require(num_seeds >= 1, "seeds", "must be at least 1", num_seeds)
        try:
            base = with_changes(self.base, {**chosen.changes, **changes})
            base_levels = {factor.name: level_text(_value_at(base, factor.path)) for factor in factors}
            self._check_base(factors, base_levels)
            rows = self._combinations(factors, base)
            variants = [self._variant(base, base_levels, factors, row) for row in rows]
            return tuple(
                Cell(cell.variant, cell.levels, with_changes(cell.spec, {"seed": seed}))
                for seed in range(num_seeds)
                for cell in variants
            )
        except InputError as error:
            raise InputError(f"study {self.name!r}, profile {profile!r}: {error}") from error

    def _check_base(self, factors: tuple[Factor, ...], base_levels: Mapping[str, str]) -> None:
        for factor in factors:
            name = f"the base's level of factor {factor.name!r}"
            require_choice(name, base_levels[factor.name], [level_text(level) for level in factor.levels])

    def _combinations(self, factors: tuple[Factor, ...], base: RunSpec) -> list[dict[str, object]]:
        """Levels by factor name for each variant, the base first and no variant twice."""
        base_values = {factor.name: _value_at(base, factor.path) for factor in factors}
        if self.design == "grid":
            names = [factor.name for factor in factors]
            rows = [dict(zip(names, row, strict=True)) for row in itertools.product(*(f.levels for f in factors))]
        else:
            rows = [{**base_values, factor.name: level} for factor in factors for level in factor.levels]
        unique = {tuple(map(level_text, row.values())): row for row in [base_values, *rows]}
        return list(unique.values())

    def _variant(
        self, base: RunSpec, base_levels: Mapping[str, str], factors: tuple[Factor, ...], levels: dict[str, object]
    ) -> Cell:
        spec = with_changes(base, {factor.path: levels[factor.name] for factor in factors})
        texts = {name: level_text(value) for name, value in levels.items()}
        differing = [f"{name}={text}" for name, text in texts.items() if text != base_levels[name]]
        return Cell(", ".join(differing) or "base", texts, spec)


def study_names(folder: Path) -> list[str]:
    """The studies in `folder`: the files that export STUDY."""
    exporting = re.compile(r"^STUDY\b", re.MULTILINE)
    return sorted(path.stem for path in folder.glob("*.py") if exporting.search(path.read_text(encoding="utf-8")))


def load_study(folder: Path, name: str) -> Study:
    """The study of file `{folder}/{name}.py`, named after it; raises InputError listing the known ones."""
    require_choice("study", name, study_names(folder))
    path = folder / f"{name}.py"
    module_spec = importlib.util.spec_from_file_location(f"study_{name}", path)
    assert module_spec is not None
    assert module_spec.loader is not None
    module = importlib.util.module_from_spec(module_spec)
    try:
        module_spec.loader.exec_module(module)
    except InputError as error:
        raise InputError(f"{path.name}: {error}") from error
    study = module.STUDY
    if not isinstance(study, Study):
        raise InputError(f"{path.name}: STUDY must be a Study, got {type(study).__name__}")
    return Study(**{**vars(study), "name": name})


def _value_at(spec: object, path: str) -> object:
    for key in path.split("."):
        spec = spec[key] if isinstance(spec, Mapping) else getattr(spec, key, None)
    return spec


def level_text(value: object) -> str:
    """A level as it is written in tables, storage and labels."""
    return "+".join(map(str, value)) if isinstance(value, tuple) else str(value)
