"""A study at equal cost: its levels, each with the width (`model.dim`) at which it costs as much as the base."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from grla.errors import InputError
from grla.spec import spec_hash
from grla.study.definition import Study
from grla.study.layout import Changes, Factor, Layout

DIM = "model.dim"


def levels_to_size(study: Study, profile: str) -> dict[str, Mapping[str, Changes]]:
    """The levels by factor, which a study at equal cost varies one at a time; a grid's combinations form one factor."""
    factors = study.resolved_factors(profile)
    if study.design != "grid":
        return {factor.name: factor.levels for factor in factors}
    levels = {
        ", ".join(label for label, _ in row): {path: value for _, level in row for path, value in level.items()}
        for row in itertools.product(*(factor.levels.items() for factor in factors))
    }
    return {" x ".join(factor.name for factor in factors): levels}


def with_sizes(study: Study, profile: str, factors: tuple[Factor, ...]) -> Study:
    """`study` with this profile only, varying these sized factors one at a time."""
    profiles = {profile: replace(study.profile(profile), factors=())}
    return replace(study, factors=factors, design="one_at_a_time", profiles=profiles)


def resized_study(study: Study, recorded: Layout) -> Study:
    """The study at equal cost that was recorded, from the levels of `study` today and the recorded dims.

    Raises InputError for a recorded level that, apart from its dim, is no level of the study.
    """
    known = {
        name: {_key(changes): changes for changes in levels.values()}
        for name, levels in levels_to_size(study, recorded.profile).items()
    }
    factors = tuple(
        Factor(
            one.name, {label: _found(label, changes, known.get(one.name, {})) for label, changes in one.levels.items()}
        )
        for one in recorded.factors
    )
    return replace(with_sizes(study, recorded.profile, factors), name=recorded.study)


def _found(label: str, recorded: Changes, known: Mapping[str, Changes]) -> Changes:
    key = _key({path: value for path, value in recorded.items() if path != DIM})
    if key not in known:
        raise InputError(
            f"level {label!r} of a study at equal cost must, without its {DIM}, be one of the study's file"
        )
    return {**known[key], **({DIM: recorded[DIM]} if DIM in recorded else {})}


def _key(changes: Any) -> str:
    """A key that is equal for changes in a file and for what was recorded of them as JSON."""
    return spec_hash(Layout("", "", "", "", "one_at_a_time", (Factor("", {"": changes}),)))
