"""Sets of results: the studies below a folder, by what they asked, and in what two records of one study differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from grla.errors import InputError
from grla.report.results import PROVENANCE, Results, folders_of, read_json, study_results
from grla.report.verify import flat

Key = tuple[str, str, str]
"""A study's name and profile, and the names of its test sets."""
NOT_ASKED = ("images", "num_looks")
"""Parts of a definition that some records keep elsewhere, and that say how often one looked."""


@dataclass(frozen=True)
class StudyRecord:
    """A study's folder, its results and the content of its provenance.json."""

    folder: Path
    results: Results
    about: Mapping[str, Any]

    @property
    def key(self) -> Key:
        """What the study is called in its set."""
        layout = self.results.layout
        return layout.study, layout.profile, ", ".join(self.results.images["test_set"].unique())

    @property
    def title(self) -> str:
        """The study in words."""
        study, profile, tested = self.key
        return f"{study}, {profile}, tested on {tested}"


def studies_in(root: Path) -> dict[Key, StudyRecord]:
    """The studies at, in and two below `root`.

    Of several folders with one study, the one that a run wrote, OUT/STUDY/PROFILE, is meant. Raises InputError where
    that leaves more than one, and without any study.
    """
    found: dict[Key, list[StudyRecord]] = {}
    for folder in folders_of("study", root):
        record = StudyRecord(folder, study_results(folder), read_json(folder / PROVENANCE))
        found.setdefault(record.key, []).append(record)
    if not found:
        raise InputError(f"{root} holds no results of a study; give a folder that a run, or a merge, has written to")
    return {key: _one_of(records) for key, records in found.items()}


def asked_differently(first: StudyRecord, second: StudyRecord) -> list[str]:
    """What makes two records of one study different questions, one line each: definition, code, images, protocol."""
    before, after = (flat(_asked(record)) for record in (first, second))
    return [
        f"{path}: {before.get(path)!r} and {after.get(path)!r}"
        for path in dict.fromkeys([*before, *after])
        if before.get(path) != after.get(path)
    ]


def _asked(record: StudyRecord) -> dict[str, Any]:
    definition = {name: value for name, value in record.results.definition.items() if name not in NOT_ASKED}
    factors = {one["name"]: {**one, "levels": _levels(one["levels"])} for one in definition.pop("factors")}
    images = record.about["image_checksums"]
    return {**definition, "factors": factors, "images": images, "protocol": record.about["protocol"]}


def _levels(recorded: Any) -> Any:
    """The levels of a factor as one value: their labels hold dots."""
    return list(recorded.items()) if isinstance(recorded, Mapping) else recorded


def _one_of(records: list[StudyRecord]) -> StudyRecord:
    own = [record for record in records if record.folder.resolve().parts[-2:] == record.key[:2]]
    if len(own or records) == 1:
        return (own or records)[0]
    folders = " and ".join(str(record.folder) for record in records)
    raise InputError(f"{folders} hold results of {records[0].title}; name a folder that holds one of them")
