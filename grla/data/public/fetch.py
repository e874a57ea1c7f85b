"""A public image set, from its authors' server to a folder that a study can use."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import filelock
from tqdm import tqdm

from grla.data import find_images, read_image
from grla.data.layout import read_layout
from grla.data.public.download import check_file, download, file_digest
from grla.data.public.sets import PublicSet, pictures_digest
from grla.data.public.transfer import RemoteFile
from grla.data.public.unpacking import unpacked
from grla.errors import InputError
from grla.files import write_text

DOWNLOADS = "downloads"
USUAL_FACTOR = 4  # of sets that hold HR images by factor, those that are counted
RECORDED = "SHA256SUMS"
"""Digests in the format of `sha256sum`, of archives found complete; later downloads must have the same ones."""


def fetch(public: PublicSet, out: Path, url: str | None = None) -> Path:
    """Fetch a set to `out`/NAME and return that folder; a set that is there already is only checked.

    The archive goes to `out`/downloads, from `url` instead of the authors' address if one is given. It must have the
    published size and digest, or else the digest recorded when it was first fetched. Prints whether the pictures are
    the known ones. Raises InputError as `download` and `unpacked` do, for pictures that cannot be decoded, and for a
    wrong number of them. Of a set that one has to ask for, the InputError says where.
    """
    target = out / public.name
    with _alone_in(out):
        if target.exists():
            print(f"{target} is there already; checking it.")
            check_pictures(public, target)
            return target
        if isinstance(public.archive, str):
            remedy = f"put its {public.num_images} HR images into {target} and run again to have them checked"
            raise InputError(f"{public.name} cannot be fetched: ask its owners for it at {public.archive}, {remedy}")
        archive = _archive(public.archive, out / DOWNLOADS, url)
        print(f"Unpacking {archive}")
        with unpacked(archive, public.inner, target, public.archive.most_bytes) as folder:
            check_pictures(public, folder)
        _record(archive)
    return target


def check_pictures(public: PublicSet, folder: Path) -> None:
    """Decode every image below `folder` and print whether they are known. Raises InputError as `fetch` does."""
    layout = read_layout(folder, USUAL_FACTOR)
    paths, hr_paths = find_images(folder), set(layout.hr.values())
    if len(hr_paths) != public.num_images:
        rule = f"{public.name} has {public.num_images} HR images"
        remedy = "complete" if isinstance(public.archive, str) else "remove"
        raise InputError(f"folder {layout.root} holds {len(hr_paths)}; {rule}; {remedy} it and run again")
    images = ((path, read_image(path)) for path in tqdm(paths, "checking", disable=None))
    digest = pictures_digest(image for path, image in images if path in hr_paths)
    if public.pictures:
        known = "are" if digest == public.pictures else "are NOT all"
        print(f"The pictures {known} those with which published bicubic values were reproduced.")
    elif isinstance(public.archive, str):
        print(f"No checksum of the pictures is published; their digest, to compare with others: {digest}")


def recorded_digest(archive: Path) -> str | None:
    """The SHA-256 recorded for an archive beside it, if any. Raises InputError when the record cannot be read."""
    record = archive.parent / RECORDED
    try:
        lines = record.read_text(encoding="utf-8").splitlines() if record.exists() else []
    except (OSError, UnicodeDecodeError) as error:
        raise InputError(f"{record} cannot be read ({error}); repair or remove it") from error
    digests = {name.strip(): digest for digest, _, name in (line.partition(" ") for line in lines)}
    return digests.get(archive.name)


def _archive(published: RemoteFile, folder: Path, url: str | None) -> Path:
    """The archive, complete and checked; fetched if it is not there."""
    archive = folder / published.url.rsplit("/", 1)[-1]
    known = published.digest
    if known is None and (recorded := recorded_digest(archive)):
        known = f"sha256:{recorded}"
    if known is None:
        print(f"No checksum of {archive.name} is published: its SHA-256 will be recorded in {folder / RECORDED}.")
    remote = replace(published, url=url or published.url, digest=known)
    if archive.exists():
        check_file(archive, remote)
    else:
        download(remote, archive)
    return archive


def _record(archive: Path) -> None:
    if recorded_digest(archive) is None:
        record = archive.parent / RECORDED
        earlier = record.read_text(encoding="utf-8") if record.exists() else ""
        write_text(record, f"{earlier}{file_digest(archive)}  {archive.name}\n")


@contextmanager
def _alone_in(out: Path) -> Iterator[None]:
    """Hold the lock of the folder: two downloads into one file would corrupt it."""
    lock = filelock.FileLock(out / DOWNLOADS / ".lock", timeout=0)
    try:
        (out / DOWNLOADS).mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except filelock.Timeout as error:
        raise InputError(f"another download is under way in {out}; wait for it or choose another folder") from error
    except OSError as error:
        raise InputError(f"cannot write to {out}: {error.strerror}; choose another folder") from error
    try:
        yield
    finally:
        lock.release()
