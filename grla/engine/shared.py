"""Files of cells in a place that all machines of a study see: a folder, or a bucket that speaks S3."""

from __future__ import annotations

import io
import shutil
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from optuna.artifacts import Boto3ArtifactStore, FileSystemArtifactStore
from optuna.artifacts.exceptions import ArtifactNotFound

from grla.engine.record import CellFolders
from grla.errors import InputError
from grla.files import atomic_write


class SharedFiles:
    """One of Optuna's artifact stores and a prefix, used by the names of files.

    Of a cell it holds the two latest checkpoints while it trains (the older is whole while the newer is written), then
    its trained weights and pictures.
    """

    def __init__(self, store: Any, prefix: str = "") -> None:
        self.store = store
        self.prefix = prefix
        self._turn = 0

    def put_checkpoint(self, folders: CellFolders) -> None:
        """Send the checkpoint of a training under way, in turn over the one and the other of its two places."""
        self._turn += 1
        self._put(folders.partial, folders.shared[self._turn % 2].name)

    def fetch_checkpoints(self, folders: CellFolders) -> None:
        """Bring what any machine has sent of this cell to `folders.shared` and `folders.checkpoint`."""
        for path in (*folders.shared, folders.checkpoint):
            self._get(path.name, path)

    def put_results(self, folders: CellFolders) -> None:
        """Send the trained weights and the pictures, and drop the checkpoints on the way there."""
        self._put(folders.checkpoint, folders.checkpoint.name)
        for picture in sorted(folders.images.glob("*.png")):
            self._put(picture, f"{folders.images.name}-{picture.name}")
        for path in folders.shared:
            with suppress(ArtifactNotFound):
                self._try(self.store.remove, self.prefix + path.name)

    def fetch_pictures(self, folders: CellFolders, names: list[str]) -> None:
        """Bring the pictures of a cell that another machine ran; those that nobody sent are left out."""
        for name in names:
            if not (folders.images / name).exists():
                self._get(f"{folders.images.name}-{name}", folders.images / name)

    def check(self) -> None:
        """Raise InputError now if nothing can be written."""
        self._try(self.store.write, f"{self.prefix}.check", io.BytesIO(b"may be removed"))

    def _put(self, path: Path, name: str) -> None:
        with path.open("rb") as file:
            self._try(self.store.write, self.prefix + name, file)

    def _get(self, name: str, path: Path) -> None:
        with suppress(ArtifactNotFound):
            reader = self._try(self.store.open_reader, self.prefix + name)
            with reader, atomic_write(path) as file:
                shutil.copyfileobj(reader, file)

    def _try(self, action: Any, *arguments: Any) -> Any:
        try:
            return action(*arguments)
        except ArtifactNotFound:
            raise
        except Exception as error:  # of a disk, or of whichever of boto3's many kinds
            reason = f"{type(error).__name__}: {error}".splitlines()[0]
            raise InputError(f"--artifacts cannot be read or written ({reason}); run again to go on") from error


def open_shared(where: str | None) -> SharedFiles | None:
    """The folder or "s3://bucket/prefix" at `where`; None for None.

    A bucket needs boto3, which takes its endpoint and keys from where it always does (AWS_ENDPOINT_URL,
    AWS_ACCESS_KEY_ID, ~/.aws). Raises InputError when it is missing or the place cannot be written.
    """
    if where is None:
        return None
    place = urlsplit(where)
    if place.scheme == "s3":
        try:
            store = Boto3ArtifactStore(place.netloc)
        except ImportError as error:
            raise InputError(f"--artifacts {where} needs boto3; pip install boto3") from error
        except Exception as error:
            raise InputError(f"--artifacts {where} cannot be used: {error}") from error
        prefix = f"{place.path.strip('/')}/".lstrip("/")
        shared = SharedFiles(store, prefix)
    else:
        folder = Path(where)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise InputError(f"cannot write to --artifacts {folder}: {error.strerror}; choose another") from error
        shared = SharedFiles(FileSystemArtifactStore(folder))
    shared.check()
    return shared
