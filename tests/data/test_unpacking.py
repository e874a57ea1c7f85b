"""Archives from strangers: damaged ones, ones that would write elsewhere, ones that unpack to a full disk."""

from __future__ import annotations

import io
import struct
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from grla.data.public.unpacking import unpacked
from grla.errors import InputError

FILES = {"set/HR/a.png": b"a" * 5000, "set/HR/b.png": b"bb", "set/LR/c.png": b"", "other/d.png": b"d", "readme": b"r"}
Write = Callable[[Path, dict[str, bytes]], None]


def write_zip(path: Path, files: dict[str, bytes]) -> None:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.mkdir("set")
        for name, content in files.items():
            archive.writestr(name, content)


def write_tar(path: Path, files: dict[str, bytes]) -> None:
    with tarfile.open(path, "w:gz" if path.suffix == ".tgz" else "w") as archive:
        folder = tarfile.TarInfo("set")
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))


def unpack(archive: Path, most_bytes: int = 10_000, most_members: int = 100) -> Path:
    target = archive.parent / "Set"
    with unpacked(archive, "set", target, most_bytes, most_members) as folder:
        assert folder.parent == target.parent  # the same disk, so that renaming is one step
        assert not target.exists()
    return target


def refused(archive: Path, match: str, most_bytes: int = 10_000, most_members: int = 100) -> None:
    """An error, and nothing written anywhere."""
    around = sorted(archive.parent.parent.rglob("*"))
    with pytest.raises(InputError, match=match):
        unpack(archive, most_bytes, most_members)
    assert sorted(archive.parent.parent.rglob("*")) == around


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "inside").mkdir()
    return tmp_path / "inside"


WAYS = pytest.mark.parametrize(("name", "write"), [("a.zip", write_zip), ("a.tar", write_tar), ("a.tgz", write_tar)])


@WAYS
def test_the_folder_asked_for_is_unpacked_and_nothing_else(folder: Path, name: str, write: Write) -> None:
    write(folder / name, FILES)
    target = unpack(folder / name)
    found = {path.relative_to(target).as_posix(): path.read_bytes() for path in target.rglob("*") if path.is_file()}
    assert found == {"HR/a.png": b"a" * 5000, "HR/b.png": b"bb", "LR/c.png": b""}
    assert sorted(path.name for path in folder.iterdir()) == ["Set", name]


@WAYS
@pytest.mark.parametrize("path", ["../evil", "set/../../evil", "/tmp/evil", "set/..\\..\\evil", "C:\\evil", "\\evil"])
def test_paths_that_lead_out_are_refused(folder: Path, name: str, write: Write, path: str) -> None:
    write(folder / name, {**FILES, path: b"evil"})
    refused(folder / name, r"a path outside its folder: not unpacked; remove it")


@pytest.mark.parametrize(
    ("kind", "link"),
    [
        (tarfile.SYMTYPE, "/etc/passwd"),
        (tarfile.SYMTYPE, "../../.."),
        (tarfile.LNKTYPE, "../../../etc/passwd"),
        (tarfile.CHRTYPE, ""),
        (tarfile.BLKTYPE, ""),
        (tarfile.FIFOTYPE, ""),
    ],
)
def test_links_and_devices_in_a_tar_are_refused(folder: Path, kind: bytes, link: str) -> None:
    with tarfile.open(folder / "a.tar", "w") as archive:
        info = tarfile.TarInfo("set/HR/x.png")
        info.type, info.linkname = kind, link
        archive.addfile(info)
    refused(folder / "a.tar", "holds 'set/HR/x.png'.*not unpacked")


def test_writing_through_a_link_within_the_folder_is_impossible(folder: Path) -> None:
    with tarfile.open(folder / "a.tar", "w") as archive:
        link = tarfile.TarInfo("set/HR")
        link.type, link.linkname = tarfile.SYMTYPE, "LR"
        archive.addfile(link)
        info = tarfile.TarInfo("set/HR/x.png")
        info.size = 1
        archive.addfile(info, io.BytesIO(b"x"))
    target = unpack(folder / "a.tar")
    assert not (target / "HR").is_symlink()  # links are never made
    assert (target / "HR" / "x.png").read_bytes() == b"x"


def test_a_link_in_a_zip_is_refused(folder: Path) -> None:
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        info = zipfile.ZipInfo("set/x.png")
        info.external_attr = 0o120777 << 16
        archive.writestr(info, "/etc/passwd")
    refused(folder / "a.zip", "holds 'set/x.png', which is not a file")


@WAYS
def test_a_bomb_is_stopped(folder: Path, name: str, write: Write) -> None:
    write(folder / name, {"set/a.png": bytes(5_000_000)})
    refused(folder / name, "unpacks to more than the 4000000 bytes", most_bytes=4_000_000)
    write(folder / name, {"other/a.png": bytes(5_000_000), "set/b.png": b"b"})  # not even passed over
    refused(folder / name, "unpacks to more than", most_bytes=4_000_000)


def test_a_bomb_of_many_files_is_stopped(folder: Path) -> None:
    write_zip(folder / "a.zip", FILES)
    refused(folder / "a.zip", "and 3 files that are accepted", most_members=3)


def test_a_zip_that_lies_about_its_sizes(folder: Path) -> None:
    write_zip(folder / "a.zip", {"set/a.png": bytes(5_000_000)})
    content = (folder / "a.zip").read_bytes()
    assert content.count(struct.pack("<I", 5_000_000)) == 2
    (folder / "a.zip").write_bytes(content.replace(struct.pack("<I", 5_000_000), struct.pack("<I", 100)))
    refused(folder / "a.zip", "is damaged .*remove it and fetch it again")


@WAYS
def test_damage_is_said(folder: Path, name: str, write: Write) -> None:
    path = folder / name
    write(path, FILES)
    content = path.read_bytes()
    for damaged in (b"", b"<html>not found</html>", content[: min(len(content) // 2, 3000)]):
        path.write_bytes(damaged)
        refused(path, "is damaged")


def test_a_flipped_byte_in_a_zip_and_in_a_tgz_is_seen(folder: Path) -> None:
    for name, write in (("a.zip", write_zip), ("a.tgz", write_tar)):
        write(folder / name, {"set/a.png": bytes(range(256)) * 30})
        content = bytearray((folder / name).read_bytes())
        content[len(content) // 3] ^= 0xFF
        (folder / name).write_bytes(content)
        refused(folder / name, "is damaged")


def test_an_encrypted_zip_is_said(folder: Path) -> None:
    write_zip(folder / "a.zip", {"set/a.png": b"a"})
    content = bytearray((folder / "a.zip").read_bytes())
    for header, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.rindex(header) + offset] |= 1
    (folder / "a.zip").write_bytes(content)
    refused(folder / "a.zip", "is damaged .*encrypted")


@WAYS
def test_an_archive_of_something_else(folder: Path, name: str, write: Write) -> None:
    write(folder / name, {"other/d.png": b"d"})
    refused(folder / name, "holds nothing in set/")


def test_a_failed_check_leaves_nothing_and_a_killed_run_does_no_harm(folder: Path) -> None:
    write_zip(folder / "a.zip", FILES)
    (folder / ".Set.unpacking" / "HR").mkdir(parents=True)
    (folder / ".Set.unpacking" / "HR" / "half.png").touch()
    seen = []

    def check(unfinished: Path) -> None:
        seen.extend(sorted(path.name for path in (unfinished / "HR").iterdir()))
        raise InputError("not as expected")

    with (
        pytest.raises(InputError, match="not as expected"),
        unpacked(folder / "a.zip", "set", folder / "Set", 10_000) as unfinished,
    ):
        check(unfinished)
    assert seen == ["a.png", "b.png"]
    assert [path.name for path in folder.iterdir()] == ["a.zip"]


def test_a_full_disk_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_zip(folder / "a.zip", FILES)
    opened = Path.open
    monkeypatch.setattr(
        Path, "open", lambda path, mode="r", **more: opened(Path("/dev/full") if mode == "xb" else path, "wb", **more)
    )
    refused(folder / "a.zip", r"cannot write .*No space left on device; free some space")
