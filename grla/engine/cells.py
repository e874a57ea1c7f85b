"""The files of cells. A cell lives under its hash, `cells/HASH`, whoever asked for it; studies link to it."""

from __future__ import annotations

import io
import json
import os
import shutil
from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from optuna.artifacts import Boto3ArtifactStore
from optuna.artifacts.exceptions import ArtifactNotFound

from grla.errors import InputError
from grla.files import atomic_write, write_text
from grla.study import Record, require_no_cells_inside
from grla.training import previous_checkpoint

CELLS = "cells"


@dataclass(frozen=True)
class CellFolder:
    """One cell's folder: record, weights, TensorBoard log, and a PNG for each test image that is shown.

    `weights` is written when training has ended. Until then its state goes to `partial`: of two workers that take the
    same cell for theirs, none can replace trained weights by half trained ones.
    """

    path: Path

    @property
    def name(self) -> str:
        """The cell's hash."""
        return self.path.name

    @property
    def record(self) -> Path:
        """What the cell measured, as JSON."""
        return self.path / "record.json"

    @property
    def weights(self) -> Path:
        """The trained network."""
        return self.path / "weights.pt"

    @property
    def misfit(self) -> Path:
        """What its network did not start from, of weights that were given to start from, as JSON."""
        return self.path / "misfit.json"

    @property
    def partial(self) -> Path:
        """The checkpoint of a training under way."""
        return self.path / "weights.partial"

    @property
    def fetched(self) -> Path:
        """The checkpoint that another machine wrote of this training, brought from a bucket."""
        return self.path / "weights.fetched"

    @property
    def half(self) -> CellFolder:
        """Where the branch that ends at half the budget is trained, see `grla.engine.trunk`."""
        return CellFolder(self.path / "half")

    @property
    def shared(self) -> Path:
        """The folder that holds all cells' folder, and what cells share."""
        return self.path.parent.parent

    def beside(self, cell_hash: str) -> CellFolder:
        """Another cell's folder, which need not exist."""
        return CellFolder(self.path.with_name(cell_hash))

    @property
    def log(self) -> Path:
        """The TensorBoard log."""
        return self.path / "log"

    @property
    def checkpoints(self) -> tuple[Path, ...]:
        """All checkpoints that training may go on from, the trained network first."""
        return self.weights, self.partial, previous_checkpoint(self.partial), self.fetched

    def drop_partial(self) -> None:
        """Remove the checkpoints of a training that has ended."""
        for path in self.checkpoints[1:]:
            path.unlink(missing_ok=True)
        shutil.rmtree(self.path / "half", ignore_errors=True)


class CellStore:
    """The folders of all cells: below one folder, which several machines may share, or also in a bucket."""

    def __init__(self, root: Path, bucket: Bucket | None = None) -> None:
        self.root = root
        self.bucket = bucket

    def folder(self, cell_hash: str) -> CellFolder:
        """The folder of a cell, which need not exist."""
        return CellFolder(self.root / cell_hash)

    def fetch(self, folder: CellFolder) -> None:
        """Bring what other machines have put into the bucket: the trained weights, or the latest checkpoint."""
        if self.bucket is not None:
            self.bucket.get(f"{folder.name}/{folder.weights.name}", folder.weights)
            self.bucket.get(f"{folder.name}/{folder.partial.name}", folder.fetched)

    def checkpointed(self, folder: CellFolder) -> None:
        """Put the checkpoint that has just been written into the bucket."""
        if self.bucket is not None:
            self.bucket.put(folder.partial, f"{folder.name}/{folder.partial.name}")

    def finished(self, folder: CellFolder) -> None:
        """Put the trained weights and the pictures into the bucket."""
        if self.bucket is not None:
            for path in (folder.weights, *sorted(folder.path.glob("*.png"))):
                self.bucket.put(path, f"{folder.name}/{path.name}")

    def accepted(self, folder: CellFolder, record: Record) -> None:
        """Write the record, which the storage has accepted, and drop the checkpoints of a training that it ends.

        Not before: of a late worker's cell they are another's by then, who may be in the middle of it.
        """
        write_text(folder.record, json.dumps(vars(record), indent=2) + "\n")
        if self.bucket is not None:
            self.bucket.put(folder.record, f"{folder.name}/{folder.record.name}")
        if record.outcome == "ok":
            folder.drop_partial()
            if self.bucket is not None:
                self.bucket.remove(f"{folder.name}/{folder.partial.name}")

    def fetch_pictures(self, folder: CellFolder, names: list[str]) -> None:
        """Bring the pictures of a cell that another machine ran; those that nobody put there are left out."""
        for path in (folder.path / name for name in names):
            if self.bucket is not None and not path.exists():
                self.bucket.get(f"{folder.name}/{path.name}", path)

    def require_same_place(self, study_folder: Path, cells: Mapping[str, str], finished: Collection[str]) -> None:
        """Raise InputError where the links in `study_folder` lead to files of finished cells that are not here."""
        for cell_hash in finished:
            lies = (study_folder / CELLS / cells[cell_hash]).resolve()
            if lies.is_dir() and not self.folder(cell_hash).path.exists():
                raise InputError(
                    f"artifacts must be where the files of the study's finished cells are, {lies.parent.parent}, got "
                    f"{self.root.parent}; choose that folder, or move {lies.parent} first"
                )

    def link(self, study_folder: Path, cells: Mapping[str, str]) -> None:
        """Make `study_folder`/cells: a link for each cell, from its readable name (by hash) to its folder.

        TensorBoard shows the readable names. Links of earlier runs stay; a system without links has none.
        """
        links = study_folder / CELLS
        links.mkdir(parents=True, exist_ok=True)
        for cell_hash, name in cells.items():
            _link(links / name, os.path.relpath(self.folder(cell_hash).path, links))


def _link(link: Path, target: str) -> None:
    """Make a link, or point it elsewhere in one step: others may read it meanwhile. One that is right is left alone."""
    with suppress(OSError):
        if not (link.is_symlink() and os.readlink(link) == target):
            new = link.with_name(f".{link.name}.{os.getpid()}")
            new.symlink_to(target, target_is_directory=True)
            new.replace(link)


def open_cells(out: Path, artifacts: str | None) -> CellStore:
    """The store of cells at `artifacts`, a folder or "s3://bucket/prefix", by default in `out`.

    A bucket needs boto3, which takes its endpoint and keys from where it always does (AWS_ENDPOINT_URL,
    AWS_ACCESS_KEY_ID, ~/.aws). Raises InputError when it is missing or the place cannot be written, and when `out`
    holds results of the first layout.
    """
    require_new_layout(out)
    if artifacts is None:
        return CellStore(out / CELLS)
    if is_bucket(artifacts):
        return CellStore(out / CELLS, Bucket.open(artifacts))
    try:
        (Path(artifacts) / CELLS).mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise InputError(f"artifacts cannot be written to {artifacts} ({error.strerror}); choose another") from error
    return CellStore(Path(artifacts) / CELLS)


def is_bucket(artifacts: str) -> bool:
    """Whether `artifacts` names a bucket rather than a folder."""
    return artifacts.startswith("s3://")


def require_new_layout(out: Path) -> None:
    """Raise InputError where a study's folder in `out` still holds its cells' files itself; nothing is touched."""
    for folder in sorted(out.glob("*/*")):
        require_no_cells_inside(folder)


class Bucket:
    """A bucket that speaks S3, by Optuna's artifact store, and a prefix for the names in it."""

    def __init__(self, store: Any, prefix: str = "") -> None:
        self.store = store
        self.prefix = prefix

    @classmethod
    def open(cls, where: str) -> Bucket:
        """The bucket at "s3://bucket/prefix"; InputError when it cannot be used."""
        place = urlsplit(where)
        try:
            store = Boto3ArtifactStore(place.netloc)
        except ImportError as error:
            raise InputError(f"artifacts {where} needs boto3; pip install boto3") from error
        except Exception as error:
            raise InputError(f"artifacts {where} cannot be used: {error}") from error
        bucket = cls(store, f"{place.path.strip('/')}/".lstrip("/"))
        bucket._try(store.write, f"{bucket.prefix}.check", io.BytesIO(b"may be removed"))
        return bucket

    def put(self, path: Path, name: str) -> None:
        """Write a file, in one step."""
        with path.open("rb") as file:
            self._try(self.store.write, self.prefix + name, file)

    def get(self, name: str, path: Path) -> None:
        """Read into a file; nothing happens where there is no such name."""
        with suppress(ArtifactNotFound):
            reader = self._try(self.store.open_reader, self.prefix + name)
            with reader, atomic_write(path) as file:
                shutil.copyfileobj(reader, file)

    def remove(self, name: str) -> None:
        """Remove a name, if it is there."""
        with suppress(ArtifactNotFound):
            self._try(self.store.remove, self.prefix + name)

    def _try(self, action: Any, *arguments: Any) -> Any:
        try:
            return action(*arguments)
        except ArtifactNotFound:
            raise
        except Exception as error:  # whichever of boto3's many kinds
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            raise InputError(f"artifacts cannot be read or written ({reason}); run again to go on") from error
