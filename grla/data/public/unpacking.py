"""Unpacking untrusted archives: nothing is written outside the folder, which appears complete or not at all."""

from __future__ import annotations

import os
import shutil
import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple

from grla.errors import InputError

MOST_MEMBERS = 20_000
CHUNK_BYTES = 1 << 20
BROKEN = (tarfile.TarError, zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, NotImplementedError, OSError)
"""What the readers raise for damaged, encrypted or unknown archives."""


class _Member(NamedTuple):
    """A file in an archive: its path there, its size in bytes, and its content."""

    name: str
    size: int
    content: IO[bytes]


@contextmanager
def unpacked(
    archive: Path, inner: str, target: Path, most_bytes: int, most_members: int = MOST_MEMBERS
) -> Iterator[Path]:
    """Unpack the folder `inner` of a zip or tar file; it becomes `target` when the block ends without an exception.

    Until then it is a hidden folder beside `target`, removed when the block fails. Raises InputError for a damaged
    archive, one without `inner`, one that would write outside (absolute paths, "..", links, devices), one of more than
    `most_bytes` or `most_members` in all, and a full disk.
    """
    folder = target.with_name(f".{target.name}.unpacking")
    shutil.rmtree(folder, ignore_errors=True)  # left by a killed run
    try:
        if not _unpack(archive, PurePosixPath(inner), folder, most_bytes, most_members):
            raise InputError(f"archive {archive} holds nothing in {inner}/; it is not the expected one: remove it")
        yield folder
        os.replace(folder, target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _unpack(archive: Path, inner: PurePosixPath, folder: Path, most_bytes: int, most_members: int) -> int:
    """Write the members below `inner`; returns their number."""
    total = written = 0
    for number, member in enumerate(_members(archive, folder)):
        total += member.size
        if total > most_bytes or number >= most_members:
            limit = f"{most_bytes} bytes and {most_members} files"
            raise InputError(f"archive {archive} unpacks to more than the {limit} that are accepted; remove it")
        path = PurePosixPath(member.name)
        if path.is_relative_to(inner):
            _write(member, folder / path.relative_to(inner), archive)
            written += 1
    return written


def _write(member: _Member, path: Path, archive: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            for chunk in _chunks(member, archive):
                file.write(chunk)
    except OSError as error:
        remedy = "free some space or choose another folder"
        raise InputError(f"cannot write {path}: {error.strerror or error}; {remedy}") from error


def _chunks(member: _Member, archive: Path) -> Iterator[bytes]:
    """The announced number of bytes. Failures to read become InputErrors about the archive, not the disk."""
    left = member.size
    while left > 0:
        try:
            chunk = member.content.read(min(left, CHUNK_BYTES))
        except BROKEN as error:
            raise InputError(_damaged(archive, error)) from error
        if not chunk:
            raise InputError(_damaged(archive, f"{member.name} is shorter than announced"))
        left -= len(chunk)
        yield chunk


def _members(archive: Path, folder: Path) -> Iterator[_Member]:
    """The files of an archive, every path checked first."""
    try:
        if zipfile.is_zipfile(archive):
            yield from _zip_members(archive)
        else:
            yield from _tar_members(archive, folder)
    except BROKEN as error:
        raise InputError(_damaged(archive, error)) from error


def _zip_members(archive: Path) -> Iterator[_Member]:
    with zipfile.ZipFile(archive) as opened:
        for info in opened.infolist():
            _check_path(archive, info.filename)
            kind = info.external_attr >> 28  # the file type of Unix: 8 a file, 4 a folder, 0 unspecified
            if kind not in (0, 4, 8):
                raise InputError(
                    f"archive {archive} holds {info.filename!r}, which is not a file: not unpacked; remove it"
                )
            if not info.is_dir():
                with opened.open(info) as content:
                    yield _Member(info.filename, info.file_size, content)


def _tar_members(archive: Path, folder: Path) -> Iterator[_Member]:
    with tarfile.open(archive) as opened:
        for info in opened:
            _check_path(archive, info.name)
            try:
                tarfile.data_filter(info, str(folder))
            except tarfile.FilterError as error:
                raise InputError(f"archive {archive} holds {info.name!r}: {error}; not unpacked; remove it") from error
            content = opened.extractfile(info) if info.isfile() else None
            if content is not None:
                yield _Member(info.name, info.size, content)
        while opened.fileobj and opened.fileobj.read(CHUNK_BYTES):
            pass  # gzip's checksum comes last, after what tarfile reads


def _check_path(archive: Path, name: str) -> None:
    """Raise InputError for a path that is absolute or leads upwards, on any system."""
    path = PurePosixPath(name.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts or ":" in name or "\0" in name:
        raise InputError(f"archive {archive} holds {name!r}, a path outside its folder: not unpacked; remove it")


def _damaged(archive: Path, reason: object) -> str:
    return f"archive {archive} is damaged ({reason}); remove it and fetch it again"
