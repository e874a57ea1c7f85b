"""Image sources: "bundled" or a folder, as HR/LR pairs to score and as training images split from validation images."""

from __future__ import annotations

import os.path
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from grla.data.bundled import Role, bundled_photos
from grla.data.reading import ENDINGS, find_images, read_image
from grla.data.resize import imresize, mod_crop
from grla.errors import InputError

BUNDLED = "bundled"
SMALLEST_TEST_SIDE = 11  # pixels left after cropping `upscale` on each side: the window of SSIM


@dataclass(frozen=True)
class ImagePair:
    """A picture to score: uint8 `hr` (H, W[, 3]), mod-cropped, and `lr` (H/upscale, W/upscale[, 3]); gray is 2-D.

    With a `mask` (H, W) only the pixels where it is True are scored: those that a probe blanked.
    """

    test_set: str
    name: str
    hr: NDArray[np.uint8]
    lr: NDArray[np.uint8]
    mask: NDArray[np.bool_] | None = None


@dataclass(frozen=True)
class TrainingImage:
    """A training picture that is decoded on demand, so that 800 of them are never in memory at once."""

    name: str
    path: Path

    def load(self) -> NDArray[np.uint8]:
        """Decode to uint8 RGB (H, W, 3); gray is repeated over the channels. Raises InputError as `read_image` does."""
        pixels = read_image(self.path)
        return pixels if pixels.ndim == 3 else np.repeat(pixels[:, :, None], 3, axis=2)


class TrainingSplit(NamedTuple):
    """Disjoint images of one source: to learn from, and to validate (stop, select, tune) on. Never test images."""

    train: list[TrainingImage]
    validation: list[TrainingImage]


def training_images(source: str) -> TrainingSplit:
    """Training and validation images of "bundled" or of a folder (its `HR/` if it has one, searched recursively).

    Of a folder's n images round(n / 20), but at least 1 and at most 10, are held out, evenly spread over the sorted
    names. Raises InputError for fewer than 2 images, and as `find_images` does.
    """
    if source == BUNDLED:
        return TrainingSplit(_bundled("train"), _bundled("validation"))
    images = [TrainingImage(name, path) for name, path in _named_images(_hr_folder(Path(source))).items()]
    if len(images) < 2:
        raise InputError(f"training folder {source} holds 1 image; at least 2 are needed: one is kept for validation")
    num_held_out = min(max(round(len(images) / 20), 1), 10)
    held_out = {(2 * i + 1) * len(images) // (2 * num_held_out) for i in range(num_held_out)}
    train = [image for i, image in enumerate(images) if i not in held_out]
    return TrainingSplit(train, [images[i] for i in sorted(held_out)])


def test_images(source: str, upscale: int) -> list[ImagePair]:
    """The pairs of a test set, in order of name: "bundled" or a folder, whose name is the test set's name.

    A folder holds HR images, searched recursively, and LR is made from them by `imresize`. Or it holds `HR/`; then LR
    is read from the first of `LR_bicubic/X{upscale}/`, `LR/X{upscale}/` and `LR/` (images directly inside) that exists,
    and made if none does. The LR of `HR/a/b.png` is called `a/b` or `a/bx{upscale}`, with any accepted ending. Raises
    InputError for an LR that is missing or whose size or colour does not match, and for images too small to score.
    """
    if source == BUNDLED:
        return [image_pair(BUNDLED, photo.name, read_image(photo.path), upscale) for photo in bundled_photos("test")]
    folder = Path(source)
    test_set = os.path.basename(os.path.abspath(folder))
    hr_paths = _named_images(_hr_folder(folder))
    lr_folder = _lr_folder(folder, upscale)
    if lr_folder is None:
        return [image_pair(test_set, name, read_image(path), upscale) for name, path in hr_paths.items()]
    lr_paths = _matching_lr(hr_paths, lr_folder, upscale)
    return [_read_pair(test_set, name, path, lr_paths[name], upscale) for name, path in hr_paths.items()]


def image_pair(test_set: str, name: str, hr: NDArray[np.uint8], upscale: int) -> ImagePair:
    """Mod-crop a uint8 `hr` (H, W[, 3]) and make its LR. Raises InputError when it is too small to score."""
    hr = mod_crop(hr, upscale)
    smallest = -(-(SMALLEST_TEST_SIDE + 2 * upscale) // upscale) * upscale
    if min(hr.shape[:2]) < smallest:
        size = f"{hr.shape[1]}x{hr.shape[0]} pixels after cropping to a multiple of {upscale}"
        raise InputError(f"image {name} of {test_set} has {size}; at least {smallest} a side are needed; remove it")
    return ImagePair(test_set, name, hr, imresize(hr, 1 / upscale))


def _bundled(role: Role) -> list[TrainingImage]:
    return [TrainingImage(photo.name, photo.path) for photo in bundled_photos(role)]


def _read_pair(test_set: str, name: str, hr_path: Path, lr_path: Path, upscale: int) -> ImagePair:
    pair = image_pair(test_set, name, read_image(hr_path), upscale)
    lr = read_image(lr_path)
    if lr.shape != pair.lr.shape:
        rule = f"the LR must have the HR's colours and 1/{upscale} of its sides, rounded down: {_describe(pair.lr)}"
        remedy = "replace it, or remove the LR folder to have LR images made"
        raise InputError(f"LR {lr_path} ({_describe(lr)}) does not match HR {hr_path}; {rule}; {remedy}")
    return ImagePair(test_set, name, pair.hr, lr)


def _describe(image: NDArray[np.uint8]) -> str:
    return f"{image.shape[1]}x{image.shape[0]} {'RGB' if image.ndim == 3 else 'gray'}"


def _named_images(folder: Path) -> dict[str, Path]:
    """Images by relative path without ending, in that order."""
    named: dict[str, Path] = {}
    for path in find_images(folder):
        name = path.relative_to(folder).with_suffix("").as_posix()
        if name in named:
            raise InputError(f"images {named[name]} and {path} have the same name {name!r}; rename or remove one")
        named[name] = path
    return dict(sorted(named.items()))


def _hr_folder(folder: Path) -> Path:
    if (folder / "HR").is_dir():
        return folder / "HR"
    for lr_name in ("LR", "LR_bicubic"):
        if (folder / lr_name).is_dir():
            raise InputError(f"folder {folder} holds {lr_name}/ but no HR/; put its HR images into {folder / 'HR'}")
    return folder


def _lr_folder(folder: Path, upscale: int) -> Path | None:
    if not (folder / "HR").is_dir():
        return None
    for candidate in (folder / "LR_bicubic" / f"X{upscale}", folder / "LR" / f"X{upscale}", folder / "LR"):
        if candidate.is_dir() and (candidate.name != "LR" or _holds_images_directly(candidate)):
            return candidate
    return None


def _holds_images_directly(folder: Path) -> bool:
    return any(path.suffix.lower() in ENDINGS for path in folder.iterdir())


def _matching_lr(hr_paths: dict[str, Path], lr_folder: Path, upscale: int) -> dict[str, Path]:
    lr_paths = _named_images(lr_folder)
    matching = {}
    for name, hr_path in hr_paths.items():
        lr_path = lr_paths.get(name) or lr_paths.get(f"{name}x{upscale}")
        if lr_path is None:
            rule = f"every HR image needs an LR called {name} or {name}x{upscale}"
            raise InputError(f"HR {hr_path} has no LR in {lr_folder}; {rule}; add it, or remove the LR folder")
        matching[name] = lr_path
    return matching
