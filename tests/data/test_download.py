"""Downloads from servers that break off, lie and fail: the file is right, or an error says what to do."""

from __future__ import annotations

import hashlib
import shutil
import socket
import threading
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from grla.data.public.download import download
from grla.data.public.transfer import RemoteFile
from grla.errors import InputError
from tests.shared.http_server import Answer, Request, Server, broken_off, failing, serving, whole

CONTENT = np.random.default_rng(0).integers(0, 256, 100_000, dtype=np.uint8).tobytes()
SHA256 = f"sha256:{hashlib.sha256(CONTENT).hexdigest()}"


def fetched(
    server: Server,
    target: Path,
    size: int | None = len(CONTENT),
    digest: str | None = SHA256,
    timeout_seconds: float = 60,
) -> bytes:
    download(RemoteFile(server.url, 2 * len(CONTENT), size, digest, timeout_seconds), target, waits=(0, 0))
    assert [path.name for path in target.parent.iterdir()] == [target.name]  # nothing temporary is left
    return target.read_bytes()


def test_a_file_arrives(tmp_path: Path) -> None:
    with serving(whole(CONTENT)) as server:
        assert fetched(server, tmp_path / "file.bin") == CONTENT
        assert "Range" not in server.asked[0]


@pytest.mark.parametrize("digest", [SHA256, f"md5:{hashlib.md5(CONTENT).hexdigest()}", None])
def test_a_broken_connection_goes_on_where_it_was(tmp_path: Path, digest: str | None) -> None:
    with serving(broken_off(CONTENT, 30_000), whole(CONTENT)) as server:
        assert fetched(server, tmp_path / "file.bin", None, digest) == CONTENT
        assert server.asked[1]["Range"] == "bytes=30000-"
        assert server.asked[1]["If-Range"] == '"first"'


def test_the_next_run_goes_on_where_the_killed_one_was(tmp_path: Path) -> None:
    with serving(broken_off(CONTENT, 70_000), failing(503)) as server, pytest.raises(InputError) as caught:
        fetched(server, tmp_path / "file.bin")
    message = str(caught.value)
    assert "503" in message
    assert "70000 bytes are kept: run the same command again to go on" in message
    with serving(whole(CONTENT)) as server:
        assert fetched(server, tmp_path / "file.bin") == CONTENT
        assert server.asked[0]["Range"] == "bytes=70000-"


def test_a_server_that_hangs_up_all_the_time_is_tried_on_as_long_as_something_comes(tmp_path: Path) -> None:
    def drips(request: Request) -> None:
        start = int(request.headers.get("Range", "bytes=0-")[6:-1])
        place = f"bytes {start}-{len(CONTENT) - 1}/{len(CONTENT)}"
        status, length = (206, len(CONTENT) - start) if start else (200, len(CONTENT))
        request.send(status, CONTENT[start : start + 9_000], Content_Length=length, ETag='"a"', Content_Range=place)

    with serving(drips) as server:
        assert fetched(server, tmp_path / "file.bin") == CONTENT
        assert len(server.asked) == 12


def test_a_server_that_ignores_ranges_is_read_from_the_start(tmp_path: Path) -> None:
    with serving(broken_off(CONTENT, 30_000), lambda request: request.send(200, CONTENT, ETag='"first"')) as server:
        assert fetched(server, tmp_path / "file.bin") == CONTENT


@pytest.mark.parametrize("etag", ['"second"', 'W/"first"'])
def test_a_file_that_changed_meanwhile_is_not_patched_together(tmp_path: Path, etag: str) -> None:
    old = bytes(len(CONTENT))
    with serving(broken_off(old, 30_000, etag), whole(CONTENT)) as server:
        assert fetched(server, tmp_path / "file.bin", digest=None) == CONTENT


def test_without_a_validator_nothing_is_patched_together(tmp_path: Path) -> None:
    with serving(broken_off(CONTENT, 30_000, etag=""), whole(CONTENT)) as server:
        assert fetched(server, tmp_path / "file.bin") == CONTENT
        assert "Range" not in server.asked[1]


def test_last_modified_serves_where_there_is_no_etag(tmp_path: Path) -> None:
    date = "Mon, 02 Jan 2017 10:00:00 GMT"

    def first(request: Request) -> None:
        request.send(200, CONTENT[:500], Content_Length=len(CONTENT), Last_Modified=date)

    with serving(first, whole(CONTENT, etag=date)) as server:
        assert fetched(server, tmp_path / "file.bin") == CONTENT
        assert server.asked[1]["If-Range"] == date


@pytest.mark.parametrize("place", ["bytes 10-99999/100000", "bytes 99999-99999/100000", "nonsense", ""])
def test_another_part_than_asked_for_is_thrown_away(tmp_path: Path, place: str) -> None:
    lie: Answer = lambda request: request.send(206, CONTENT[10:], Content_Range=place)  # noqa: E731
    with serving(broken_off(CONTENT, 30_000), lie, whole(CONTENT)) as server:
        assert fetched(server, tmp_path / "file.bin") == CONTENT
    with serving(broken_off(CONTENT, 30_000), lie, broken_off(CONTENT, 30_000), lie, failing(500)) as server:
        with pytest.raises(InputError, match="cannot be fetched now"):  # and it does not go on for ever
            fetched(server, tmp_path / "again.bin")
        assert len(server.asked) < 8


def test_everything_there_already_but_the_name(tmp_path: Path) -> None:
    for size in (None, len(CONTENT)):
        (tmp_path / "file.bin.part").write_bytes(CONTENT)
        (tmp_path / "file.bin.part.version").write_text('"first"')
        with serving(whole(CONTENT)) as server:
            assert fetched(server, tmp_path / "file.bin", size) == CONTENT
            assert len(server.asked) == (size is None)
        (tmp_path / "file.bin").unlink()


def test_more_than_the_file_is_there(tmp_path: Path) -> None:
    (tmp_path / "file.bin.part").write_bytes(CONTENT + b"x")
    (tmp_path / "file.bin.part.version").write_text('"first"')
    with serving(whole(CONTENT)) as server:
        assert fetched(server, tmp_path / "file.bin") == CONTENT


@pytest.mark.parametrize("size", [len(CONTENT) - 1, len(CONTENT) + 1])
def test_a_file_of_another_size_is_not_even_begun(tmp_path: Path, size: int) -> None:
    with serving(whole(CONTENT)) as server, pytest.raises(InputError, match=rf"100000 bytes long .* must have {size}"):
        fetched(server, tmp_path / "file.bin", size)
    assert not list(tmp_path.iterdir())


def test_a_size_that_is_a_lie(tmp_path: Path) -> None:
    short: Answer = lambda request: request.send(200, CONTENT, Content_Length=len(CONTENT) - 10)  # noqa: E731
    with (
        serving(short) as server,
        pytest.raises(InputError, match=r"wrong file \(sha256 .* instead of .*\), .*removed"),
    ):
        fetched(server, tmp_path / "file.bin", None)
    long: Answer = lambda request: request.send(200, CONTENT, Content_Length=len(CONTENT) + 10, ETag='"a"')  # noqa: E731
    with serving(long) as server, pytest.raises(InputError, match="broke off after 100000 of 100010 bytes"):
        fetched(server, tmp_path / "other.bin", None)


def test_a_file_without_end_is_stopped(tmp_path: Path) -> None:
    endless: Answer = lambda request: request.send(200, CONTENT * 3, Content_Length="")  # noqa: E731
    with serving(endless) as server, pytest.raises(InputError, match="does not end after the 200000 bytes"):
        fetched(server, tmp_path / "file.bin", None)
    with serving(whole(CONTENT * 3)) as server, pytest.raises(InputError, match="at most 200000 are accepted"):
        fetched(server, tmp_path / "file.bin", None)


def test_another_content_is_removed(tmp_path: Path) -> None:
    with serving(whole(bytes(len(CONTENT)))) as server, pytest.raises(InputError, match="gave a wrong file"):
        fetched(server, tmp_path / "file.bin")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("status", [403, 404, 410])
def test_a_missing_file_is_said_at_once(tmp_path: Path, status: int) -> None:
    with serving(failing(status)) as server:
        with pytest.raises(InputError, match=rf"{server.url} cannot be fetched: {status} .*new address.*as url"):
            fetched(server, tmp_path / "file.bin")
        assert len(server.asked) == 1


def test_a_server_that_recovers(tmp_path: Path) -> None:
    with serving(failing(500), failing(503), whole(CONTENT)) as server:
        assert fetched(server, tmp_path / "file.bin") == CONTENT


def test_no_server_and_no_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        address = f"http://127.0.0.1:{closed.getsockname()[1]}/f"
    with pytest.raises(
        InputError,
        match=r"refused.*nothing arrived; check the network.*as url.*put it at .*file.bin",
    ):
        download(RemoteFile(address, 10), tmp_path / "file.bin", waits=(0, 0))

    def nowhere(*_: object, **__: object) -> None:
        raise socket.gaierror(-3, "Temporary failure in name resolution")

    monkeypatch.setattr(socket, "getaddrinfo", nowhere)
    with pytest.raises(InputError, match=r"name resolution.*check the network"):
        download(RemoteFile("https://example.org/f", 10), tmp_path / "file.bin", waits=(0, 0))


def test_a_server_that_falls_silent(tmp_path: Path) -> None:
    done = threading.Event()

    def silent(request: Request) -> None:
        request.send(200, CONTENT[:1000], Content_Length=len(CONTENT), ETag='"first"')
        request.wfile.flush()
        done.wait(10)

    with serving(silent, whole(CONTENT)) as server:
        assert fetched(server, tmp_path / "file.bin", timeout_seconds=0.2) == CONTENT
        assert server.asked[1]["Range"] == "bytes=1000-"
        done.set()


def test_a_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file.bin.part").symlink_to("/dev/full")
    with serving(whole(CONTENT)) as server, pytest.raises(InputError, match=r"No space left.*free some space"):
        fetched(server, tmp_path / "file.bin")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=99_999))
    with (
        serving(whole(CONTENT)) as server,
        pytest.raises(InputError, match=r"needs 100000 more bytes .* 99999 are free"),
    ):
        fetched(server, tmp_path / "other.bin")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://example.org/f", "set5.tar"])
def test_only_web_addresses(tmp_path: Path, url: str) -> None:
    with pytest.raises(InputError, match="must begin with http"):
        download(RemoteFile(url, 10), tmp_path / "file.bin")
