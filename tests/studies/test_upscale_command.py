"""A user's own pictures through the command."""

from __future__ import annotations

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image, ImageCms, ImageOps
from torch import Tensor, nn
from upscale import check_targets, num_pixels, sides_to_try, upscale_file, upscale_in_memory

from grla.data import imresize
from grla.errors import InputError
from grla.evaluation import Bands, bicubic_upscaler, network_bands
from grla.evaluation import Image as Pixels
from tests.shared.commands import call


def noise(*shape: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)


def test_colour_gray_alpha_and_orientation_are_kept(tmp_path: Path) -> None:
    colour, gray, alpha = noise(9, 7, 3), noise(8, 6), noise(6, 5, 4)
    Image.fromarray(colour).save(tmp_path / "colour.png")
    Image.fromarray(gray).save(tmp_path / "gray.png")
    Image.fromarray(alpha).save(tmp_path / "alpha.png")
    exif = Image.Exif()
    exif[274] = 6  # turned by a quarter
    Image.fromarray(colour).save(tmp_path / "turned.png", exif=exif)
    names = ["colour.png", "gray.png", "alpha.png", "turned.png"]
    call("upscale.py", *names, "--model", "bicubic", "--upscale", 2, "--out", "large", folder=tmp_path)
    large = {name: np.array(Image.open(tmp_path / "large" / name.replace(".png", "_x2.png"))) for name in names}
    assert np.array_equal(large["colour.png"], imresize(colour, 2))
    assert np.array_equal(large["gray.png"], imresize(gray, 2))
    assert np.array_equal(large["alpha.png"][..., :3], imresize(alpha[..., :3].copy(), 2))
    assert np.array_equal(large["alpha.png"][..., 3], imresize(alpha[..., 3].copy(), 2))
    assert large["turned.png"].shape == (14, 18, 3)


def test_a_broken_picture_is_named_and_the_others_are_done(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    Image.fromarray(noise(4, 4, 3)).save(tmp_path / "good.png")
    shown = call("upscale.py", "broken.png", "good.png", "--model", "bicubic", folder=tmp_path, code=1)
    assert "error: image broken.png cannot be read" in shown
    assert (tmp_path / "results" / "upscaled" / "good_x4.png").is_file()


def test_an_unknown_network_is_said_of_its_flag(tmp_path: Path) -> None:
    shown = call("upscale.py", "a.png", "--model", "nope", folder=tmp_path, code=1)
    assert "error: --model must be bicubic, a checkpoint file or package.module:factory, got 'nope'" in shown


def test_pictures_of_every_kind_keep_what_they_are(tmp_path: Path) -> None:
    """By Pillow's own decoder: mode and size of the source, and the colours where nothing but they were kept."""
    gray, colour = noise(9, 7), noise(9, 7, 3)
    palette = Image.fromarray(colour).quantize(8)
    deep = noise(9, 7).astype(np.uint16) * 256 + 17
    turned = Image.Exif()
    turned[274] = 6
    kinds: dict[str, tuple[Image.Image, dict[str, object], str]] = {
        "la.png": (Image.fromarray(noise(9, 7, 2), "LA"), {}, "LA"),
        "gray_transparent.png": (Image.fromarray(gray), {"transparency": 7}, "LA"),
        "colour_transparent.png": (Image.fromarray(colour), {"transparency": (1, 2, 3)}, "RGBA"),
        "palette.png": (palette, {}, "RGB"),
        "palette_transparent.png": (palette, {"transparency": 3}, "RGBA"),
        "palette_half.png": (palette, {"transparency": bytes([0, 50, 100, 150, 200, 250, 255, 128])}, "RGBA"),
        "deep.png": (Image.fromarray(deep), {}, "L"),
        "bits.png": (Image.fromarray(gray > 128), {}, "L"),
        "print.jpg": (Image.fromarray(colour).convert("CMYK"), {}, "RGB"),
        "gray_turned.jpg": (Image.fromarray(gray), {"exif": turned}, "L"),
        "one.png": (Image.fromarray(noise(1, 1, 3)), {}, "RGB"),
        "one_gray.png": (Image.fromarray(noise(1, 1)), {}, "L"),
        "tall.png": (Image.fromarray(noise(2000, 3, 3)), {}, "RGB"),
        "wide.png": (Image.fromarray(noise(3, 2000, 4)), {}, "RGBA"),
    }
    upscaler = network_bands(Repeat(), 2, tile=256, overlap=32)
    for name, (picture, options, mode) in kinds.items():
        picture.save(tmp_path / name, **options)
        large = Image.open(upscale_file(tmp_path / name, tmp_path / "large", upscaler, 2))
        source = ImageOps.exif_transpose(Image.open(tmp_path / name))
        assert large.mode == mode, name
        assert large.size == (2 * source.width, 2 * source.height), name
        if mode in ("L", "RGB") and source.mode != "I;16":
            assert np.array_equal(large, np.array(source.convert(mode)).repeat(2, 0).repeat(2, 1)), name
    assert np.array_equal(Image.open(tmp_path / "large" / "deep_x2.png"), (deep >> 8).repeat(2, 0).repeat(2, 1))


def bicubic(pixels: Pixels) -> Iterator[Pixels]:
    """Twice as large, in one band."""
    yield bicubic_upscaler(2)(pixels)


class Repeat(nn.Module):
    """Every pixel four times."""

    def forward(self, lr: Tensor) -> Tensor:
        return lr.repeat_interleave(2, 2).repeat_interleave(2, 3)


def test_a_colour_profile_stays_with_the_colours_it_is_for(tmp_path: Path) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    Image.fromarray(noise(4, 5, 3)).save(tmp_path / "colour.png", icc_profile=profile)
    Image.fromarray(noise(4, 5)).save(tmp_path / "gray.png", icc_profile=profile)  # not one for gray
    for name, kept in (("colour", profile), ("gray", None)):
        large = upscale_file(tmp_path / f"{name}.png", tmp_path, bicubic, 2)
        assert Image.open(large).info.get("icc_profile") == kept


def test_pictures_that_would_overwrite_each_other_are_refused(tmp_path: Path) -> None:
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
    first, second = tmp_path / "a" / "x.jpg", tmp_path / "b" / "x.png"
    with pytest.raises(InputError, match=r"x\.jpg and .*x\.png would both become x_x4\.png"):
        check_targets([first, second], tmp_path, 4)
    check_targets([first, first], tmp_path, 4)


def test_a_picture_to_enlarge_is_never_replaced(tmp_path: Path) -> None:
    for name in ("cat.png", "cat_x2.png"):
        Image.fromarray(noise(4, 4, 3)).save(tmp_path / name)
    (tmp_path / "linked").mkdir()
    (tmp_path / "linked" / "cat_x2.png").symlink_to(tmp_path / "cat_x2.png")
    before = (tmp_path / "cat_x2.png").read_bytes()
    for out in (".", "linked"):
        words = ["cat.png", "cat_x2.png", "--model", "bicubic", "--upscale", 2, "--out", out, "--overwrite"]
        shown = call("upscale.py", *words, folder=tmp_path, code=1)
        assert "which is the picture cat_x2.png; give another folder as --out" in shown
    assert (tmp_path / "cat_x2.png").read_bytes() == before
    assert not (tmp_path / "cat_x2_x2.png").exists()


def test_an_existing_file_is_replaced_only_when_asked(tmp_path: Path) -> None:
    Image.fromarray(noise(4, 4, 3)).save(tmp_path / "cat.png")
    (tmp_path / "cat_x2.png").write_text("mine")
    words = ["cat.png", "--model", "bicubic", "--upscale", 2, "--out", "."]
    shown = call("upscale.py", *words, folder=tmp_path, code=1)
    assert "error: cat_x2.png exists already; give another folder as --out, or set --overwrite" in shown
    assert (tmp_path / "cat_x2.png").read_text() == "mine"
    call("upscale.py", *words, "--overwrite", folder=tmp_path)
    assert Image.open(tmp_path / "cat_x2.png").size == (8, 8)


def test_a_picture_too_large_for_the_memory_is_named(tmp_path: Path) -> None:
    def greedy(pixels: Pixels) -> Iterator[Pixels]:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to allocate much")

    Image.fromarray(noise(4, 5)).save(tmp_path / "gray.png")
    with pytest.raises(InputError, match=r"gray\.png \(5x4\) needs more memory than there is; give a smaller --tile"):
        upscale_in_memory(tmp_path / "gray.png", tmp_path, lambda tile: greedy, [None], 2)
    assert num_pixels(tmp_path / "gray.png") == 20
    assert num_pixels(tmp_path / "missing.png") == 0


class Hungry(Repeat):
    """As a GPU that has no memory for more than 40x40 pixels."""

    def forward(self, lr: Tensor) -> Tensor:
        if lr[0, 0].numel() > 1600:
            raise torch.OutOfMemoryError("CUDA out of memory")
        return super().forward(lr)


def hungry(tile: int | None) -> Bands:
    return network_bands(Hungry(), 2, tile)


def test_where_memory_lacks_smaller_squares_are_tried_and_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pixels = noise(70, 90, 3)
    Image.fromarray(pixels).save(tmp_path / "a.png")
    sides = sides_to_try(128)
    large = upscale_in_memory(tmp_path / "a.png", tmp_path / "out", hungry, sides, 2)
    assert np.array_equal(Image.open(large), pixels.repeat(2, 0).repeat(2, 1))
    assert capsys.readouterr().err == (
        "Squares of 128 pixels need more memory than there is: 64 instead.\n"
        "Squares of 64 pixels need more memory than there is: 32 instead.\n"
    )
    upscale_in_memory(tmp_path / "a.png", tmp_path / "out", hungry, sides, 2)
    assert capsys.readouterr().err == ""  # what did not fit is not tried again for the next picture
    for tile in (None, 60):  # whole, as asked for; and half of 60 would be less than is worth while
        with pytest.raises(InputError, match="more memory than there is"):
            upscale_in_memory(tmp_path / "a.png", tmp_path / "none", hungry, sides_to_try(tile), 2)
    assert not (tmp_path / "none").exists()


def test_a_large_picture_is_never_held_as_a_whole(tmp_path: Path) -> None:
    """The picture of 13 MB is on the disk, but for its last band, before the network has seen its end."""
    Image.fromarray(noise(4096, 256, 3)).save(tmp_path / "a.png")
    written = []

    def growing(pixels: Pixels) -> Iterator[Pixels]:
        for band in network_bands(Repeat(), 2, tile=64)(pixels):
            yield band
            (file,) = (tmp_path / "out").iterdir()
            written.append(file.stat().st_size)

    tracemalloc.start()
    large = upscale_file(tmp_path / "a.png", tmp_path / "out", growing, 2)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(written) == 64
    assert written[-1] > 0.9 * large.stat().st_size
    assert peak < 8192 * 512 * 3  # what the large picture would take


def test_sixteen_bits_give_nearly_the_same_picture(tmp_path: Path) -> None:
    Image.fromarray(noise(20, 24, 3)).save(tmp_path / "a.png")
    call("upscale.py", "a.png", "--out", "full", folder=tmp_path)
    call("upscale.py", "a.png", "--out", "half", "--half", folder=tmp_path)
    full, half = (np.array(Image.open(tmp_path / way / "a_x4.png")).astype(int) for way in ("full", "half"))
    assert 0 < np.abs(full - half).max() <= 1


def test_an_interrupted_picture_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def stopped(pixels: Pixels) -> Iterator[Pixels]:
        yield pixels.repeat(2, 0).repeat(2, 1)[:3]
        raise KeyboardInterrupt

    Image.fromarray(noise(4, 5)).save(tmp_path / "gray.png")
    with pytest.raises(KeyboardInterrupt):
        upscale_file(tmp_path / "gray.png", tmp_path / "out", stopped, 2)
    assert not list((tmp_path / "out").iterdir())
