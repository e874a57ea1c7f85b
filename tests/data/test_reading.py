from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from grla.data import files_checksum, find_images, read_image, read_with_alpha
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


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def test_of_16_bit_colour_the_high_byte_is_kept(tmp_path: Path) -> None:
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


def tiff(path: Path, pixels: bytes, bits: int, photometric: int) -> Path:
    """Write 20 rows of 30 gray pixels by hand, uncompressed (TIFF 6.0, sections 2, 3): Pillow cannot."""
    tags = {256: 30, 257: 20, 258: bits, 259: 1, 262: photometric, 273: 122, 277: 1, 278: 20, 279: len(pixels)}
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items())
    path.write_bytes(struct.pack("<2sHIH", b"II", 42, 8, len(tags)) + entries + bytes(4) + pixels)
    return path


def twelve_bit(values: NDArray[np.uint16]) -> bytes:
    """Two values in three bytes, the first one's highest bits first."""
    return b"".join(((int(a) << 12) | int(b)).to_bytes(3, "big") for a, b in values.reshape(-1, 2))


def test_of_12_bit_gray_the_highest_8_are_kept(tmp_path: Path) -> None:
    values = GRAY.astype(np.uint16) * 16 + GRAY[::-1] % 16
    assert np.array_equal(read_image(tiff(tmp_path / "a.tif", twelve_bit(values), 12, 1)), GRAY)


@pytest.mark.parametrize("bits", [8, 16])
def test_where_white_is_zero_black_is_not(tmp_path: Path, bits: int) -> None:
    values = GRAY.astype(np.uint16) << (bits - 8)
    stored = (2**bits - 1 - values).astype(f"<u{bits // 8}")
    assert np.array_equal(read_image(tiff(tmp_path / "a.tif", stored.tobytes(), bits, 0)), GRAY)


def test_16_bit_gray_may_have_a_value_that_is_transparent(tmp_path: Path) -> None:
    values = GRAY.astype(np.uint16) * 256 + 7
    values[3, 4], values[5, 6] = 1000, 1001  # of one high byte; only the first is transparent
    path = saved(tmp_path / "a.png", values, transparency=1000)
    whole = np.where(values == 1000, 255, values >> 8)
    assert np.array_equal(read_image(path), whole)
    pixels, alpha = read_with_alpha(path)
    assert alpha is not None
    assert np.array_equal(pixels, values >> 8)
    assert np.array_equal(alpha == 0, values == 1000)
    assert np.array_equal(alpha == 255, values != 1000)


TURNED = {
    1: lambda image: image,
    2: lambda image: image[:, ::-1],
    3: lambda image: image[::-1, ::-1],
    4: lambda image: image[::-1],
    5: lambda image: image.swapaxes(0, 1),
    6: lambda image: np.rot90(image, -1),
    7: lambda image: image[::-1, ::-1].swapaxes(0, 1),
    8: np.rot90,
}
"""What shows an image upright by its orientation (EXIF 2.3, tag 274)."""


@pytest.mark.parametrize("orientation", TURNED)
@pytest.mark.parametrize("stored", [RGB, GRAY], ids=["rgb", "gray"])
@pytest.mark.parametrize("compression", ["png", None, "tiff_lzw"])
def test_the_orientation_is_applied_once(
    tmp_path: Path, orientation: int, stored: NDArray[np.uint8], compression: str | None
) -> None:
    exif = Image.Exif()
    exif[274] = orientation
    png = compression == "png"
    path = tmp_path / ("a.png" if png else "a.tif")
    saved(path, stored, exif=exif, **({} if png else {"compression": compression}))
    expected = TURNED[orientation](stored)
    assert np.array_equal(read_image(path), expected)
    assert image_size(path) == expected.shape[:2]


def test_the_size_of_a_png_is_read_without_its_pixels(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (100, 200, 3), dtype=np.uint8)
    path = saved(tmp_path / "a.png", noise)
    path.write_bytes(path.read_bytes()[:1000])
    assert image_size(path) == (100, 200)


def test_an_orientation_behind_the_pixels_counts(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[274] = 6
    path = saved(tmp_path / "a.png", RGB)
    end = chunk(b"IEND", b"")
    late = path.read_bytes().removesuffix(end) + chunk(b"eXIf", exif.tobytes().removeprefix(b"Exif\0\0")) + end
    path.write_bytes(late)
    assert image_size(path) == read_image(path).shape[:2] == (30, 20)


def test_too_many_pixels_are_refused_for_their_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = saved(tmp_path / "a.png", np.zeros((1500, 1500), np.uint8))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 1_000_000)
    for read in (read_image, image_size):
        with pytest.raises(InputError, match=r"a\.png has more than 2 Mpixel, the most there may be; divide it"):
            read(path)


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


def test_links_are_followed_once(tmp_path: Path) -> None:
    elsewhere, folder = tmp_path / "elsewhere", tmp_path / "folder"
    (elsewhere / "deep").mkdir(parents=True)
    (folder / "z").mkdir(parents=True)
    for path in (elsewhere / "deep" / "a.png", folder / "z" / "b.png"):
        path.touch()
    (folder / "linked").symlink_to(elsewhere)
    (folder / "c.png").symlink_to(elsewhere / "deep" / "a.png")
    (elsewhere / "back").symlink_to(folder)  # a loop
    (folder / "a").symlink_to(folder / "z")  # a second way
    found = [path.relative_to(folder).as_posix() for path in find_images(folder)]
    assert found == ["c.png", "linked/deep/a.png", "z/b.png"]


def test_links_that_lead_nowhere_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.png").touch()
    (tmp_path / "more").symlink_to(tmp_path / "gone")
    with pytest.raises(InputError, match=r"link .*more leads nowhere \(.*gone.*mend or remove it"):
        find_images(tmp_path)


def test_names_that_no_table_can_show_are_refused(tmp_path: Path) -> None:
    try:
        Path(os.fsdecode(os.fsencode(tmp_path) + b"/caf\xe9.png")).touch()
    except OSError:
        pytest.skip("the file system takes names in UTF-8 only")
    with pytest.raises(InputError, match=r"caf\\xe9\.png' has a name that is not UTF-8; rename it"):
        find_images(tmp_path)


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
