"""Checkpoints that were damaged, cut short, planted, or did not fit on the disk."""

from __future__ import annotations

import os
import pickle
import resource
import signal
import warnings
import zipfile
from argparse import Namespace
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from grla.errors import InputError
from grla.training.checkpoint import load_checkpoint, previous_checkpoint, resume_checkpoint, save_checkpoint
from tests.training.processes import start


def state(step: int = 3) -> dict[str, object]:
    weights = torch.arange(50.0) + step
    return {"step": step, "model": {"weight": weights}, "history": [{"step": 1, "loss": 0.25}]}


def equal(one: dict, other: dict) -> bool:
    plain = all(one[name] == other[name] for name in ("step", "history"))
    return plain and torch.equal(one["model"]["weight"], other["model"]["weight"])


def test_a_flipped_bit_anywhere_is_detected_or_changes_nothing(tmp_path: Path) -> None:
    """A bit in every third byte. PyTorch alone reads about a fifth of such files as other numbers without warning."""
    path = tmp_path / "c.pt"
    save_checkpoint(path, state())
    good, detected = path.read_bytes(), 0
    for place in range(0, len(good), 3):
        flipped = bytearray(good)
        flipped[place] ^= 1 << place % 8
        path.write_bytes(flipped)
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # PyTorch's, on what it finds in place of a pickle
                assert equal(load_checkpoint(path), state()), f"byte {place} was changed without an error"
        except InputError:
            detected += 1
    assert detected > 50 * 4 / 3  # the weights at least


@pytest.mark.parametrize("share", [0.0, 0.3, 0.99])
def test_a_truncated_checkpoint_gives_way_to_the_previous_one(tmp_path: Path, share: float) -> None:
    path = tmp_path / "c.partial"
    for step in (3, 6):
        save_checkpoint(path, state(step), previous_checkpoint(path))
    assert resume_checkpoint(path, previous_checkpoint(path))["step"] == 6
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    with pytest.warns(UserWarning, match=r"not a readable checkpoint.*goes on from an earlier one"):
        assert equal(resume_checkpoint(path, previous_checkpoint(path)), state(3))


def test_the_checkpoint_with_the_most_steps_is_taken_wherever_it_lies(tmp_path: Path) -> None:
    paths = [tmp_path / name for name in "abc"]
    for path, step in zip(paths[:2], (9, 4), strict=True):
        save_checkpoint(path, state(step))
    assert resume_checkpoint(*reversed(paths))["step"] == 9


def test_a_damaged_checkpoint_means_a_fresh_start_with_a_warning(tmp_path: Path) -> None:
    path = tmp_path / "c.pt"
    assert resume_checkpoint(path) is None
    path.write_bytes(b"half a checkpoint")
    with pytest.warns(UserWarning, match=r"not a readable checkpoint.*starts over"):
        assert resume_checkpoint(path) is None


def test_a_safetensors_file_is_read(tmp_path: Path) -> None:
    save_file({"weight": torch.arange(3.0)}, tmp_path / "w.safetensors")
    assert torch.equal(load_checkpoint(tmp_path / "w.safetensors")["weight"], torch.arange(3.0))
    (tmp_path / "bad.safetensors").write_bytes(b"none")
    with pytest.raises(InputError, match=r"bad\.safetensors is not a readable checkpoint \(SafetensorError: "):
        load_checkpoint(tmp_path / "bad.safetensors")
    with pytest.raises(InputError, match="does not exist"):
        load_checkpoint(tmp_path / "none.safetensors")


@pytest.mark.parametrize("content", [Path("x"), Namespace(lr=1)])
def test_objects_beside_weights_are_named_and_nobody_is_told_to_trust_them(tmp_path: Path, content: object) -> None:
    torch.save({"state_dict": {"weight": torch.ones(1)}, "options": content}, tmp_path / "w.pt")
    with pytest.raises(InputError, match=r"it holds (pathlib|argparse)\.\w+, an object of Python code") as caught:
        load_checkpoint(tmp_path / "w.pt")
    assert "weights_only" not in str(caught.value)


def test_a_checkpoint_with_code_in_it_is_refused_and_the_code_does_not_run(tmp_path: Path) -> None:
    class Planted:
        def __reduce__(self) -> tuple[object, ...]:
            return os.mkdir, (str(tmp_path / "ran"),)

    path = tmp_path / "c.pt"
    torch.save({"step": 1, "model": Planted()}, path)
    with pytest.raises(InputError, match="is not a readable checkpoint"):
        load_checkpoint(path)
    (tmp_path / "plain.pkl").write_bytes(pickle.dumps(Planted()))
    with pytest.raises(InputError, match="is not a readable checkpoint"):
        load_checkpoint(tmp_path / "plain.pkl")
    assert not (tmp_path / "ran").exists()


def test_every_part_of_a_checkpoint_has_its_checksum(tmp_path: Path) -> None:
    """What the detection rests on: PyTorch computes the CRC-32 of each part unless it is told not to."""
    path = tmp_path / "c.pt"
    save_checkpoint(path, state())
    with zipfile.ZipFile(path) as archive:
        assert all(part.CRC for part in archive.infolist() if part.file_size)


def save_ever_more(path: Path, told: Connection) -> None:
    """Save three checkpoints where no file can have more than 100,000 bytes, and send the error of the third."""
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
    for step, size in ((3, 10), (6, 20)):
        save_checkpoint(path, {"step": step, "model": torch.zeros(size)}, previous_checkpoint(path))
    try:
        save_checkpoint(path, {"step": 9, "model": torch.zeros(1_000_000)}, previous_checkpoint(path))
    except InputError as error:
        told.send(str(error))


def test_a_full_disk_is_a_clear_error_and_both_earlier_checkpoints_stay(tmp_path: Path) -> None:
    """A limit on file sizes stands in for a full disk: writes past it fail in the same place."""
    path = tmp_path / "c.partial"
    process, told = start(save_ever_more, path)
    assert told.recv().startswith(f"cannot write {path}: ")
    process.join()
    assert resume_checkpoint(path)["step"] == 6
    assert resume_checkpoint(previous_checkpoint(path))["step"] == 3
    assert sorted(os.listdir(tmp_path)) == ["c.partial", "c.partial.previous"]
