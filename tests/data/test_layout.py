"""Layouts that people have; files are empty here, as only their names count."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from grla.data import images
from grla.data.layout import read_layout, set_names
from grla.errors import InputError


def filled(folder: Path, files: str) -> Path:
    for file in files.split():
        path = folder / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return folder


SRF = "image_SRF_4/img_001_SRF_4_HR.png image_SRF_4/img_001_SRF_4_LR.png image_SRF_4/img_001_SRF_4_bicubic.png"
SRF_2 = "image_SRF_2/img_001_SRF_2_HR.png image_SRF_2/img_001_SRF_2_LR.png"
DIV2K = "DIV2K_train_HR/0001.png DIV2K_train_LR_bicubic/X2/0001x2.png DIV2K_train_LR_bicubic/X4/0001x4.png"


@pytest.mark.parametrize(
    ("files", "hr", "lr"),
    [
        ("GTmod12/a.png LRbicx4/a.png", "GTmod12/a.png", "LRbicx4/a.png"),
        ("GTmod12/a.png LRbicx2/a.png LRbicx4/a.png", "GTmod12/a.png", "LRbicx4/a.png"),
        ("HR/a.png LR_bicubic/x4/ax4.png", "HR/a.png", "LR_bicubic/x4/ax4.png"),
        ("HR/a.png LR/x4/a.png LR/x2/a.png", "HR/a.png", "LR/x4/a.png"),
        ("HR/a.png LR_bicubic/a.png", "HR/a.png", "LR_bicubic/a.png"),
        ("hr/a.png lr/a.png", "hr/a.png", "lr/a.png"),
        ("HR/a.png LR_unknown/X4/ax4.png", "HR/a.png", "LR_unknown/X4/ax4.png"),
        ("trainHR/a.png trainLR/a.png", "trainHR/a.png", "trainLR/a.png"),
        ("HR/b/a.png LR/b/a.png", "HR/b/a.png", "LR/b/a.png"),
        (DIV2K, "DIV2K_train_HR/0001.png", "DIV2K_train_LR_bicubic/X4/0001x4.png"),
        (f"{SRF} {SRF_2}", "image_SRF_4/img_001_SRF_4_HR.png", "image_SRF_4/img_001_SRF_4_LR.png"),
        ("HR/x2/a_HR_x2.png HR/x4/a_HR_x4.png LR/x4/a_LRBI_x4.png", "HR/x4/a_HR_x4.png", "LR/x4/a_LRBI_x4.png"),
        ("a_HR.png a_LR.png", "a_HR.png", "a_LR.png"),
        ("a_GT.png a_lr_x4.png", "a_GT.png", "a_lr_x4.png"),
        ("a.png ax2.png ax4.png", "a.png", "ax4.png"),
        ("HR/ax4.png LR/X4/ax4x4.png", "HR/ax4.png", "LR/X4/ax4x4.png"),
        ("HR/a.png LR_bicubic/X2/ax2.png", "HR/a.png", None),
        ("HR/a.png LR_bicubic_replicate/X4/ax4.png", "HR/a.png", None),
        ("a_HR.png a_bicubic.png", "a_HR.png", None),
        ("holiday_lr.jpg", "holiday_lr.jpg", None),
    ],
)
def test_layouts_of_the_field(tmp_path: Path, files: str, hr: str, lr: str | None) -> None:
    layout = read_layout(filled(tmp_path, files), 4)
    assert list(layout.hr.values()) == [tmp_path / hr]
    assert (layout.lr and list(layout.lr.values())) == (lr and [tmp_path / lr])
    assert list(layout.hr) == list(layout.lr or layout.hr) == [(tmp_path / hr).relative_to(layout.root).as_posix()[:-4]]


@pytest.mark.parametrize(
    ("files", "match"),
    [
        ("HR/a.png a.png", "holds images of its own beside HR/, which would not be read"),
        ("HR/a.png more/b.png", "holds more beside HR/, which would not be read; move them away, or give HR alone"),
        (f"{DIV2K} DIV2K_valid_HR/0801.png", "several folders of HR images, DIV2K_train_HR, DIV2K_valid_HR; give one"),
        ("LRbicx4/a.png b.png", "holds LRbicx4/ but no HR/"),
        ("HR/a.png LR_bicubic/X4/a.png LR_unknown/X4/a.png", r"LR_bicubic/X4, .*LR_unknown/X4; move all but one away"),
        (
            "Set5/HR/a.png Set5/LR_bicubic/X4/ax4.png",
            r"holds LR images, as .*ax4\.png; give each folder that holds HR/",
        ),
        (SRF_2, "holds images by factor, in image_SRF_2; one for x4 and nothing else can be read"),
        (f"{SRF} b.png", r"by factor, in image_SRF_4 and itself; one for x4 and nothing else can be read"),
        ("a_HR.png a_LR.png b.png", r"holds b\.png, named as no result of one, beside a_HR\.png, named as HR; rename"),
        ("a_HR.png a_LR.png b_HR.png", r"b_HR\.png has no LR in"),
    ],
)
def test_what_could_be_taken_for_something_else_is_refused(tmp_path: Path, files: str, match: str) -> None:
    with pytest.raises(InputError, match=match):
        read_layout(filled(tmp_path, files), 4)


def test_training_passes_over_lr(tmp_path: Path) -> None:
    folder = filled(tmp_path / "DIV2K", DIV2K + " " + DIV2K.replace("0001", "0002"))
    train, validation = images.training_images(str(folder))
    assert sorted(image.name for image in train + validation) == ["0001", "0002"]
    with pytest.raises(InputError, match="by factor, in image_SRF_2, image_SRF_4; give one of them"):
        images.training_images(str(filled(tmp_path / "Urban100", f"{SRF} {SRF_2}")))
    filled(tmp_path / "Urban100" / "image_SRF_4", "img_002_SRF_4_HR.png img_002_SRF_4_LR.png")
    train, validation = images.training_images(str(tmp_path / "Urban100" / "image_SRF_4"))
    assert sorted(image.name for image in train + validation) == ["img_001_SRF_4_HR", "img_002_SRF_4_HR"]


def test_what_was_found_is_said(tmp_path: Path) -> None:
    filled(tmp_path, f"{SRF} image_SRF_4/img_001_SRF_4_SRCNN.png set/HR/a.png set/HR/b.png set/LR/X2/a.png")
    found = read_layout(tmp_path / "image_SRF_4", 4).found
    assert found.startswith(f"1 HR images in {tmp_path}/image_SRF_4, 2 others passed over, LR from {tmp_path}/image_")
    words = f"2 HR images in {tmp_path}/set/HR, LR made by bicubic reduction (LR: none for x4 that is read)"
    assert read_layout(tmp_path / "set", 4).found == words


def test_a_benchmark_under_other_names_is_the_same(benchmark_data: Path, tmp_path: Path) -> None:
    """HR and LR as links, in the layout of other projects; mistaken for 10 HR images, bicubic gives 25.7 dB."""
    set5 = benchmark_data / "benchmark" / "Set5"
    (tmp_path / "GTmod12").symlink_to(set5 / "HR")
    (tmp_path / "LRbicx4").symlink_to(set5 / "LR_bicubic" / "X4")
    found, expected = (images.read_test_sets([str(folder)], 4).pairs for folder in (tmp_path, set5))
    assert [pair.name for pair in found] == [pair.name for pair in expected]
    for one, other in zip(found, expected, strict=True):
        assert np.array_equal(one.hr, other.hr)
        assert np.array_equal(one.lr, other.lr)


@pytest.mark.parametrize(
    ("sources", "names"),
    [
        (["data/Set5", "/elsewhere/Set14/"], ["Set5", "Set14"]),
        (["data/Set5/HR", "data/Set14/HR"], ["Set5", "Set14"]),
        (["a/T", "b/T", "c/U"], ["a/T", "b/T", "U"]),
        (["x/a/T", "y/a/T/GTmod12"], ["x/a/T", "y/a/T"]),
        (["bundled", "x/bundled"], ["bundled", "x/bundled"]),
        (["Urban100/image_SRF_4", "x4"], ["Urban100", Path.cwd().name]),
    ],
)
def test_test_sets_are_named_by_what_tells_them_apart(sources: list[str], names: list[str]) -> None:
    assert set_names(sources) == names


@pytest.mark.parametrize("sources", [["Set5", "Set5"], ["Set5", "./Set5/"], ["Set5", "Set5/HR"]])
def test_a_test_set_is_given_once(sources: list[str]) -> None:
    with pytest.raises(InputError, match="test set Set5 is given twice"):
        set_names(sources)
