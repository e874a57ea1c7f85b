"""One attempt to get a file over HTTP, resuming the last one if that is safe."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPException, HTTPResponse
from pathlib import Path
from urllib.error import HTTPError, URLError
from urllib.request import Request, urlopen

from tqdm import tqdm

from grla.errors import InputError

CHUNK_BYTES = 1 << 18
TEMPORARY_ERRORS = (408, 425, 429, 500, 502, 503, 504)


@dataclass(frozen=True)
class RemoteFile:
    """A file at an http(s) address. `size` (bytes) and `digest` ("sha256:HEX" or "md5:HEX") are None if unknown.

    At most `most_bytes` are accepted. A server that sends nothing for `timeout_seconds` has broken the connection.
    """

    url: str
    most_bytes: int
    size: int | None = None
    digest: str | None = None
    timeout_seconds: float = 60


class Broken(Exception):
    """The connection failed; what has arrived is kept."""


def transfer(remote: RemoteFile, part: Path) -> None:
    """Append to `part` until the file is complete.

    Raises Broken for failures that may be temporary, and InputError for a missing file, a wrong size or a full disk.
    """
    if remote.size is not None and held(part) == remote.size:
        return
    try:
        with _opened(remote, part) as response:
            start, total = _place(response, part)
            _check_size(remote, total)
            _check_room(part, (total or 0) - start)
            _keep_validator(response, part)
            _write(response, part, start, total, remote)
    except HTTPError as error:
        if error.code == 416 and error.headers.get("Content-Range") == f"bytes */{held(part)}":
            return  # it was all there already
        _refuse(error, remote, part)
    except (URLError, HTTPException, TimeoutError, ConnectionError) as error:
        raise Broken(str(getattr(error, "reason", "") or error or type(error).__name__)) from error


def _opened(remote: RemoteFile, part: Path) -> HTTPResponse:
    """Request the rest of the file if the server can tell that it is still the same one, else all of it."""
    headers = {"User-Agent": "grla"}
    validator = validator_file(part)
    if held(part) and validator.is_file():
        headers |= {"Range": f"bytes={held(part)}-", "If-Range": validator.read_text(encoding="utf-8")}
    response: HTTPResponse = urlopen(Request(remote.url, headers=headers), timeout=remote.timeout_seconds)
    return response


def _place(response: HTTPResponse, part: Path) -> tuple[int, int | None]:
    """Where in the file the response begins, and the file's size in bytes if the server says."""
    if response.status != 206:
        length = response.headers.get("Content-Length")
        return 0, int(length) if length and length.isdigit() else None
    match = re.fullmatch(r"bytes (\d+)-\d+/(\d+|\*)", response.headers.get("Content-Range", ""))
    if match is None or int(match[1]) != held(part):
        part.unlink()
        raise Broken("the server sent another part than requested")
    return int(match[1]), None if match[2] == "*" else int(match[2])


def _check_size(remote: RemoteFile, total: int | None) -> None:
    if total is None:
        return
    if remote.size is not None and total != remote.size:
        rule = f"is {total} bytes long by its server, but must have {remote.size}"
        raise InputError(f"{remote.url} {rule}; it is not the known file, so it is not downloaded")
    if total > remote.most_bytes:
        raise InputError(f"{remote.url} is {total} bytes long; at most {remote.most_bytes} are accepted")


def _check_room(part: Path, needed: int) -> None:
    free = shutil.disk_usage(part.parent).free
    if needed > free:
        remedy = "free some space or choose another folder"
        raise InputError(f"{part} needs {needed} more bytes of disk, but only {free} are free; {remedy}")


def _write(response: HTTPResponse, part: Path, start: int, total: int | None, remote: RemoteFile) -> None:
    name = remote.url.rsplit("/", 1)[-1]
    bar = tqdm(desc=name, total=total, initial=start, unit="B", unit_scale=True, disable=None)
    with _disk(part), part.open("r+b" if start else "wb") as file, bar:
        file.seek(start)
        for chunk in _chunks(response):
            if file.tell() + len(chunk) > remote.most_bytes:
                raise InputError(f"{remote.url} does not end after the {remote.most_bytes} bytes that are accepted")
            file.write(chunk)
            bar.update(len(chunk))
        file.flush()
        os.fsync(file.fileno())
        if total is not None and file.tell() < total:
            raise Broken(f"the connection broke off after {file.tell()} of {total} bytes")


def _chunks(response: HTTPResponse) -> Iterator[bytes]:
    """What the server sends. Its failures become Broken, so that they differ from those of the disk."""
    while True:
        try:
            chunk = response.read1(CHUNK_BYTES)  # what there is, so that nothing is lost if the server stalls
        except (HTTPException, OSError) as error:
            raise Broken(str(error) or type(error).__name__) from error
        if not chunk:
            return
        yield chunk


@contextmanager
def _disk(part: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        remedy = "free some space or choose another folder; what has arrived is kept"
        raise InputError(f"cannot write {part}: {error.strerror or error}; {remedy}") from error


def _refuse(error: HTTPError, remote: RemoteFile, part: Path) -> None:
    """Raise Broken for a temporary error of the server, InputError for any other."""
    if error.code == 416:
        part.unlink(missing_ok=True)
        raise Broken("the file has changed since the download began") from error
    if error.code in TEMPORARY_ERRORS:
        raise Broken(f"the server answers {error.code} {error.reason}") from error
    remedy = "find the file's new address and give it as url"
    raise InputError(f"{remote.url} cannot be fetched: {error.code} {error.reason}; {remedy}") from error


def _keep_validator(response: HTTPResponse, part: Path) -> None:
    """Keep what identifies this version of the file. A weak ETag does not promise equal bytes."""
    etag = response.headers.get("ETag", "")
    validator = etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified")
    with _disk(part):
        if validator:
            validator_file(part).write_text(validator, encoding="utf-8")
        else:
            validator_file(part).unlink(missing_ok=True)


def validator_file(part: Path) -> Path:
    """The file that keeps the server's identifier of this version."""
    return part.with_name(f"{part.name}.version")


def held(part: Path) -> int:
    """How many bytes have arrived."""
    return part.stat().st_size if part.exists() else 0
