from __future__ import annotations

from importlib.metadata import distribution

import pytest

from grla.data import bundled_photos, photo_path, read_image
from grla.data.bundled import PHOTOS, BundledPhoto
from grla.errors import InputError


@pytest.mark.parametrize("photo", PHOTOS, ids=lambda photo: photo.name)
def test_ships_inside_its_package(photo: BundledPhoto) -> None:
    shipped = {str(file) for file in distribution(photo.package).files or ()}
    assert photo.file in shipped
    assert photo.path == photo_path(photo.name)
    assert photo.licence


def test_roles_are_disjoint_and_complete() -> None:
    names = [photo.name for photo in PHOTOS]
    assert len(set(names)) == len({photo.path for photo in PHOTOS}) == len(names)
    assert [photo.name for photo in bundled_photos("test")] == ["astronaut", "chelsea", "coffee"]
    assert [photo.name for photo in bundled_photos("validation")] == ["grace_hopper"]
    assert len(bundled_photos("train")) == 7


def test_training_photos_hold_the_papers_patch_at_x4() -> None:
    assert all(min(read_image(photo.path).shape[:2]) >= 4 * 64 for photo in bundled_photos("train"))


def test_an_unknown_name_lists_the_known_ones() -> None:
    with pytest.raises(InputError, match=r"'lena'.*camera.*coffee"):
        photo_path("lena")


def test_a_missing_file_names_package_and_version() -> None:
    photo = BundledPhoto("lost", "train", "scikit-image", "skimage/data/lost.png", "none")
    with pytest.raises(InputError, match=rf"lost.*scikit-image {distribution('scikit-image').version}.*lost\.png.*pip"):
        _ = photo.path


def test_a_missing_package_is_named() -> None:
    with pytest.raises(InputError, match=r"lost needs no-such-package.*pip"):
        _ = BundledPhoto("lost", "train", "no-such-package", "lost.png", "none").path
