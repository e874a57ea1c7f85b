"""The folders of cells, and a bucket, played by moto, that brings their files to other machines."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from grla.engine import CellFolder, CellStore, open_cells
from grla.errors import InputError
from grla.study import Record
from grla.training import resume_checkpoint, save_checkpoint

BUCKET = "s3://studies/some/prefix"


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for name, value in {"ACCESS_KEY_ID": "x", "SECRET_ACCESS_KEY": "x", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket="studies")
        yield BUCKET
        keys = [found["Key"] for found in boto3.client("s3").list_objects_v2(Bucket="studies")["Contents"]]
        assert all(key.startswith("some/prefix/") for key in keys)


@pytest.fixture(params=["folder", "bucket"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    return request.getfixturevalue("bucket") if request.param == "bucket" else str(tmp_path / "shared")


def machine(tmp_path: Path, name: str, place: str) -> tuple[CellStore, CellFolder]:
    store = open_cells(tmp_path / name, place)
    return store, store.folder("abc")


def train(store: CellStore, folder: CellFolder, *steps: int) -> None:
    for step in steps:
        save_checkpoint(folder.partial, {"step": step})
        store.checkpointed(folder)


def resumed_step(store: CellStore, folder: CellFolder) -> int | None:
    store.fetch(folder)
    state = resume_checkpoint(*folder.checkpoints)
    return None if state is None else state["step"]


def test_another_machine_goes_on_from_the_latest_checkpoint(place: str, tmp_path: Path) -> None:
    one, other = machine(tmp_path, "one", place), machine(tmp_path, "other", place)
    assert resumed_step(*other) is None
    train(*one, 3, 6, 9)
    assert resumed_step(*other) == 9
    train(*other, 12)
    assert resumed_step(*one) == 12


def test_an_older_checkpoint_from_a_bucket_does_not_replace_a_newer_one(bucket: str, tmp_path: Path) -> None:
    one, other = machine(tmp_path, "one", bucket), machine(tmp_path, "other", bucket)
    train(*one, 3)
    save_checkpoint(other[1].partial, {"step": 8})
    assert resumed_step(*other) == 8


def test_a_checkpoint_cut_short_on_its_way_leaves_the_one_before(bucket: str, tmp_path: Path) -> None:
    (store, folder), other = machine(tmp_path, "one", bucket), machine(tmp_path, "other", bucket)
    train(store, folder, 3)

    class Broken(io.BytesIO):
        def read(self, *_: object) -> bytes:
            raise ConnectionError("cut")

    with pytest.raises(InputError, match=r"artifacts cannot be read or written \(ConnectionError"):
        store.bucket._try(store.bucket.store.write, "some/prefix/abc/weights.partial", Broken())
    assert resumed_step(*other) == 3


def test_results_come_to_who_draws_the_figures_and_checkpoints_go(place: str, tmp_path: Path) -> None:
    (store, folder), (theirs, there) = machine(tmp_path, "one", place), machine(tmp_path, "other", place)
    train(store, folder, 3)
    save_checkpoint(folder.weights, {"step": 6})
    (folder.path / "set-a.png").write_bytes(b"picture")
    store.finished(folder)
    assert folder.partial.exists()
    store.accepted(folder, Record("abc", psnr_y=30.0))
    theirs.fetch_pictures(there, ["set-a.png", "set-b.png"])
    assert (there.path / "set-a.png").read_bytes() == b"picture"
    assert not (there.path / "set-b.png").exists()
    assert resumed_step(theirs, there) == 6
    assert not there.partial.exists()
    assert not there.fetched.exists()


def test_the_record_goes_where_the_weights_go_and_checkpoints_stay_unless_it_is_ok(bucket: str, tmp_path: Path) -> None:
    (store, folder), (theirs, there) = machine(tmp_path, "one", bucket), machine(tmp_path, "other", bucket)
    train(store, folder, 3)
    store.accepted(folder, Record("abc", "error"))
    assert resumed_step(theirs, there) == 3
    store.accepted(folder, Record("abc", psnr_y=30.0))
    theirs.bucket.get("abc/record.json", there.record)
    assert json.loads(there.record.read_text())["psnr_y"] == 30.0
    there.drop_partial()
    assert resumed_step(theirs, there) is None


def test_a_study_links_to_its_cells_by_readable_names(tmp_path: Path) -> None:
    store = open_cells(tmp_path / "out", None)
    store.folder("abc").path.mkdir(parents=True)
    (store.folder("abc").path / "weights.pt").write_bytes(b"w")
    for _ in range(2):  # again, as every run does
        store.link(tmp_path / "out" / "attention" / "quick", {"abc": "base_seed0_abc"})
    assert (tmp_path / "out" / "attention" / "quick" / "cells" / "base_seed0_abc" / "weights.pt").read_bytes() == b"w"


def test_a_place_that_cannot_be_used_is_named_before_anything_runs(
    bucket: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"artifacts cannot be written to .*file/x"):
        open_cells(tmp_path, str(tmp_path / "file" / "x"))
    open_cells(tmp_path, bucket)
    with pytest.raises(InputError, match=r"artifacts cannot be read or written .*NoSuchBucket"):
        open_cells(tmp_path, "s3://no-such-bucket")
    monkeypatch.setattr("grla.engine.cells.Boto3ArtifactStore", _without_boto3)
    with pytest.raises(InputError, match="needs boto3; pip install boto3"):
        open_cells(tmp_path, bucket)


def _without_boto3(bucket: str) -> None:
    raise ImportError(f"no boto3 for {bucket} in Python {sys.version}")


def test_files_of_finished_cells_elsewhere_are_not_lost_sight_of(tmp_path: Path) -> None:
    study, names = tmp_path / "study", {"abc": "base", "def": "softmax"}
    here, there = open_cells(tmp_path / "out", None), open_cells(tmp_path / "out", str(tmp_path / "shared"))
    here.link(study, names)
    there.require_same_place(study, names, ["abc"])  # it left no files
    here.folder("abc").path.mkdir(parents=True)
    with pytest.raises(InputError, match=r"artifacts must be where .*/out, got .*/shared; choose that folder, or move"):
        there.require_same_place(study, names, ["abc"])
    there.require_same_place(study, names, [])
    here.require_same_place(study, names, ["abc"])
    there.folder("abc").path.mkdir()  # moved, or copied
    there.require_same_place(study, names, ["abc"])


def test_a_link_that_is_right_is_left_alone_and_another_is_replaced(tmp_path: Path) -> None:
    here, there = open_cells(tmp_path / "out", None), open_cells(tmp_path / "out", str(tmp_path / "shared"))
    link = tmp_path / "study" / "cells" / "base"
    here.link(tmp_path / "study", {"abc": "base"})
    before = link.lstat().st_ino
    here.link(tmp_path / "study", {"abc": "base"})
    assert link.lstat().st_ino == before
    there.link(tmp_path / "study", {"abc": "base"})
    assert link.resolve() == there.folder("abc").path.resolve()
    assert [path.name for path in link.parent.iterdir()] == ["base"]
