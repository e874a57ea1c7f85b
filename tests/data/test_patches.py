from __future__ import annotations

import errno
import os
import re
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from grla.data import PatchStore, TrainingImage, imresize, mod_crop, training_images
from grla.errors import InputError

UPSCALE, PATCH = 2, 6


def noise(folder: Path, sizes: list[tuple[int, int]]) -> list[TrainingImage]:
    folder.mkdir(exist_ok=True)
    images = []
    for i, (height, width) in enumerate(sizes):
        pixels = np.random.default_rng(i).integers(0, 256, (height, width, 3), dtype=np.uint8)
        path = folder / f"{i}.png"
        Image.fromarray(pixels).save(path)
        images.append(TrainingImage(path.stem, path))
    return images


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> list[TrainingImage]:
    return noise(tmp_path_factory.mktemp("images"), [(25, 31), (40, 24), (16, 16)])


@pytest.fixture(scope="module")
def store(images: list[TrainingImage], tmp_path_factory: pytest.TempPathFactory) -> PatchStore:
    return PatchStore.build(images, UPSCALE, PATCH, tmp_path_factory.mktemp("cache"))


def cut(image: NDArray[np.uint8], row: int, column: int, side: int) -> NDArray[np.uint8]:
    return image[row : row + side, column : column + side]


def symmetries(patch: NDArray[np.uint8]) -> list[NDArray[np.uint8]]:
    turned = [np.rot90(patch, turns) for turns in range(4)]
    return turned + [np.flip(patch, 1) for patch in turned]


def places(images: list[TrainingImage]) -> dict[bytes, list[tuple[TrainingImage, int, int, int]]]:
    """Every (image, row, column, symmetry) at which the LR of an image shows a patch, by the patch's bytes."""
    found: dict[bytes, list[tuple[TrainingImage, int, int, int]]] = {}
    for image in images:
        lr = imresize(mod_crop(image.load(), UPSCALE), 1 / UPSCALE)
        for row, column in np.ndindex(lr.shape[0] - PATCH + 1, lr.shape[1] - PATCH + 1):
            for turn, turned in enumerate(symmetries(cut(lr, row, column, PATCH))):
                found.setdefault(turned.tobytes(), []).append((image, row, column, turn))
    return found


def as_images(batch: torch.Tensor) -> NDArray[np.uint8]:
    return (batch * 255).round().to(torch.uint8).permute(0, 2, 3, 1).numpy()


def test_patches_are_turned_crops_and_lr_shows_the_place_of_hr(images: list[TrainingImage], store: PatchStore) -> None:
    seen_images, seen_turns, known = set(), set(), places(images)
    for step in range(6):
        lr, hr = store.batch(seed=3, step=step, batch_size=8, patch_size=PATCH)
        for lr_patch, hr_patch in zip(as_images(lr), as_images(hr), strict=True):
            ((image, row, column, turn),) = known[lr_patch.tobytes()]
            whole = cut(image.load(), row * UPSCALE, column * UPSCALE, PATCH * UPSCALE)
            assert np.array_equal(symmetries(whole)[turn], hr_patch)
            seen_images.add(image.name)
            seen_turns.add(turn)
    assert seen_images == {"0", "1", "2"}
    assert seen_turns == set(range(8))


def test_shapes_range_and_layout(store: PatchStore) -> None:
    lr, hr = store.batch(0, 0, 5, PATCH)
    assert lr.shape == (5, 3, PATCH, PATCH)
    assert hr.shape == (5, 3, PATCH * UPSCALE, PATCH * UPSCALE)
    for batch in (lr, hr):
        assert batch.dtype == torch.float32
        assert batch.is_contiguous()
        assert batch.device == store.device
        assert batch.min() >= 0
        assert batch.max() <= 1


@settings(max_examples=30)
@given(st.integers(0, 2**32), st.integers(0, 10**7))
def test_a_batch_is_a_function_of_seed_and_step(store: PatchStore, seed: int, step: int) -> None:
    lr, hr = store.batch(seed, step, 4, PATCH)
    store.batch(seed + 1, step, 4, PATCH)
    again_lr, again_hr = store.batch(seed, step, 4, PATCH)
    assert torch.equal(lr, again_lr)
    assert torch.equal(hr, again_hr)
    for other in (store.batch(seed + 1, step, 4, PATCH), store.batch(seed, step + 1, 4, PATCH)):
        assert not torch.equal(hr, other[1])


def test_no_patch_of_a_step_comes_again_in_the_next(store: PatchStore) -> None:
    # Counters of successive steps that overlapped would show step 0's patches again, shifted by some places.
    batches = [store.batch(0, step, 16, PATCH)[1] for step in range(3)]
    for i, first in enumerate(batches):
        for second in batches[i + 1 :]:
            repeated = sum(bool(torch.equal(a, b)) for a in first for b in second)
            assert repeated <= 2


def test_images_and_places_are_uniform(tmp_path: Path) -> None:
    store = PatchStore.build(noise(tmp_path, [(16, 16)] * 4), 2, 8, tmp_path)
    whole = [torch.tensor(hr.mean() / 255) for _, hr in store._views]
    _, hr = store.batch(0, 0, 4000, 8)
    which = (hr.mean(dim=(1, 2, 3))[:, None] - torch.stack(whole)).abs().argmin(dim=1)
    assert (torch.bincount(which, minlength=4) / 4000 - 0.25).abs().max() < 0.03


def test_global_random_state_is_left_alone(store: PatchStore) -> None:
    torch.manual_seed(0)
    before = torch.get_rng_state()
    store.batch(0, 0, 4, PATCH)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_file_gives_the_same_batches_as_memory(
    images: list[TrainingImage], store: PatchStore, tmp_path: Path
) -> None:
    mapped = PatchStore.build(images, UPSCALE, PATCH, tmp_path / "new" / "cache", memory_limit=0)
    assert len(list((tmp_path / "new" / "cache").iterdir())) == 1
    assert mapped.checksum == store.checksum
    assert mapped.entries == store.entries
    for step in range(3):
        assert all(map(torch.equal, mapped.batch(1, step, 4, PATCH), store.batch(1, step, 4, PATCH)))


def test_the_limit_counts_every_byte(images: list[TrainingImage], store: PatchStore, tmp_path: Path) -> None:
    PatchStore.build(images, UPSCALE, PATCH, tmp_path, memory_limit=store.pixels.size)
    assert not list(tmp_path.iterdir())
    PatchStore.build(images, UPSCALE, PATCH, tmp_path, memory_limit=store.pixels.size - 1)
    assert len(list(tmp_path.iterdir())) == 1


def test_an_intact_file_is_used_again(images: list[TrainingImage], tmp_path: Path) -> None:
    PatchStore.build(images, UPSCALE, PATCH, tmp_path, memory_limit=0)
    (path,) = tmp_path.iterdir()
    os.utime(path, (1, 1))
    PatchStore.build(images, UPSCALE, PATCH, tmp_path, memory_limit=0)
    assert path.stat().st_mtime == 1


def test_a_second_build_decodes_nothing(
    images: list[TrainingImage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(image: TrainingImage) -> None:
        raise AssertionError(image)

    first = PatchStore.build(images, UPSCALE, PATCH, tmp_path, memory_limit=0)
    monkeypatch.setattr(TrainingImage, "load", refuse)
    second = PatchStore.build(images[::-1], UPSCALE, PATCH, tmp_path, memory_limit=0)
    assert np.array_equal(first.pixels, second.pixels)


@pytest.mark.parametrize("damage", ["shortened", "altered"])
def test_a_damaged_file_is_made_anew(
    images: list[TrainingImage], store: PatchStore, tmp_path: Path, damage: str
) -> None:
    PatchStore.build(images, UPSCALE, PATCH, tmp_path, memory_limit=0)
    (path,) = tmp_path.iterdir()
    content = path.read_bytes()
    path.write_bytes(content[:-1] if damage == "shortened" else content[:-1] + bytes([content[-1] ^ 1]))
    mended = PatchStore.build(images, UPSCALE, PATCH, tmp_path, memory_limit=0)
    assert np.array_equal(mended.pixels, store.pixels)


def test_other_content_or_factor_has_another_file(images: list[TrainingImage], tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    PatchStore.build(images, 2, 4, cache, memory_limit=0)
    PatchStore.build(images, 4, 4, cache, memory_limit=0)
    PatchStore.build(images[:2], 4, 4, cache, memory_limit=0)
    assert len(list(cache.iterdir())) == 3


def test_checksum_does_not_depend_on_folders_or_order(images: list[TrainingImage], tmp_path: Path) -> None:
    moved = noise(tmp_path / "elsewhere", [(25, 31), (40, 24), (16, 16)])
    stores = [PatchStore.build(source, UPSCALE, PATCH, tmp_path) for source in (images, moved, moved[::-1])]
    assert len({store.checksum for store in stores}) == 1
    assert all(torch.equal(store.batch(0, 0, 4, PATCH)[1], stores[0].batch(0, 0, 4, PATCH)[1]) for store in stores)
    assert PatchStore.build(images[1:], UPSCALE, PATCH, tmp_path).checksum != stores[0].checksum


def test_an_image_smaller_than_the_patch_is_left_out_and_named(
    images: list[TrainingImage], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = PatchStore.build(images, 2, 9, tmp_path)
    assert [entry.name for entry in store.entries] == ["0", "1"]
    assert re.fullmatch(
        r"left out, smaller than a patch of 18 pixels: .*2\.png \(16x16 pixels\)\n", capsys.readouterr().err
    )
    assert store.checksum == PatchStore.build(images[:2], 2, 9, tmp_path).checksum
    assert capsys.readouterr().err == ""


def test_only_images_smaller_than_the_patch_are_refused(images: list[TrainingImage], tmp_path: Path) -> None:
    message = r"all 1 .*too small: .*2\.png \(16x16 pixels\); a patch of 9 LR pixels at x2 needs 18.*patch_size"
    with pytest.raises(InputError, match=message):
        PatchStore.build(images[2:], 2, 9, tmp_path)


def test_a_later_patch_larger_than_the_images_is_refused(store: PatchStore) -> None:
    with pytest.raises(InputError, match="at most the smallest LR side, 8, got 9"):
        store.batch(0, 0, 1, 9)


def test_no_image_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="at least 1 image"):
        PatchStore.build([], 2, 4, tmp_path)


@pytest.mark.parametrize("memory_limit", [0, 10**9])
def test_a_broken_image_stops_the_build_and_leaves_no_file(tmp_path: Path, memory_limit: int) -> None:
    images = noise(tmp_path / "images", [(40, 40)] * 3)
    content = images[2].path.read_bytes()
    images[2].path.write_bytes(content[: len(content) // 2])  # its header is whole: only decoding finds out
    cache = tmp_path / "cache"
    with pytest.raises(InputError, match=r"2\.png cannot be read"):
        PatchStore.build(images, 2, 4, cache, memory_limit)
    assert not cache.exists() or not list(cache.iterdir())


def test_a_full_disk_is_an_input_error_and_leaves_no_file(
    images: list[TrainingImage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(InputError, match="No space left"):
        PatchStore.build(images, 2, 4, tmp_path, memory_limit=0)
    assert not list(tmp_path.iterdir())


def test_an_unusable_cache_folder_is_an_input_error(images: list[TrainingImage], tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="cannot write"):
        PatchStore.build(images, 2, 4, tmp_path / "file", memory_limit=0)


def test_many_images_show_progress(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    images = noise(tmp_path, [(8, 8)] * 51)
    PatchStore.build(images[:50], 2, 4, tmp_path)
    assert not capsys.readouterr().err
    PatchStore.build(images, 2, 4, tmp_path)
    assert "51/51" in capsys.readouterr().err


def test_moving_to_the_cpu_changes_nothing(store: PatchStore) -> None:
    moved = store.to("cpu")
    assert moved.checksum == store.checksum
    assert torch.equal(moved.batch(0, 0, 4, PATCH)[1], store.batch(0, 0, 4, PATCH)[1])


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
def test_a_gpu_gives_the_same_bits(store: PatchStore) -> None:
    for on_gpu, on_cpu in zip(store.to("cuda").batch(0, 0, 8, PATCH), store.batch(0, 0, 8, PATCH), strict=True):
        assert on_gpu.is_cuda
        assert torch.equal(on_gpu.cpu(), on_cpu)


def test_sampling_is_cheap(tmp_path: Path) -> None:
    store = PatchStore.build(training_images("bundled").train, 4, 24, tmp_path)
    num_threads, durations = torch.get_num_threads(), []
    torch.set_num_threads(1)
    for step in range(30):
        start = time.thread_time()
        store.batch(0, step, 8, 24)
        durations.append(time.thread_time() - start)
    torch.set_num_threads(num_threads)
    # 5 % of a step of about 60 ms. Time of this thread, and the fastest of many: tests share their machine.
    assert min(durations) < 0.003
