"""Image files: finding them in a folder, decoding them to uint8, hashing their bytes."""

from __future__ import annotations

import hashlib
import os
import struct
import warnings
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile

from grla.errors import InputError

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
Result = TypeVar("Result")


def find_images(folder: Path) -> list[Path]:
    """All image files below `folder`, sorted by relative POSIX path; endings in any case; nothing hidden.

    Links are followed; a folder that can be reached in several ways is searched once. Raises InputError when `folder`
    is missing, is a file, or holds no image, for a link that leads nowhere, and for a name that is not UTF-8.
    """
    if not folder.is_dir():
        problem = "is a file, not a folder" if folder.exists() else "does not exist"
        raise InputError(f"image folder {folder} {problem}; give a folder that holds images")
    images = [path for path in _files_below(folder, set()) if path.suffix.lower() in ENDINGS]
    if not images:
        raise InputError(f"image folder {folder} holds no image; accepted endings: {' '.join(ENDINGS)} (any case)")
    for path in images:
        _require_utf8(path)
    return sorted(images, key=lambda path: path.relative_to(folder).as_posix())


def read_image(path: Path) -> NDArray[np.uint8]:
    """Decode an image file to uint8: (H, W, 3) if it is stored as colour, (H, W) if it is stored as gray or 1-bit.

    The EXIF orientation is applied; a palette becomes RGB; alpha is composited on white; of 12 and 16 bits the highest
    8 are kept; CMYK, YCbCr and HSV become RGB; of several pages the first is read. Raises InputError for a file that
    cannot be read or decoded to its end, for one of more than 178 Mpixel, and for float, 32-bit and LAB pixels.
    """
    return _opened(path, lambda image: _to_uint8(path, image))


def read_with_alpha(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """The image as `read_image` returns it, but not composited on white, and its alpha channel (H, W) if any.

    Raises InputError as `read_image` does.
    """

    def split(image: Image.Image) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
        upright = ImageOps.exif_transpose(image)
        if not upright.has_transparency_data:
            return _to_uint8(path, image), None
        if image.mode.startswith("I;16"):
            return _highest_byte(upright, image), np.where(_is_transparent(upright), 0, 255).astype(np.uint8)
        gray = upright.mode in ("L", "LA", "La")
        pixels = upright.convert("RGBA")
        return np.array(pixels.convert("L" if gray else "RGB")), np.array(pixels.getchannel("A"))

    return _opened(path, split)


def image_size(path: Path) -> tuple[int, int]:
    """(height, width) in pixels, as `read_image` returns it, from the file's header alone."""
    return _opened(path, _upright_size)


def files_checksum(paths: Iterable[Path]) -> str:
    """sha256 (hex) over the bytes of the files in the given order; independent of where and under which name they lie.

    Raises InputError for a file that cannot be read.
    """
    return hashlib.sha256(b"".join(_file_digest(path) for path in paths)).hexdigest()


def _files_below(folder: Path, entered: set[Path]) -> Iterator[Path]:
    """The visible files below `folder`, unless it has been `entered`; links come after what lies there itself."""
    real = folder.resolve()
    if real in entered:
        return
    entered.add(real)
    try:
        inside = sorted(folder.iterdir(), key=lambda path: (path.is_symlink(), path))
    except OSError as error:
        raise InputError(f"image folder {folder} cannot be read ({error.strerror}); check its rights") from error
    for path in inside:
        if path.name.startswith("."):
            continue
        if path.is_dir():
            yield from _files_below(path, entered)
        elif path.is_file():
            yield path
        elif path.is_symlink():
            raise InputError(f"link {path} leads nowhere ({os.readlink(path)!r}); mend or remove it")


def _require_utf8(path: Path) -> None:
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        raise InputError(f"image {os.fsencode(path)!r} has a name that is not UTF-8; rename it") from error


def _file_digest(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").digest()
    except OSError as error:
        raise InputError(f"image {path} cannot be read ({error.strerror}); check the file and its rights") from error


def _opened(path: Path, use: Callable[[Image.Image], Result]) -> Result:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns of odd metadata and of images above 89 megapixels: both fine
            # As an open file: Pillow maps one that it opens itself into memory, where a turned gray TIFF is garbled.
            with path.open("rb") as file, Image.open(file) as image:
                return use(image)
    except InputError:
        raise
    except Image.DecompressionBombError as error:
        limit = 2 * (Image.MAX_IMAGE_PIXELS or 0) / 1e6
        raise InputError(f"image {path} has more than {limit:.0f} Mpixel, the most there may be; divide it") from error
    except Exception as error:  # decoders of broken files raise nearly anything: SyntaxError, struct.error, EOFError...
        problem = f"{type(error).__name__}: {error}"
        rule = "images must decode completely; replace or remove the file"
        raise InputError(f"image {path} cannot be read ({problem}); {rule}") from error


def _upright_size(image: Image.Image) -> tuple[int, int]:
    width, height = image.size
    if isinstance(image, TiffImageFile):
        return height, width  # Pillow turns TIFFs itself
    # Of a PNG, Pillow would decode all pixels first, for the sake of metadata behind them.
    behind = isinstance(image, PngImageFile) and _has_metadata_behind_pixels(image)
    exif = image.getexif() if behind else Image.Image.getexif(image)
    turned = exif.get(ExifTags.Base.Orientation, 1) in (5, 6, 7, 8)
    return (width, height) if turned else (height, width)


def _has_metadata_behind_pixels(image: PngImageFile) -> bool:
    """Whether a chunk that may tell the orientation follows the pixels, by the chunks' headers."""
    file: IO[bytes] | None = image.fp
    assert file is not None
    file.seek(image.tile[0].offset - 8)  # a chunk is its length, its kind, its content and a checksum of 4 bytes
    while len(header := file.read(8)) == 8:
        length, kind = struct.unpack(">I4s", header)
        if kind in (b"eXIf", b"tEXt", b"zTXt", b"iTXt"):
            return True
        file.seek(length + 4, os.SEEK_CUR)
    return False


def _to_uint8(path: Path, opened: Image.Image) -> NDArray[np.uint8]:
    image = ImageOps.exif_transpose(opened)
    if image.mode.startswith("I;16"):
        pixels = _highest_byte(image, opened)
        return np.where(_is_transparent(image), np.uint8(255), pixels) if image.has_transparency_data else pixels
    if image.mode in ("I", "F", "LAB"):
        rule = "pixels must be 8 or 16 bit gray, RGB, palette, CMYK, YCbCr or HSV"
        raise InputError(f"image {path} has Pillow mode {image.mode}; {rule}; convert it to an 8-bit PNG")
    if image.has_transparency_data:
        image = _on_white(image)
    gray = image.mode in ("1", "L")
    return np.array(image.convert("L" if gray else "RGB"))


def _highest_byte(image: Image.Image, opened: Image.Image) -> NDArray[np.uint8]:
    """Of gray pixels of 12 or 16 bits; `opened` is the image as its file gives it, before it was turned."""
    bits, inverted = 16, False
    if isinstance(opened, TiffImageFile):
        bits = opened.tag_v2[ExifTags.Base.BitsPerSample][0]
        inverted = opened.tag_v2.get(ExifTags.Base.PhotometricInterpretation) == 0  # white is zero
    pixels = (np.asarray(image) >> (bits - 8)).astype(np.uint8)
    return ~pixels if inverted else pixels


def _is_transparent(image: Image.Image) -> NDArray[np.bool_]:
    """Where 16-bit gray has the value that stands for nothing."""
    return np.asarray(np.asarray(image) == image.info["transparency"])


def _on_white(image: Image.Image) -> Image.Image:
    """Composite on white; a gray image stays gray."""
    gray = image.mode in ("L", "LA", "La")
    pixels = image.convert("RGBA")
    white = Image.new("RGBA", pixels.size, "white")
    return Image.alpha_composite(white, pixels).convert("L" if gray else "RGB")
