"""Photographs that ship inside the pinned scikit-image and matplotlib packages: real images without any download."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Literal

from grla.errors import InputError

Role = Literal["train", "validation", "test"]
BUNDLED = "bundled"
"""The source of images that these photographs are; other sources are folders."""


@dataclass(frozen=True)
class BundledPhoto:
    """One photograph: its file in an installed package, what it is used for, and under which terms.

    `licence` says what the package's own files say about the picture.
    """

    name: str
    role: Role
    package: str
    file: str
    licence: str

    @property
    def path(self) -> Path:
        """The installed file. Raises InputError when the package or the file is missing."""
        try:
            package = distribution(self.package)
        except PackageNotFoundError as error:
            raise InputError(f"bundled photo {self.name} needs {self.package}; {_REMEDY}") from error
        path = Path(str(package.locate_file(self.file)))
        if not path.is_file():
            lacking = f"{self.package} {package.version} lacks {self.file}"
            raise InputError(f"bundled photo {self.name}: {lacking}; {_REMEDY}")
        return path


def bundled_photos(role: Role) -> list[BundledPhoto]:
    """The photographs of one role, in the order they are used."""
    return [photo for photo in PHOTOS if photo.role == role]


def photo_path(name: str) -> Path:
    """The file of a bundled photo by name, for instance "coffee". Raises InputError for an unknown or missing one."""
    for photo in PHOTOS:
        if photo.name == name:
            return photo.path
    raise InputError(f"no bundled photo is called {name!r}; there are: {', '.join(photo.name for photo in PHOTOS)}")


def _skimage(role: Role, file: str, licence: str) -> BundledPhoto:
    return BundledPhoto(Path(file).stem, role, "scikit-image", f"skimage/data/{file}", licence)


_REMEDY = "run pip install -r requirements.txt, or give image folders instead"
_MIDDLEBURY = (
    "Middlebury 2014 stereo benchmark (N. Nesic, P. Westling, X. Wang, Y. Kitajima, G. Krathwohl, D. Scharstein, GCPR "
    "2014), reduced; no licence stated for the picture"
)
_HOPPER = "JPEG comment: commons.wikimedia.org/wiki/File:Grace_Hopper.jpg; no licence stated for the picture"

# Left out on purpose: retina, hubble_deep_field, ihc and cell (networks trained on them fall below bicubic), moon and
# clock_motion (no detail), page and text (lower than a 64-pixel patch at x4), motorcycle_right (the scene of the left).
PHOTOS = (
    _skimage("train", "camera.png", "CC0, photographer Lav Varshney"),
    _skimage("train", "brick.png", "CC0, from CC0Textures (Bricks25)"),
    _skimage("train", "grass.png", "CC0, from DeviantArt (linolafett, Grass-01)"),
    _skimage("train", "gravel.png", "CC0, from CC0Textures (Gravel04)"),
    _skimage("train", "coins.png", "no known copyright restrictions, Brooklyn Museum Collection"),
    _skimage("train", "rocket.jpg", "public domain, SpaceX"),
    _skimage("train", "motorcycle_left.png", _MIDDLEBURY),
    BundledPhoto(
        "grace_hopper", "validation", "matplotlib", "matplotlib/mpl-data/sample_data/grace_hopper.jpg", _HOPPER
    ),
    _skimage("test", "astronaut.png", "public domain, no known copyright restrictions, NASA"),
    _skimage("test", "chelsea.png", "CC0, photographer Stefan van der Walt"),
    _skimage("test", "coffee.png", "CC0, photographer Rachel Michetti, courtesy of Pikolo Espresso Bar"),
)
