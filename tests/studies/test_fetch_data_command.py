"""The command that fetches public image sets, against a local server."""

from __future__ import annotations

import hashlib
import io
import signal
import subprocess
import sys
import tarfile
import threading
import time
from dataclasses import replace
from pathlib import Path

import filelock
import numpy as np
import pytest
from fetch_data import Arguments, compared_bicubic, data_options, main
from PIL import Image

from grla.data import find_images, read_image, read_test_sets
from grla.data.public.fetch import fetch, recorded_digest
from grla.data.public.sets import PUBLIC_SETS, PublicSet, pictures_digest
from grla.errors import InputError
from tests.shared import ROOT
from tests.shared.commands import call
from tests.shared.http_server import Request, broken_off, serving, whole


def tgz(files: dict[str, bytes]) -> bytes:
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode="w:gz") as archive:
        for name, data in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    return content.getvalue()


def picture(seed: int, side: int = 24) -> bytes:
    content = io.BytesIO()
    pixels = np.random.default_rng(seed).integers(0, 256, (side, side, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(content, "PNG")
    return content.getvalue()


def berkeley(number: int = 100) -> bytes:
    """An archive laid out as Berkeley's."""
    tests = {f"BSDS300/images/test/{index}.png": picture(index) for index in range(number)}
    return tgz({**tests, "BSDS300/images/train/1.png": picture(1000), "BSDS300/iids_test.txt": b"1"})


@pytest.fixture(scope="module")
def archive() -> bytes:
    return berkeley()


def test_a_set_arrives_and_a_second_call_only_checks_it(tmp_path: Path, archive: bytes) -> None:
    with serving(broken_off(archive, len(archive) // 2), whole(archive)) as server:
        shown = call("fetch_data.py", "bsd100", "--url", server.url, "--out", "data", folder=tmp_path)
        for part in (
            "Terms: for non-commercial research and educational purposes",
            f"From:  {server.url}",
            "No checksum of BSDS300-images.tgz is published: its SHA-256 will be recorded in data/downloads/SHA256SUMS",
            "The pictures are NOT all those with which published bicubic values were reproduced",
            "100 pictures: data/BSD100",
            "Next: python studies/run_ablation.py --test-data data/BSD100",
        ):
            assert part in shown
        assert shown.index("Terms:") < shown.index("Unpacking")
        assert len(server.asked) == 2
    assert len(find_images(tmp_path / "data" / "BSD100")) == 100
    sums = (tmp_path / "data" / "downloads" / "SHA256SUMS").read_text()
    assert sums == f"{hashlib.sha256(archive).hexdigest()}  BSDS300-images.tgz\n"
    check = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=tmp_path / "data" / "downloads", check=False)
    assert check.returncode == 0
    again = call("fetch_data.py", "bsd100", "--url", "http://127.0.0.1:9/gone", "--out", "data", folder=tmp_path)
    assert "data/BSD100 is there already; checking it." in again


def test_a_later_download_must_equal_the_recorded_one(tmp_path: Path, archive: bytes) -> None:
    public = PUBLIC_SETS["bsd100"]
    with serving(whole(archive), whole(berkeley(99))) as server:
        folder = fetch(public, tmp_path, server.url)
        kept = tmp_path / "downloads" / "BSDS300-images.tgz"
        kept.unlink()
        folder.rename(tmp_path / "elsewhere")
        with pytest.raises(InputError, match=rf"gave a wrong file \(sha256 .* instead of {recorded_digest(kept)}"):
            fetch(public, tmp_path, server.url)
    assert not folder.exists()


def test_a_kept_archive_is_used_again_if_it_is_whole(tmp_path: Path, archive: bytes) -> None:
    public = PUBLIC_SETS["bsd100"]
    with serving(whole(archive)) as server:
        fetch(public, tmp_path, server.url).rename(tmp_path / "elsewhere")
        fetch(public, tmp_path, server.url).rename(tmp_path / "elsewhere2")
        assert len(server.asked) == 1
        kept = tmp_path / "downloads" / "BSDS300-images.tgz"
        kept.write_bytes(archive[:-1] + b"x")
        with pytest.raises(InputError, match="gave a wrong file"):
            fetch(public, tmp_path, server.url)
        fetch(public, tmp_path, server.url)
        assert len(server.asked) == 2


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (berkeley(99), r"holds 99; BSD100 has 100 HR images; remove it"),
        (tgz({f"BSDS300/images/test/{index}.png": b"no picture" for index in range(100)}), "cannot be read"),
        (tgz({"BSDS300/images/test/1.txt": b"no picture"}), "holds no image"),
        (tgz({"BSDS500/1.png": b""}), "holds nothing in BSDS300/images/test/"),
        (b"<html>moved</html>", "is damaged"),
    ],
    ids=["too few", "not decodable", "no images", "another archive", "no archive"],
)
def test_what_is_not_the_set_is_not_put_in_its_place(tmp_path: Path, content: bytes, match: str) -> None:
    with serving(whole(content)) as server, pytest.raises(InputError, match=match):
        fetch(PUBLIC_SETS["bsd100"], tmp_path, server.url)
    assert [path.name for path in tmp_path.iterdir()] == ["downloads"]
    assert recorded_digest(tmp_path / "downloads" / "BSDS300-images.tgz") is None  # only a whole set is recorded


def test_a_published_digest_is_insisted_on(tmp_path: Path) -> None:
    with serving(whole(tgz({"benchmark/Set5/HR/baby.png": picture(0)}))) as server:
        shown = call("fetch_data.py", "set5", "--url", server.url, "--out", "data", folder=tmp_path, code=1)
    assert "\nerror: http" in shown
    assert "instead of 4ace41d33c2384b97e6b320cd0afd6ba), which was removed" in shown


def test_a_size_is_insisted_on_before_anything_is_downloaded(
    tmp_path: Path, archive: bytes, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = f"{len(archive)} bytes long by its server, but must have 3530603713"
    with serving(whole(archive)) as server, pytest.raises(InputError, match=expected):
        main(Arguments(("div2k",), tmp_path, server.url))
    assert "for academic research only" in capsys.readouterr().out


def test_unusable_arguments_and_folders_are_named(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="url goes with one set"):
        main(Arguments(("set5", "set14"), tmp_path, "http://x"))
    with pytest.raises(InputError, match="must name at least one of div2k, set5, set14, bsd100, urban100, manga109"):
        main(Arguments((), tmp_path))
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match=r"cannot write to .*file: .*; choose another folder"):
        main(Arguments(("set5",), tmp_path / "file"))
    (tmp_path / "downloads").mkdir()
    with (
        filelock.FileLock(tmp_path / "downloads" / ".lock"),
        pytest.raises(InputError, match="another download is under way"),
    ):
        main(Arguments(("set5",), tmp_path))


def test_the_next_command_names_all_sets_that_are_there(tmp_path: Path) -> None:
    for name in ("BSD100", "DIV2K", "Set5"):
        (tmp_path / name).mkdir()
    assert data_options(tmp_path) == f"--train-data {tmp_path}/DIV2K --test-data {tmp_path}/Set5 {tmp_path}/BSD100"


def small(public: PublicSet, url: str, num_images: int) -> PublicSet:
    return replace(public, archive=replace(public.archive, url=url, digest=None, size=None), num_images=num_images)


def test_ready_made_lr_images_come_with_the_set(tmp_path: Path) -> None:
    """EDSR's tar file holds HR/ and LR_bicubic/X2..X4 of each set, as our reader takes them."""
    files = {f"benchmark/Urban100/HR/img00{index}.png": picture(index, 48) for index in (1, 2)}
    files |= {f"benchmark/Urban100/LR_bicubic/X4/img00{index}x4.png": picture(index, 12) for index in (1, 2)}
    with serving(whole(tgz(files))) as server:
        folder = fetch(small(PUBLIC_SETS["urban100"], server.url, 2), tmp_path)
    pairs = read_test_sets([str(folder)], 4).pairs
    assert [(pair.test_set, pair.name, pair.lr.shape) for pair in pairs] == [
        ("Urban100", f"img00{index}", (12, 12, 3)) for index in (1, 2)
    ]


@pytest.mark.parametrize("name", ["set5", "set14", "bsd100"])
def test_the_known_pictures_are_those_of_the_benchmark(
    name: str, benchmark_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    public = PUBLIC_SETS[name]
    paths = find_images(benchmark_data / "benchmark" / public.name / "HR")
    assert len(paths) == public.num_images
    assert pictures_digest(map(read_image, paths)) == public.pictures
    assert pictures_digest(map(read_image, reversed(paths))) == public.pictures
    if name == "set5":
        files = {f"benchmark/Set5/HR/{path.name}": path.read_bytes() for path in paths}
        with serving(whole(tgz(files))) as server:
            fetch(small(public, server.url, 5), tmp_path)
        assert "The pictures are those with which" in capsys.readouterr().out


def test_of_a_set_to_be_asked_for_the_command_says_where(tmp_path: Path) -> None:
    shown = call("fetch_data.py", "manga109", "--out", "data", folder=tmp_path, code=1)
    assert "Manga109 cannot be fetched: ask its owners for it at http://www.manga109.org/en/, put its 109" in shown
    assert "into data/Manga109 and run again to have them checked" in shown


@pytest.mark.parametrize("files", ["{}.png", "HR/{}.png", "image_SRF_4/img_{}_SRF_4_HR.png"])
def test_a_set_that_was_asked_for_is_checked(tmp_path: Path, files: str) -> None:
    for index in range(109):
        path = tmp_path / "data" / "Manga109" / files.format(index)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(picture(index))
    shown = call("fetch_data.py", "manga109", "--out", "data", folder=tmp_path)
    assert "data/Manga109 is there already; checking it." in shown
    digest = pictures_digest(read_image(path) for path in find_images(tmp_path / "data"))
    assert f"No checksum of the pictures is published; their digest, to compare with others: {digest}" in shown
    assert "published are 24.89 dB and 0.7866: these are NOT the pictures of papers." in shown
    path.unlink()
    shown = call("fetch_data.py", "manga109", "--out", "data", folder=tmp_path, code=1)
    assert "holds 108; Manga109 has 109 HR images; complete it and run again" in shown


def test_pictures_are_told_by_their_bicubic_scores(benchmark_data: Path) -> None:
    set5 = benchmark_data / "benchmark" / "Set5"
    assert "the pictures agree" in compared_bicubic(set5, 28.42, 0.8104)  # as published
    for psnr, ssim in ((28.47, 0.8104), (28.42, 0.8094 - 0.0005)):
        assert "NOT the pictures" in compared_bicubic(set5, psnr, ssim)


def test_an_interrupted_download_keeps_what_has_arrived_and_says_so(tmp_path: Path, archive: bytes) -> None:
    go_on = threading.Event()

    def stall(request: Request) -> None:
        request.send(200, archive[:100_000], Content_Length=len(archive), ETag='"first"')
        request.wfile.flush()
        go_on.wait(60)

    script = ROOT / "studies" / "fetch_data.py"
    # Whoever started the tests may have told their processes to ignore the signal.
    code = f"""import runpy, signal, sys; signal.signal(signal.SIGINT, signal.default_int_handler)
sys.path.insert(0, {str(script.parent)!r}); runpy.run_path({str(script)!r}, run_name="__main__")"""
    part = tmp_path / "data" / "downloads" / "BSDS300-images.tgz.part"
    with serving(stall) as server:
        words = [sys.executable, "-c", code, "bsd100", "--url", server.url, "--out", "data"]
        with subprocess.Popen(words, cwd=tmp_path, stderr=subprocess.PIPE, text=True) as process:
            while process.poll() is None and not (part.exists() and part.stat().st_size > 50_000):
                time.sleep(0.05)
            process.send_signal(signal.SIGINT)
            _, errors = process.communicate(timeout=60)
        go_on.set()
    assert process.returncode == 130, errors
    assert errors.endswith("Stopped. Nothing is lost: run the same command again to go on.\n")
    assert archive.startswith(part.read_bytes())
    assert part.stat().st_size > 50_000
