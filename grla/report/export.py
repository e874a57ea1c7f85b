"""The records of a study as one file for other programs."""

from __future__ import annotations

import json
from pathlib import Path

from grla.errors import require_choice
from grla.files import write_text
from grla.report.results import accepted_trials, load_results, load_trials


def export(storage: Path | str, study_name: str, path: Path) -> None:
    """Write a row per cell to `path`: the cells of `load_results` as .csv, or whole records as .jsonl (JSON lines).

    A cell's record is the accepted one or, if there is none, the latest failed one. Raises InputError for another
    suffix, and as `load_results` does.
    """
    require_choice("--export: the file's suffix", path.suffix, (".csv", ".jsonl"))
    if path.suffix == ".csv":
        return write_text(path, load_results(storage, study_name).cells.to_csv(index=False))
    rows = []
    for trial in accepted_trials(load_trials(storage, study_name)):
        about = {"study": study_name, "variant": trial.user_attrs["variant"], "levels": trial.params}
        about["worker"] = trial.user_attrs.get("worker")
        rows.append(json.dumps(about | json.loads(trial.user_attrs["record"])) + "\n")
    write_text(path, "".join(rows))
