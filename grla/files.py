"""Writing files atomically: a crash, a kill or a full disk never leaves a partial one. Imports only grla.errors."""

from __future__ import annotations

import hashlib
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import URL

from grla.errors import InputError


@contextmanager
def atomic_write(path: Path) -> Iterator[BinaryIO]:
    """Open a temporary file beside `path` that replaces it when the block succeeds; otherwise `path` is unchanged.

    The content is on the disk (fsync) before the file gets its name. Raises InputError naming the file when the folder
    cannot be written or the disk is full.
    """
    # Several machines may write to a shared folder, where a process number alone is not unique. Names have a longest
    # length, which that of the file may have already.
    name = hashlib.sha256(os.fsencode(path.name)).hexdigest()[:16]
    temporary = path.with_name(f".{name}.{socket.gethostname()}-{os.getpid()}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with temporary.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        os.replace(temporary, path)
    except OSError as error:
        raise InputError(f"cannot write {path}: {error.strerror or error}; earlier files are untouched") from error
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write `text` as UTF-8 in one atomic step."""
    with atomic_write(path) as file:
        file.write(text.encode())


def sqlite_url(path: Path) -> str:
    """The URL of a SQLite file, for SQLAlchemy and Optuna; of folders whose names have URLs' own characters as well."""
    return URL.create("sqlite", database=str(path)).render_as_string()


def same_file(first: Path, second: Path) -> bool:
    """Whether both are there and are one file, whatever they are called: through links, or in another case."""
    try:
        return first.samefile(second)
    except OSError:
        return False
