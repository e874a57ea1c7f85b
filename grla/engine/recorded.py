"""What a record ran: the study or search of its files, with what the run chose for itself."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from grla.engine.matching import MATCHED, matched_study
from grla.errors import InputError
from grla.study import CONFIRMED, Changes, Study, confirming_study, load_search, load_study

Content = Mapping[str, Any]


def recorded_study(name: str, definition: Content, trials: Mapping[int, Changes]) -> Study:
    """The study called `name`, whose study.json is `definition`, made from the files of.

    Of a study at equal cost the dims are read from its labels; of a confirmation `trials` holds the spec fields of the
    search's trials. Raises InputError when there is no such file, or what was recorded cannot come from it.
    """
    profile = definition["profile"]
    if name.endswith(CONFIRMED):
        labels = definition["factors"][0]["levels"][1:]
        numbers = [int(label.rpartition(" ")[2]) for label in labels]
        missing = [number for number in numbers if number not in trials]
        if missing:
            raise InputError(f"the search's record must hold the confirmed trials {missing}; keep both side by side")
        search = load_search(name.removesuffix(CONFIRMED))
        return confirming_study(search, profile, {number: trials[number] for number in numbers})
    if MATCHED in name:
        study = load_study(name.partition(MATCHED)[0])
        levels = {factor["name"]: factor["levels"] for factor in definition["factors"]}
        return dataclasses.replace(matched_study(study, profile, levels), name=name)
    return load_study(name)
