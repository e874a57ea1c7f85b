"""What `optuna-dashboard` shows beside numbers: a note for each study, and files for each finished cell."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import optuna
from optuna.artifacts import FileSystemArtifactStore, upload_artifact
from optuna.exceptions import UpdateFinishedTrialError
from optuna_dashboard import save_note

from grla.errors import InputError
from grla.study import Study

ARTIFACTS = "artifacts"
Makers = Mapping[str, Callable[[Mapping[str, Any], Path, Path], bytes | None]]
"""By file name, what makes a cell's file from its record, the folder of its pictures and that of HR and baselines (see
`grla.report.CELL_FILES`)."""


def write_note(trials: optuna.Study, study: Study, profile: str) -> None:
    """Give a study its question, its source and how to read it, in Markdown."""
    lines = (
        f"# {study.question}",
        f"Source: {study.source}. Study `{study.name}`, profile `{profile}`.",
        "Every trial is a cell: one variant and one seed. The objective is the mean PSNR-Y (dB) over the test images. "
        "*Complete* is a result; *Pruned* diverged, which is one too; *Fail* was interrupted, out of memory or an "
        "error, and is tried again by the next run.",
        f"Tables with intervals and verdicts: `summary.md` in `{study.name}/{profile}/` beside the storage.",
    )
    save_note(trials, "\n\n".join(lines))


class Artifacts:
    """A folder of cells' files that the dashboard shows (its option --artifact-dir), and what makes them.

    `references` is the folder of the study's HR pictures and those of the baselines, a folder each.
    """

    def __init__(self, folder: Path, makers: Makers, references: Path) -> None:
        self.folder = folder
        self.makers = makers
        self.references = references

    def keep(self, trial: optuna.Trial, record: Mapping[str, Any], pictures: Path) -> None:
        """Attach the cell's files to its trial, which must not be told yet; `pictures` is where its SR pictures lie.

        A file that cannot be made is said and left out; a trial that another worker has now takes none. Raises
        InputError when the folder cannot be written.
        """
        files = {name: self._make(name, record, pictures) for name in self.makers}
        try:
            with tempfile.TemporaryDirectory() as temporary, suppress(UpdateFinishedTrialError):
                for name, content in files.items():
                    if content is not None:
                        path = Path(temporary) / name
                        path.write_bytes(content)
                        upload_artifact(artifact_store=self._store(), file_path=str(path), study_or_trial=trial)
        except OSError as error:
            raise InputError(f"cannot write artifacts to {self.folder}: {error.strerror or error}") from error

    def _make(self, name: str, record: Mapping[str, Any], pictures: Path) -> bytes | None:
        try:
            return self.makers[name](record, pictures, self.references)
        except Exception as error:  # hours of training must not be lost for a picture
            print(f"warning: {name} of a cell could not be made: {type(error).__name__}: {error}", file=sys.stderr)
            return None

    def _store(self) -> FileSystemArtifactStore:
        self.folder.mkdir(parents=True, exist_ok=True)
        return FileSystemArtifactStore(self.folder)
