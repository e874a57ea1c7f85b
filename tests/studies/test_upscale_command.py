"""A user's own pictures through the command."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
from PIL import Image

from grla.data import imresize

ROOT = Path(__file__).parents[2]


def upscale(folder: Path, *arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, ROOT / "studies" / "upscale.py", *map(str, arguments)]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)


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
    done = upscale(tmp_path, *names, "--checkpoint", "bicubic", "--upscale", 2, "--out", "large")
    assert done.returncode == 0, done.stderr
    large = {name: np.array(Image.open(tmp_path / "large" / name.replace(".png", "_x2.png"))) for name in names}
    assert np.array_equal(large["colour.png"], imresize(colour, 2))
    assert np.array_equal(large["gray.png"], imresize(gray, 2))
    assert np.array_equal(large["alpha.png"][..., :3], imresize(alpha[..., :3].copy(), 2))
    assert np.array_equal(large["alpha.png"][..., 3], imresize(alpha[..., 3].copy(), 2))
    assert large["turned.png"].shape == (14, 18, 3)


def test_a_broken_picture_is_named_and_the_others_are_done(tmp_path: Path) -> None:
    (tmp_path / "broken.png").write_bytes(b"no picture")
    Image.fromarray(noise(4, 4, 3)).save(tmp_path / "good.png")
    done = upscale(tmp_path, "broken.png", "good.png", "--checkpoint", "bicubic")
    assert done.returncode == 1
    assert "image broken.png cannot be read" in done.stderr
    assert (tmp_path / "results" / "upscaled" / "good_x4.png").is_file()
