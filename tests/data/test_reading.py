from __future__ import annotations

import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from grla.data import files_checksum, find_images, read_image
from grla.data.reading import image_size
from grla.errors import InputError

GRAY = np.random.default_rng(0).integers(0, 256, (20, 30), dtype=np.uint8)
RGB = np.random.default_rng(1).integers(0, 256, (20, 30, 3), dtype=np.uint8)


def saved(path: Path, pixels: NDArray[np.generic], mode: str | None = None, **options: object) -> Path:
    image = Image.fromarray(pixels)
    (image.convert(mode) if mode else image).save(path, **options)  # type: ignore[arg-type]
    return path


@pytest.mark.parametrize("ending", ["png", "bmp", "tif", "TIFF", "PNG"])
def test_lossless_formats_come_back_exactly(tmp_path: Path, ending: str) -> None:
    assert np.array_equal(read_image(saved(tmp_path / f"rgb.{ending}", RGB)), RGB)
    assert np.array_equal(read_image(saved(tmp_path / f"gray.{ending}", GRAY)), GRAY)


def test_webp_and_jpeg(tmp_path: Path) -> None:
    assert np.array_equal(read_image(saved(tmp_path / "rgb.webp", RGB, lossless=True)), RGB)
    assert read_image(saved(tmp_path / "rgb.jpg", RGB)).shape == (20, 30, 3)
    assert read_image(saved(tmp_path / "gray.jpg", GRAY)).shape == (20, 30)
    assert read_image(saved(tmp_path / "cmyk.jpg", RGB, "CMYK")).shape == (20, 30, 3)


def test_a_colour_image_without_colour_stays_rgb(tmp_path: Path) -> None:
    assert read_image(saved(tmp_path / "a.png", np.stack([GRAY] * 3, axis=-1))).shape == (20, 30, 3)


def test_palette_becomes_rgb(tmp_path: Path) -> None:
    few_colours = (RGB // 128 * 255).astype(np.uint8)
    path = tmp_path / "a.png"
    Image.fromarray(few_colours).quantize(8).save(path)
    with Image.open(path) as image:
        assert image.mode == "P"
    assert np.array_equal(read_image(path), few_colours)


def test_one_bit_becomes_gray(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    Image.fromarray(GRAY > 127).save(path)
    assert np.array_equal(read_image(path), np.where(GRAY > 127, 255, 0))


@pytest.mark.parametrize("ending", ["png", "tif"])
def test_of_16_bit_gray_the_high_byte_is_kept(tmp_path: Path, ending: str) -> None:
    values = GRAY.astype(np.uint16) * 256 + GRAY[::-1]
    assert np.array_equal(read_image(saved(tmp_path / f"a.{ending}", values)), GRAY)


def test_of_16_bit_colour_the_high_byte_is_kept(tmp_path: Path) -> None:
    def chunk(kind: bytes, content: bytes) -> bytes:
        return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))

    # Pillow reads such files but does not write them: 20 rows of filter byte and big-endian pixels.
    values = RGB.astype(">u2") * 256 + RGB[::-1]
    rows = b"".join(b"\0" + row.astype(">u2").tobytes() for row in values)
    header = struct.pack(">IIBBBBB", 30, 20, 16, 2, 0, 0, 0)
    path = tmp_path / "a.png"
    chunks = chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + chunks)
    assert np.array_equal(read_image(path), RGB)


def test_alpha_is_composited_on_white(tmp_path: Path) -> None:
    alpha = np.zeros((20, 30, 1), np.uint8)
    alpha[:10] = 255
    pixels = read_image(saved(tmp_path / "a.png", np.concatenate([RGB, alpha], axis=2)))
    assert np.array_equal(pixels[:10], RGB[:10])
    assert (pixels[10:] == 255).all()
    gray = read_image(saved(tmp_path / "b.png", np.concatenate([GRAY[:, :, None], alpha], axis=2)))
    assert np.array_equal(gray[:10], GRAY[:10])
    assert (gray[10:] == 255).all()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_orientation_is_applied(tmp_path: Path, orientation: int) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    path = saved(tmp_path / "a.png", RGB, exif=exif)
    upright = {3: RGB[::-1, ::-1], 6: np.rot90(RGB, -1), 8: np.rot90(RGB)}
    pixels = read_image(path)
    if orientation in upright:
        assert np.array_equal(pixels, upright[orientation])
    assert image_size(path) == pixels.shape[:2] == ((30, 20) if orientation >= 5 else (20, 30))


def test_a_turned_jpeg_is_turned_back(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    plain = read_image(saved(tmp_path / "plain.jpg", RGB))
    assert np.array_equal(read_image(saved(tmp_path / "turned.jpg", RGB, exif=exif)), np.rot90(plain, -1))


@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_float_and_32_bit_are_refused(tmp_path: Path, dtype: type) -> None:
    with pytest.raises(InputError, match=r"a\.tif has Pillow mode [IF].*convert"):
        read_image(saved(tmp_path / "a.tif", GRAY.astype(dtype)))


@pytest.mark.parametrize("ending", ["jpg", "png", "webp", "bmp", "tif"])
def test_truncated_files_are_refused(tmp_path: Path, ending: str) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (100, 100, 3), dtype=np.uint8)
    path = saved(tmp_path / f"a.{ending}", noise)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    with pytest.raises(InputError, match=rf"a\.{ending} cannot be read.*replace or remove"):
        read_image(path)


def test_a_png_with_a_flipped_bit_is_refused(tmp_path: Path) -> None:
    path = saved(tmp_path / "a.png", np.random.default_rng(0).integers(0, 256, (100, 100, 3), dtype=np.uint8))
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 16
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"a\.png cannot be read"):
        read_image(path)


@pytest.mark.parametrize("content", [b"", b"this is text, not a picture\n" * 20])
def test_files_that_are_no_images_are_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "a.png"
    path.write_bytes(content)
    for read in (read_image, image_size):
        with pytest.raises(InputError, match=r"a\.png cannot be read"):
            read(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    for read in (read_image, image_size, lambda path: files_checksum([path])):
        with pytest.raises(InputError, match=r"gone\.png cannot be read"):
            read(tmp_path / "gone.png")


def test_images_are_found_in_order(tmp_path: Path) -> None:
    for name in ("b.PNG", "a/z.jpg", "a.JpEg", "notes.txt", ".hidden.png", ".cache/c.png", "a/.d/e.png", "c.webp"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True, parents=True)
        path.touch()
    (tmp_path / "folder.png").mkdir()
    found = [path.relative_to(tmp_path).as_posix() for path in find_images(tmp_path)]
    assert found == ["a.JpEg", "a/z.jpg", "b.PNG", "c.webp"]


def test_folders_without_images_are_refused(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").touch()
    with pytest.raises(InputError, match=r"holds no image.*\.png .*\.webp"):
        find_images(tmp_path)
    with pytest.raises(InputError, match="does not exist"):
        find_images(tmp_path / "gone")
    with pytest.raises(InputError, match="is a file, not a folder"):
        find_images(tmp_path / "notes.txt")


def test_checksum_follows_content_and_order_not_places(tmp_path: Path) -> None:
    first, second = saved(tmp_path / "a.png", RGB), saved(tmp_path / "b.png", GRAY)
    (tmp_path / "moved").mkdir()
    moved = saved(tmp_path / "moved" / "other.png", RGB)
    assert files_checksum([first, second]) == files_checksum([moved, second])
    assert files_checksum([first, second]) != files_checksum([second, first])
    assert files_checksum([first]) != files_checksum([second])
