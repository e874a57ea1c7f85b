"""One large file over HTTP: after a broken connection the download resumes, and a wrong file is never kept."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from tqdm import tqdm

from grla.data.public.transfer import Broken, RemoteFile, held, transfer, validator_file
from grla.errors import InputError, require

WAITS_SECONDS = (1, 4, 15)
"""Pauses between attempts that bring nothing new; after the last one the download fails, until it is run again."""


def download(remote: RemoteFile, target: Path, waits: Sequence[float] = WAITS_SECONDS) -> None:
    """Download `remote` to `target`, resuming from what a broken or killed attempt left in `target`.part.

    If the server cannot resume, or its file has changed since (ETag, Last-Modified), the download starts anew. Between
    attempts that bring nothing new it waits for `waits` seconds. Raises InputError for an address that does not answer
    or has no such file, a wrong size or digest, a full disk, or a connection that keeps breaking; what has arrived then
    stays for the next call, unless it is wrong.
    """
    require(remote.url.startswith(("http://", "https://")), "url", "must begin with http", remote.url)
    part = target.with_name(f"{target.name}.part")
    pauses, most_held = iter(waits), held(part)
    while True:
        try:
            transfer(remote, part)
            break
        except Broken as problem:
            if held(part) > most_held:  # only attempts that bring nothing count: a slow connection may break often
                pauses, most_held = iter(waits), held(part)
            pause = next(pauses, None)
            if pause is None:
                raise InputError(_gave_up(remote, part, target, problem)) from problem
            tqdm.write(f"{problem}; trying again in {pause} s", file=sys.stderr)
            time.sleep(pause)
    check_file(part, remote)
    os.replace(part, target)
    validator_file(part).unlink(missing_ok=True)


def check_file(path: Path, remote: RemoteFile) -> None:
    """Raise InputError, and remove the file, if its size or digest is not the known one."""
    found = path.stat().st_size
    wrong = f"{found} bytes instead of {remote.size}" if remote.size not in (None, found) else ""
    if remote.digest and not wrong:
        method, known = remote.digest.split(":")
        digest = file_digest(path, method)
        wrong = f"{method} {digest} instead of {known}" if digest != known else ""
    if wrong:
        path.unlink()
        validator_file(path).unlink(missing_ok=True)
        raise InputError(f"{remote.url} gave a wrong file ({wrong}), which was removed; run again to fetch it anew")


def file_digest(path: Path, method: str = "sha256") -> str:
    """Hex digest of a file's bytes."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, method).hexdigest()


def _gave_up(remote: RemoteFile, part: Path, target: Path, problem: Broken) -> str:
    kept = f"{held(part)} bytes are kept: run the same command again to go on" if held(part) else "nothing arrived"
    remedy = f"check the network, give another address as url, or fetch it by other means and put it at {target}"
    return f"{remote.url} cannot be fetched now: {problem}; {kept}; {remedy}"
