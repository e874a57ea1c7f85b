"""Image files: finding them in a folder, decoding them to uint8, hashing their bytes."""

from __future__ import annotations

import hashlib
import warnings
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps

from grla.errors import InputError

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp")
Result = TypeVar("Result")


def find_images(folder: Path) -> list[Path]:
    """All image files below `folder`, sorted by relative POSIX path; endings in any case; nothing hidden.

    Raises InputError when `folder` is missing, is a file, or holds no image.
    """
    if not folder.is_dir():
        problem = "is a file, not a folder" if folder.exists() else "does not exist"
        raise InputError(f"image folder {folder} {problem}; give a folder that holds images")
    relative = [path.relative_to(folder) for path in folder.rglob("*") if path.suffix.lower() in ENDINGS]
    shown = [path for path in relative if not any(part.startswith(".") for part in path.parts)]
    images = [folder / path for path in sorted(shown, key=Path.as_posix) if (folder / path).is_file()]
    if not images:
        raise InputError(f"image folder {folder} holds no image; accepted endings: {' '.join(ENDINGS)} (any case)")
    return images


def read_image(path: Path) -> NDArray[np.uint8]:
    """Decode an image file to uint8: (H, W, 3) if it is stored as colour, (H, W) if it is stored as gray or 1-bit.

    The EXIF orientation is applied; a palette becomes RGB; alpha is composited on white; of 16 bits the high byte is
    kept; CMYK, YCbCr and HSV become RGB; of several pages the first is read. Raises InputError for a file that cannot
    be read or decoded to its end, and for float, 32-bit and LAB pixels.
    """
    return _opened(path, lambda image: _to_uint8(path, ImageOps.exif_transpose(image)))


def read_with_alpha(path: Path) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
    """The image as `read_image` returns it, but not composited on white, and its alpha channel (H, W) if any.

    Raises InputError as `read_image` does.
    """

    def split(image: Image.Image) -> tuple[NDArray[np.uint8], NDArray[np.uint8] | None]:
        upright = ImageOps.exif_transpose(image)
        if not upright.has_transparency_data:
            return _to_uint8(path, upright), None
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
            with Image.open(path) as image:
                return use(image)
    except InputError:
        raise
    except Exception as error:  # decoders of broken files raise nearly anything: SyntaxError, struct.error, EOFError...
        problem = f"{type(error).__name__}: {error}"
        rule = "images must decode completely; replace or remove the file"
        raise InputError(f"image {path} cannot be read ({problem}); {rule}") from error


def _upright_size(image: Image.Image) -> tuple[int, int]:
    width, height = image.size
    turned = image.getexif().get(ExifTags.Base.Orientation, 1) in (5, 6, 7, 8)
    return (width, height) if turned else (height, width)


def _to_uint8(path: Path, image: Image.Image) -> NDArray[np.uint8]:
    if image.mode.startswith("I;16"):
        return (np.asarray(image) >> 8).astype(np.uint8)
    if image.mode in ("I", "F", "LAB"):
        rule = "pixels must be 8 or 16 bit gray, RGB, palette, CMYK, YCbCr or HSV"
        raise InputError(f"image {path} has Pillow mode {image.mode}; {rule}; convert it to an 8-bit PNG")
    if image.has_transparency_data:
        image = _on_white(image)
    gray = image.mode in ("1", "L")
    return np.array(image.convert("L" if gray else "RGB"))


def _on_white(image: Image.Image) -> Image.Image:
    """Composite on white; a gray image stays gray."""
    gray = image.mode in ("L", "LA", "La")
    pixels = image.convert("RGBA")
    white = Image.new("RGBA", pixels.size, "white")
    return Image.alpha_composite(white, pixels).convert("L" if gray else "RGB")
