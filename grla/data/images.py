"""Image sources: "bundled" or a folder, as HR/LR pairs to score and as training images split from validation images."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from grla.data.bundled import BUNDLED, Role, bundled_photos
from grla.data.layout import read_layout, set_names
from grla.data.reading import read_image
from grla.data.resize import imresize, mod_crop
from grla.errors import InputError

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
        return as_rgb(read_image(self.path))


class TrainingSplit(NamedTuple):
    """Disjoint images of one source: to learn from, and to validate (stop, select, tune) on. Never test images."""

    train: list[TrainingImage]
    validation: list[TrainingImage]


class PairsFound(NamedTuple):
    """The pairs of test sets, and for each set in words what was found where."""

    pairs: list[ImagePair]
    said: list[str]


def as_rgb(image: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """uint8 (H, W, 3) of an image (H, W[, 3]): gray is repeated over the channels."""
    return image if image.ndim == 3 else np.repeat(image[:, :, None], 3, axis=2)


def training_images(sources: str | Sequence[str]) -> TrainingSplit:
    """Training and validation images of one or several sources: "bundled", or folders, read as `read_layout` tells HR.

    The images of all folders are in order of name; of equal names, in the order of the folders. Of these n images
    round(n / 20), but at least 1 and at most 10, are held out, evenly spread. Raises InputError for fewer than 2, for a
    file that two folders hold, and as `read_layout` does.
    """
    given = [sources] if isinstance(sources, str) else sources
    split = TrainingSplit(_bundled("train"), _bundled("validation")) if BUNDLED in given else TrainingSplit([], [])
    folders = [source for source in given if source != BUNDLED]
    if not folders:
        return split
    images = _images_of(folders)
    if len(images) < 2:
        raise InputError(f"training folder {folders[0]} holds 1 image; at least 2 are needed: one is for validation")
    num_held_out = min(max(round(len(images) / 20), 1), 10)
    held_out = {(2 * i + 1) * len(images) // (2 * num_held_out) for i in range(num_held_out)}
    train = [image for i, image in enumerate(images) if i not in held_out]
    return TrainingSplit(split.train + train, split.validation + [images[i] for i in sorted(held_out)])


def read_test_sets(sources: Sequence[str], upscale: int) -> PairsFound:
    """The pairs of test sets, each "bundled" or a folder, in order of name.

    A set has its folder's name (that of the parent if the folder is only called HR), with parents where two have one
    name. `read_layout` tells HR and LR; where there is no LR it is made by `imresize`. Raises InputError for an LR of
    another size or colour, for images too small to score, for a set that another one holds, and as `read_layout` does.
    """
    sets, said = {}, []
    for source, name in zip(sources, set_names(sources), strict=True):
        sets[name], words = _bundled_pairs(name, upscale) if source == BUNDLED else _pairs(Path(source), name, upscale)
        said.append(f"{name}: {words}")
    _require_apart(sets)
    return PairsFound([pair for pairs in sets.values() for pair in pairs], said)


def image_pair(test_set: str, name: str, hr: NDArray[np.uint8], upscale: int) -> ImagePair:
    """Mod-crop a uint8 `hr` (H, W[, 3]) and make its LR. Raises InputError when it is too small to score."""
    hr = mod_crop(hr, upscale)
    smallest = -(-(SMALLEST_TEST_SIDE + 2 * upscale) // upscale) * upscale
    if min(hr.shape[:2]) < smallest:
        size = f"{hr.shape[1]}x{hr.shape[0]} pixels after cropping to a multiple of {upscale}"
        raise InputError(f"image {name} of {test_set} has {size}; at least {smallest} a side are needed; remove it")
    return ImagePair(test_set, name, hr, imresize(hr, 1 / upscale))


def _images_of(folders: Sequence[str]) -> list[TrainingImage]:
    """The images of all folders in order of name."""
    images: list[TrainingImage] = []
    owners: dict[Path, str] = {}
    for folder in folders:
        mine = read_layout(Path(folder)).hr
        twice = [path for path in mine.values() if path.resolve() in owners]
        if twice:
            owner = owners[twice[0].resolve()]
            raise InputError(f"training image {twice[0]} is in {owner} as well; give each folder once")
        owners |= {path.resolve(): folder for path in mine.values()}
        images += [TrainingImage(name, path) for name, path in mine.items()]
    return sorted(images, key=lambda image: image.name)


def _bundled(role: Role) -> list[TrainingImage]:
    return [TrainingImage(photo.name, photo.path) for photo in bundled_photos(role)]


def _bundled_pairs(test_set: str, upscale: int) -> tuple[list[ImagePair], str]:
    photos = bundled_photos("test")
    pairs = [image_pair(test_set, photo.name, read_image(photo.path), upscale) for photo in photos]
    return pairs, f"{len(pairs)} photographs of installed packages, LR made by bicubic reduction"


def _pairs(folder: Path, test_set: str, upscale: int) -> tuple[list[ImagePair], str]:
    layout = read_layout(folder, upscale)
    pairs = [image_pair(test_set, name, read_image(path), upscale) for name, path in layout.hr.items()]
    if layout.lr is not None:
        pairs = [_with_lr(pair, layout.hr[pair.name], layout.lr[pair.name], upscale) for pair in pairs]
    return pairs, layout.found


def _require_apart(sets: dict[str, list[ImagePair]]) -> None:
    """Raise InputError if all images of one set are in another one, by their content."""
    contents = {name: {_content(pair.hr) for pair in pairs} for name, pairs in sets.items()}
    for name, content in contents.items():
        for other, others in contents.items():
            if name != other and content <= others:
                raise InputError(f"test set {other} holds all images of {name}, which would count twice; give one")


def _content(image: NDArray[np.uint8]) -> bytes:
    return hashlib.sha256(str(image.shape).encode() + image.tobytes()).digest()


def _with_lr(pair: ImagePair, hr_path: Path, lr_path: Path, upscale: int) -> ImagePair:
    """The pair with the LR that lies at `lr_path`."""
    lr = read_image(lr_path)
    if lr.shape != pair.lr.shape:
        rule = f"the LR must have the HR's colours and 1/{upscale} of its sides, rounded down: {_describe(pair.lr)}"
        remedy = "replace it, or remove the LR folder to have LR images made"
        raise InputError(f"LR {lr_path} ({_describe(lr)}) does not match HR {hr_path}; {rule}; {remedy}")
    return replace(pair, lr=lr)


def _describe(image: NDArray[np.uint8]) -> str:
    return f"{image.shape[1]}x{image.shape[0]} {'RGB' if image.ndim == 3 else 'gray'}"
