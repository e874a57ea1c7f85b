"""Packing images into one flat uint8 array, each HR followed by its LR: in memory, or in a file when they are many."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
import PIL
from numpy.typing import NDArray
from tqdm import tqdm

from grla.data.images import TrainingImage
from grla.data.reading import files_checksum, image_size
from grla.data.resize import imresize, mod_crop
from grla.errors import InputError
from grla.files import atomic_write

MEMORY_LIMIT = 2**26  # bytes; more are memory-mapped from a cache file, which all processes share
CACHE_FORMAT = 2  # part of a cache file's name: raise it when the content of such files changes
PROGRESS_FROM = 50  # a progress bar is shown for more images than this
DIGEST_BYTES = 32  # a cache file begins with the sha256 of the pixels that follow


class Entry(NamedTuple):
    """Where an image lies in the pixels: at byte `offset` its mod-cropped HR (height, width, 3), followed by its LR."""

    name: str
    offset: int
    height: int
    width: int


class Packed(NamedTuple):
    """Flat uint8 `pixels`, their index in order of name, and the sha256 (hex) of the files' bytes in that order.

    `left_out` describes the images that were too small.
    """

    pixels: NDArray[np.uint8]
    entries: list[Entry]
    checksum: str
    left_out: list[str]


def pack(images: Iterable[TrainingImage], upscale: int, patch_size: int, cache_dir: Path, memory_limit: int) -> Packed:
    """Decode every image, mod-crop it and make its LR; keep all in memory, or in a file beyond `memory_limit` bytes.

    The file lies in `cache_dir` under a name derived from the content, is reused when it is intact, and is written one
    image at a time. `patch_size` is in LR pixels; images smaller than a patch are left out. Raises InputError
    when no image remains, for one that is broken, and when the file cannot be written.
    """
    ordered, left_out = _large_enough(sorted(images, key=lambda image: image.name), upscale, patch_size)
    entries, num_bytes = _layout(ordered, upscale)
    checksum = files_checksum(image.path for image in ordered)
    contents = _decoded(ordered, entries, upscale)
    if num_bytes <= memory_limit:
        pixels = _in_memory(contents, num_bytes)
    else:
        pixels = _in_file(contents, num_bytes, _cache_path(cache_dir, checksum, upscale))
    return Packed(pixels, entries, checksum, left_out)


def _large_enough(
    images: Sequence[TrainingImage], upscale: int, patch_size: int
) -> tuple[list[TrainingImage], list[str]]:
    """The images that hold a patch, and a description of each that does not, by the files' headers."""
    if not images:
        raise InputError("training needs at least 1 image, got none")
    kept, left_out = [], []
    for image in images:
        height, width = image_size(image.path)
        if min(height, width) < patch_size * upscale:
            left_out.append(f"{image.path} ({width}x{height} pixels)")
        else:
            kept.append(image)
    if not kept:
        rule = f"a patch of {patch_size} LR pixels at x{upscale} needs {patch_size * upscale} a side"
        remedy = "add larger images or take a smaller data.patch_size"
        raise InputError(f"all {len(images)} training images are too small: {', '.join(left_out)}; {rule}; {remedy}")
    return kept, left_out


def _layout(images: Sequence[TrainingImage], upscale: int) -> tuple[list[Entry], int]:
    """The index and the number of bytes it spans, from the files' headers."""
    entries, offset = [], 0
    for image in images:
        height, width = (side - side % upscale for side in image_size(image.path))
        entries.append(Entry(image.name, offset, height, width))
        offset += 3 * (height * width + height * width // upscale**2)
    return entries, offset


def _decoded(images: Sequence[TrainingImage], entries: Sequence[Entry], upscale: int) -> Iterator[NDArray[np.uint8]]:
    """The bytes of entry after entry."""
    hidden = len(images) <= PROGRESS_FROM
    for image, entry in zip(tqdm(images, "reading images", disable=hidden), entries, strict=True):
        hr = mod_crop(image.load(), upscale)
        if hr.shape != (entry.height, entry.width, 3):
            raise InputError(f"training image {image.path} changed while it was read; start again")
        yield np.concatenate([hr.ravel(), imresize(hr, 1 / upscale).ravel()])


def _in_memory(contents: Iterable[NDArray[np.uint8]], num_bytes: int) -> NDArray[np.uint8]:
    pixels, offset = np.empty(num_bytes, np.uint8), 0
    for content in contents:
        pixels[offset : offset + content.size] = content
        offset += content.size
    return pixels


def _in_file(contents: Iterable[NDArray[np.uint8]], num_bytes: int, path: Path) -> NDArray[np.uint8]:
    if not _is_intact(path, num_bytes):
        _write_cache(contents, path)
    # Copy-on-write, since torch wants writable memory; nothing ever writes.
    return np.memmap(path, np.uint8, mode="c", offset=DIGEST_BYTES, shape=(num_bytes,))


def _cache_path(cache_dir: Path, checksum: str, upscale: int) -> Path:
    # Another Pillow may decode a JPEG to other pixels.
    key = f"{CACHE_FORMAT} {PIL.__version__} x{upscale} {checksum}"
    return cache_dir / f"patches-{hashlib.sha256(key.encode()).hexdigest()[:32]}.bin"


def _is_intact(path: Path, num_bytes: int) -> bool:
    try:
        if path.stat().st_size != num_bytes + DIGEST_BYTES:
            return False
        with path.open("rb") as file:
            return file.read(DIGEST_BYTES) == hashlib.file_digest(file, "sha256").digest()
    except OSError:
        return False


def _write_cache(contents: Iterable[NDArray[np.uint8]], path: Path) -> None:
    digest = hashlib.sha256()
    with atomic_write(path) as file:
        file.write(bytes(DIGEST_BYTES))
        for content in contents:
            digest.update(content.data)
            file.write(content.data)
        file.seek(0)
        file.write(digest.digest())
