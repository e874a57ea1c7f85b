"""One large file over HTTP: a broken connection costs nothing, and a wrong file never passes for the right one."""

from __future__ import annotations

import hashlib
import os
import sys
import time
from pathlib import Path

from tqdm import tqdm

from grla.data.public.transfer import Broken, RemoteFile, held, transfer, validator_file
from grla.errors import InputError, require

WAITS_SECONDS = (1, 4, 15)
"""Pauses between attempts that bring nothing new; after the last one the download is given up until the next run."""


def download(remote: RemoteFile, target: Path) -> None:
    """Bring `remote` to `target`, going on from what a broken or killed attempt left in `target`.part.

    A server that cannot continue, or whose file has changed since (ETag, Last-Modified), is asked from the start.
    Raises InputError for an address that does not answer or has no such file, a wrong size or digest, a full disk, or
    a connection that keeps breaking off; what has arrived then stays for the next call, unless it is wrong.
    """
    require(remote.url.startswith(("http://", "https://")), "download address", "must begin with http", remote.url)
    part = target.with_name(f"{target.name}.part")
    waits, most_held = iter(WAITS_SECONDS), held(part)
    while True:
        try:
            transfer(remote, part)
            break
        except Broken as problem:
            if held(part) > most_held:  # patience is for attempts that bring nothing, not for a slow, shaky line
                waits, most_held = iter(WAITS_SECONDS), held(part)
            pause = next(waits, None)
            if pause is None:
                raise InputError(_gave_up(remote, part, target, problem)) from problem
            tqdm.write(f"{problem}; trying again in {pause} s", file=sys.stderr)
            time.sleep(pause)
    check_file(part, remote)
    os.replace(part, target)
    validator_file(part).unlink(missing_ok=True)


def check_file(path: Path, remote: RemoteFile) -> None:
    """Compare size and digest with what is known; a wrong file is removed. Raises InputError when it is wrong."""
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
    remedy = f"check the network, try another address with --url, or fetch it by other means and put it at {target}"
    return f"{remote.url} cannot be fetched now: {problem}; {kept}; {remedy}"
