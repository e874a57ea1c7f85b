"""Checkpoints and pictures in a place that other machines see: a folder, and a bucket that moto plays."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from grla.engine.record import CellFolders
from grla.engine.shared import SharedFiles, open_shared
from grla.errors import InputError
from grla.training.checkpoint import resume_checkpoint, save_checkpoint


@pytest.fixture(params=["folder", "s3"])
def shared(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SharedFiles]:
    if request.param == "folder":
        yield open_shared(str(tmp_path / "shared"))
        return
    for name, value in {"ACCESS_KEY_ID": "x", "SECRET_ACCESS_KEY": "x", "DEFAULT_REGION": "us-east-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    with mock_aws():
        boto3.client("s3").create_bucket(Bucket="studies")
        yield open_shared("s3://studies/some/prefix")
        keys = [found["Key"] for found in boto3.client("s3").list_objects_v2(Bucket="studies")["Contents"]]
        assert all(key.startswith("some/prefix/") for key in keys)


def machine(tmp_path: Path, name: str) -> CellFolders:
    folder = tmp_path / name
    return CellFolders(folder / "checkpoints" / "abc.pt", folder / "tensorboard", folder / "images" / "abc")


def train(folders: CellFolders, shared: SharedFiles, *steps: int) -> None:
    for step in steps:
        save_checkpoint(folders.partial, {"step": step})
        shared.put_checkpoint(folders)


def resumed_step(folders: CellFolders, shared: SharedFiles) -> int | None:
    shared.fetch_checkpoints(folders)
    state = resume_checkpoint(*folders.resumable)
    return None if state is None else state["step"]


def test_another_machine_goes_on_from_the_latest_checkpoint(shared: SharedFiles, tmp_path: Path) -> None:
    one, other = machine(tmp_path, "one"), machine(tmp_path, "other")
    assert resumed_step(other, shared) is None
    train(one, shared, 3, 6, 9)
    assert resumed_step(other, shared) == 9
    train(other, shared, 12)
    assert resumed_step(one, shared) == 12


def test_a_checkpoint_cut_short_on_its_way_leaves_the_one_before(shared: SharedFiles, tmp_path: Path) -> None:
    one, other = machine(tmp_path, "one"), machine(tmp_path, "other")
    train(one, shared, 3)
    one.partial.write_bytes(one.partial.read_bytes()[:100])
    shared.put_checkpoint(one)
    with pytest.warns(UserWarning, match="goes on from an earlier one"):
        assert resumed_step(other, shared) == 3


def test_results_come_to_who_draws_the_figures_and_checkpoints_go(shared: SharedFiles, tmp_path: Path) -> None:
    one, other = machine(tmp_path, "one"), machine(tmp_path, "other")
    train(one, shared, 3)
    save_checkpoint(one.checkpoint, {"step": 6})
    one.images.mkdir(parents=True)
    (one.images / "set-a.png").write_bytes(b"picture")
    shared.put_results(one)
    shared.fetch_pictures(other, ["set-a.png", "set-b.png"])
    assert (other.images / "set-a.png").read_bytes() == b"picture"
    assert not (other.images / "set-b.png").exists()
    assert resumed_step(other, shared) == 6
    assert not any(path.exists() for path in other.shared)


def test_a_place_that_cannot_be_used_is_named_before_anything_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot write to --artifacts .*file/x"):
        open_shared(str(tmp_path / "file" / "x"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "x")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "x")
    with mock_aws(), pytest.raises(InputError, match=r"--artifacts cannot be read or written .*NoSuchBucket"):
        open_shared("s3://no-such-bucket")
    monkeypatch.setattr("grla.engine.shared.Boto3ArtifactStore", _without_boto3)
    with pytest.raises(InputError, match="needs boto3; pip install boto3"):
        open_shared("s3://studies")
    assert open_shared(None) is None


def _without_boto3(bucket: str) -> None:
    raise ImportError(f"no boto3 for {bucket} in Python {sys.version}")
