"""From the best trials of a search to a study that tests them again, and from a winner's file to a base."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from grla.errors import InputError
from grla.spec import as_tuples
from grla.study.definition import Profile, Study
from grla.study.layout import Changes, Factor
from grla.study.search import Search

CONFIRMED = "_confirmed"
"""Suffix of the name of a study that confirms a search's trials."""
CONFIRMING_SEEDS = 3
RULE = 'must be JSON with {"changes": {spec field: value}}, as the winner.json that run_tuning.py writes'


def confirming_study(search: Search, profile: str, trials: Mapping[int, Changes]) -> Study:
    """The base of a search beside some trials' configurations (spec fields by trial number), at the profile's size.

    Its seeds start at 0 and so differ from that of all trials (`grla.study.search.TUNING_SEED`).
    """
    levels: dict[str, Changes] = {"base": {}} | {trial_label(number): changes for number, changes in trials.items()}
    return Study(
        question=f"Do the best trials of {search.name} beat its base on fresh seeds and on the test images?",
        source=search.source,
        factors=(Factor("configuration", levels),),
        profiles={profile: Profile(search.profile(profile).changes, CONFIRMING_SEEDS, "not measured")},
        base=search.base,
        name=f"{search.name}{CONFIRMED}",
        file=search.name,
    )


def trial_label(number: int) -> str:
    """The label of a search's trial as a level of the study that confirms it."""
    return f"trial {number}"


def read_base(path: Path) -> dict[str, object]:
    """The spec fields, by dotted path, of a file that holds {"changes": {field: value}}, as a search's winner.json.

    Raises InputError for a file that cannot be read or does not hold that; what the fields are is checked where they
    are used.
    """
    try:
        content: Any = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"base {path} {RULE}; it cannot be read: {error}") from error
    changes = content.get("changes") if isinstance(content, dict) else None
    if not isinstance(changes, dict):
        raise InputError(f"base {path} {RULE}; it holds no changes")
    return {name: as_tuples(value) for name, value in changes.items()}
