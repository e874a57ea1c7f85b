"""What a study is: a question, a base run, factors that change it, seeds, and profiles for small and large budgets."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TypeVar

from grla.errors import InputError, require, require_choice
from grla.spec import RunSpec, with_changes
from grla.study.catalogue import ABLATIONS, load_named, names_of
from grla.study.layout import MARGIN, Changes, Combination, Factor, Layout
from grla.study.sizes import Size

OPEN_FIELDS = ("data.train", "data.test", "train.budget", "train.init_from")
"""What a run may change in the base without changing the question: where images are, how long to train, from where."""
RATE = "train.learning_rate"
Named = TypeVar("Named")


@dataclass(frozen=True)
class Profile:
    """How large a study is run: spec changes on top of the base, number of seeds, and the time to expect.

    `factors` replace the study's factors of the same names, where a profile is too small for their large levels. With
    `rates` to try each variant trains at the one that suits it best, see `grla.study.rates`; each is tried for
    `rate_share` of the budget, which must reach where variants have begun to differ.
    """

    changes: Changes
    seeds: int
    expected_time: str
    factors: tuple[Factor, ...] = ()
    rates: tuple[float, ...] = ()
    rate_share: float = 0.25

    def __post_init__(self) -> None:
        require(0 < self.rate_share <= 1, "rate_share", "must be above 0 and at most 1", self.rate_share)


@dataclass(frozen=True)
class Cell:
    """One run of a study: the label of each factor's level, a short name for their difference to the base, the spec."""

    variant: str
    levels: Mapping[str, str]
    spec: RunSpec


@dataclass(frozen=True)
class Study:
    """A question and the runs that answer it. A file in `studies/ablations/` exports one as `STUDY` and names it.

    `source` says which table or figure of the paper it answers to. "one_at_a_time" varies one factor around the base,
    "grid" takes all combinations; with "panels" the levels of the first factor (upscale factors, say) are not compared
    with each other, and within each of them the other factors are varied one at a time. Variants within `margin` dB of
    each other count as equal, which is tested; it is stated before anything is run. `rates` are learning rates by
    variant, which replace the base's (`grla.study.rates`). Where a study states a `threshold` in dB of validation
    PSNR-Y, its tables say after how many steps it was reached. `sizes` are widths by variant at which all cost the same
    (`grla.engine.sizing`). `file` is the name of the file that a study derived from another comes from. `beside` names
    a study that is run after this one, for variants of the same names, and read with it: a short probe, which tells
    apart what this one cannot.
    """

    question: str
    source: str
    factors: tuple[Factor, ...]
    profiles: Mapping[str, Profile]
    base: RunSpec = field(default_factory=RunSpec)
    design: Combination = "one_at_a_time"
    name: str = ""
    file: str = ""
    margin: float = MARGIN
    rates: Mapping[str, float] = field(default_factory=dict)
    threshold: float | None = None
    sizes: Mapping[str, Size] = field(default_factory=dict)
    beside: str = ""

    def profile(self, name: str) -> Profile:
        """The profile called `name`; raises InputError listing the known ones."""
        require_choice(f"study {self.name!r}: profile", name, self.profiles)
        return self.profiles[name]

    def resolved_factors(self, profile: str) -> tuple[Factor, ...]:
        """The factors with the levels of `profile`."""
        return replaced(self.factors, self.profile(profile).factors)

    def layout(self, profile: str, base: RunSpec) -> Layout:
        """A profile's layout around `base`; raises InputError unless `base` is at a level of every factor."""
        factors = tuple(factor.standing(base) for factor in self.resolved_factors(profile))
        return Layout(
            self.name,
            self.question,
            self.source,
            profile,
            self.design,
            factors,
            self.file,
            margin=self.margin,
            rates=self.rates,
            threshold=self.threshold,
            sizes=self.sizes,
        )

    def cells(self, profile: str, changes: Changes, seeds: int | None = None) -> tuple[Cell, ...]:
        """All cells of a profile with further spec `changes`: for each seed the base first, then each variant.

        Raises InputError naming the study for a level or change that a spec refuses.
        """
        chosen = self.profile(profile)
        num_seeds = chosen.seeds if seeds is None else seeds
        require(num_seeds >= 1, "seeds", "must be at least 1", num_seeds)
        try:
            base = with_changes(self.base, {**chosen.changes, **changes})
            layout = self.layout(profile, base)
            variants = [
                Cell(layout.variant(row), row, with_changes(base, layout.changes(row) | self._rate(layout, row)))
                for row in layout.rows()
            ]
        except InputError as error:
            raise InputError(f"study {self.name!r}, profile {profile!r}: {error}") from error
        return tuple(
            Cell(cell.variant, cell.levels, with_changes(cell.spec, {"seed": seed}))
            for seed in range(num_seeds)
            for cell in variants
        )

    def _rate(self, layout: Layout, row: Mapping[str, str]) -> dict[str, object]:
        variant = layout.rated_as(row)
        return {RATE: self.rates[variant]} if variant in self.rates else {}


def replaced(usual: tuple[Named, ...], own: tuple[Named, ...], key: str = "name") -> tuple[Named, ...]:
    """Those of a study or search, replaced by those of a profile with the same name, or attribute `key`."""
    by_name = {getattr(one, key): one for one in own}
    unknown = by_name.keys() - {getattr(one, key) for one in usual}
    require(not unknown, "what a profile replaces", "must be the study's or search's", sorted(unknown))
    return tuple(by_name.get(getattr(one, key), one) for one in usual)


def study_names(folder: Path = ABLATIONS) -> list[str]:
    """The studies in `folder`, one a file."""
    return names_of(folder)


def load_study(name: str, folder: Path = ABLATIONS) -> Study:
    """The study of file `{folder}/{name}.py`, named after it; raises InputError listing the known ones."""
    return replace(load_named("study", folder, name, Study), name=name, file=name)
