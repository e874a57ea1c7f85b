from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from grla.data import ImagePair, imresize, read_image, read_test_sets, training_images
from grla.errors import InputError


def pairs_of(source: str, upscale: int) -> list[ImagePair]:
    return read_test_sets([source], upscale).pairs


def save(path: Path, height: int = 48, width: int = 40, gray: bool = False, seed: int = 0) -> None:
    shape = (height, width) if gray else (height, width, 3)
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)).save(path)


def test_bundled_pairs() -> None:
    pairs = pairs_of("bundled", 4)
    assert [pair.name for pair in pairs] == ["astronaut", "chelsea", "coffee"]
    for pair in pairs:
        assert pair.test_set == "bundled"
        assert pair.hr.dtype == pair.lr.dtype == np.uint8
        assert pair.hr.shape[:2] == (pair.lr.shape[0] * 4, pair.lr.shape[1] * 4)


def test_a_plain_folder_gets_lr_made(tmp_path: Path) -> None:
    folder = tmp_path / "mine"
    save(folder / "b.png", 50, 43)
    save(folder / "a" / "c.png", gray=True)
    gray, colour = pairs_of(str(folder), 4)
    assert (gray.test_set, gray.name, gray.hr.shape, gray.lr.shape) == ("mine", "a/c", (48, 40), (12, 10))
    assert (colour.name, colour.hr.shape, colour.lr.shape) == ("b", (48, 40, 3), (12, 10, 3))
    assert np.array_equal(colour.hr, read_image(folder / "b.png")[:48, :40])
    assert np.array_equal(colour.lr, imresize(colour.hr, 1 / 4))


@pytest.mark.parametrize("lr_file", ["LR_bicubic/X2/a.png", "LR_bicubic/X2/ax2.png", "LR/X2/ax2.bmp", "LR/a.png"])
def test_ready_made_lr_is_read(tmp_path: Path, lr_file: str) -> None:
    save(tmp_path / "HR" / "a.png")
    save(tmp_path / lr_file, 24, 20, seed=1)
    (pair,) = pairs_of(str(tmp_path), 2)
    assert np.array_equal(pair.lr, read_image(tmp_path / lr_file))


@pytest.mark.parametrize("inside", ["", "image_SRF_2"])
def test_sets_as_they_come_from_their_archives_are_read(tmp_path: Path, inside: str) -> None:
    """Urban100 as its authors offer it, for each factor with results of other methods."""
    for factor in (2, 4):
        file = str(tmp_path / "Urban100" / f"image_SRF_{factor}" / f"img_001_SRF_{factor}_")
        save(Path(f"{file}HR.png"), seed=factor)
        save(Path(f"{file}LR.png"), 48 // factor, 40 // factor, seed=factor + 1)
        save(Path(f"{file}SelfExSR.png"), seed=factor + 2)
    (pair,) = pairs_of(str(tmp_path / "Urban100" / inside), 2)
    folder = tmp_path / "Urban100" / "image_SRF_2"
    assert (pair.test_set, pair.name) == ("Urban100", "img_001_SRF_2_HR")
    assert np.array_equal(pair.hr, read_image(folder / "img_001_SRF_2_HR.png"))
    assert np.array_equal(pair.lr, read_image(folder / "img_001_SRF_2_LR.png"))


def test_lr_of_another_factor_is_not_read(tmp_path: Path) -> None:
    save(tmp_path / "HR" / "a.png")
    save(tmp_path / "LR" / "X2" / "a.png", 24, 20, seed=1)
    (pair,) = pairs_of(str(tmp_path), 4)
    assert np.array_equal(pair.lr, imresize(pair.hr, 1 / 4))


def test_missing_lr_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "HR" / "a.png")
    save(tmp_path / "HR" / "b.png")
    save(tmp_path / "LR" / "X2" / "a.png", 24, 20)
    with pytest.raises(InputError, match=r"b\.png has no LR in .*X2.*b or bx2"):
        pairs_of(str(tmp_path), 2)


@pytest.mark.parametrize(("height", "width", "gray"), [(25, 20, False), (24, 20, True)])
def test_lr_that_does_not_match_is_refused(tmp_path: Path, height: int, width: int, gray: bool) -> None:
    save(tmp_path / "HR" / "a.png")
    save(tmp_path / "LR" / "a.png", height, width, gray)
    with pytest.raises(InputError, match=r"LR .*LR/a\.png .*does not match HR .*HR/a\.png.*20x24 RGB"):
        pairs_of(str(tmp_path), 2)


def test_lr_without_hr_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "a.png")
    save(tmp_path / "LR" / "a.png", 24, 20)
    with pytest.raises(InputError, match="LR/ but no HR/"):
        pairs_of(str(tmp_path), 2)


def test_names_must_differ(tmp_path: Path) -> None:
    save(tmp_path / "a.png")
    save(tmp_path / "a.bmp")
    with pytest.raises(InputError, match="same name 'a'"):
        pairs_of(str(tmp_path), 2)


def test_several_test_sets_keep_their_names_and_count_once(tmp_path: Path) -> None:
    for index, file in enumerate(("a/T/x.png", "b/T/x.png", "b/T/y.png", "c/HR/x.png")):
        save(tmp_path / file, seed=index)
    found = read_test_sets([str(tmp_path / name) for name in ("a/T", "b/T", "c/HR")], 2)
    assert [(pair.test_set, pair.name) for pair in found.pairs] == [
        ("a/T", "x"),
        ("b/T", "x"),
        ("b/T", "y"),
        ("c", "x"),
    ]
    assert found.said[1] == f"b/T: 2 HR images in {tmp_path}/b/T, LR made by bicubic reduction"


def test_a_test_set_within_another_is_refused(tmp_path: Path) -> None:
    save(tmp_path / "all" / "a.png", seed=1)
    save(tmp_path / "all" / "b.png", seed=2)
    save(tmp_path / "part" / "other.bmp", seed=2)
    with pytest.raises(InputError, match="all holds all images of part, which would count twice"):
        read_test_sets([str(tmp_path / "all"), str(tmp_path / "part")], 2)


@pytest.mark.parametrize(("side", "upscale", "fits"), [(20, 4, True), (19, 4, False), (16, 2, True), (15, 2, False)])
def test_images_too_small_to_score_are_refused(tmp_path: Path, side: int, upscale: int, fits: bool) -> None:
    save(tmp_path / "a.png", side, 60)
    if fits:
        assert len(pairs_of(str(tmp_path), upscale)) == 1
    else:
        with pytest.raises(InputError, match=r"image a of .* at least \d+ a side"):
            pairs_of(str(tmp_path), upscale)


def test_benchmark_layouts(benchmark_data: Path) -> None:
    benchmark = benchmark_data / "benchmark"
    set5 = pairs_of(str(benchmark / "Set5"), 3)
    assert [pair.name for pair in set5] == ["baby", "bird", "butterfly", "head", "woman"]
    assert np.array_equal(set5[0].lr, read_image(benchmark / "Set5" / "LR_bicubic" / "X3" / "babyx3.png"))
    set14 = {pair.name: pair for pair in pairs_of(str(benchmark / "Set14"), 4)}
    assert len(set14) == 14
    assert set14["bridge"].test_set == "Set14"
    assert set14["bridge"].hr.ndim == set14["bridge"].lr.ndim == 2
    # Set14's ready-made LR images have replicated borders; they lie in a folder that is not looked at.
    assert all(np.array_equal(pair.lr, imresize(pair.hr, 1 / 4)) for pair in set14.values())


@pytest.mark.parametrize(("count", "held_out"), [(2, 1), (29, 1), (50, 2), (91, 5), (800, 10)])
def test_a_folder_is_split(tmp_path: Path, count: int, held_out: int) -> None:
    for i in range(count):
        (tmp_path / f"{i:04}.png").touch()  # never opened: training images are decoded when asked
    train, validation = training_images(str(tmp_path))
    assert len(validation) == held_out
    assert len(train) + len(validation) == count
    assert sorted(image.name for image in train + validation) == [f"{i:04}" for i in range(count)]
    assert training_images(str(tmp_path)) == (train, validation)


def test_several_folders_train_together(tmp_path: Path) -> None:
    for path in (*(f"one/{i:02}.png" for i in range(0, 30, 2)), *(f"two/{i:02}.png" for i in range(15))):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    one, two = str(tmp_path / "one"), str(tmp_path / "two")
    assert training_images([one]) == training_images(one)
    train, validation = training_images([one, two])
    # 30 images in order of name, 00 of each folder first; round(30 / 20) = 2 are held out, the 8th and the 23rd.
    assert [image.path for image in validation] == [tmp_path / "two" / "04.png", tmp_path / "two" / "14.png"]
    assert [(image.name, image.path.parent.name) for image in train[:4]] == [
        ("00", "one"),
        ("00", "two"),
        ("01", "two"),
        ("02", "one"),
    ]
    with_photos = training_images([one, "bundled"])
    assert [len(part) for part in with_photos] == [7 + 14, 1 + 1]


def test_a_file_is_trained_on_once(tmp_path: Path) -> None:
    for name in ("a", "b"):
        save(tmp_path / "all" / "part" / f"{name}.png")
    (tmp_path / "linked").symlink_to(tmp_path / "all" / "part")
    for again in ("all", "all/part", "linked"):
        with pytest.raises(InputError, match=r"a\.png is in .*/all as well; give each folder once"):
            training_images([str(tmp_path / "all"), str(tmp_path / again)])


def test_one_image_is_too_few_to_train(tmp_path: Path) -> None:
    save(tmp_path / "a.png")
    with pytest.raises(InputError, match="at least 2"):
        training_images(str(tmp_path))


def test_training_takes_hr_only_and_repeats_gray(tmp_path: Path) -> None:
    save(tmp_path / "HR" / "a.png", gray=True)
    save(tmp_path / "HR" / "b.png")
    save(tmp_path / "LR_bicubic" / "X2" / "ax2.png", 24, 20)
    train, validation = training_images(str(tmp_path))
    assert {image.name for image in train + validation} == {"a", "b"}
    loaded = {image.name: image.load() for image in train + validation}
    gray = read_image(tmp_path / "HR" / "a.png")
    assert all(np.array_equal(loaded["a"][:, :, channel], gray) for channel in range(3))
    assert loaded["b"].shape == (48, 40, 3)


def test_bundled_split_shares_nothing_with_the_test_photos() -> None:
    train, validation = training_images("bundled")
    names = {image.name for image in train} | {image.name for image in validation}
    assert len(names) == len(train) + len(validation)
    assert not names & {pair.name for pair in pairs_of("bundled", 4)}
    assert all(image.load().shape[2] == 3 for image in train)
