"""All training images as one flat uint8 store; the batch of a step is a pure function of (seed, step)."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from grla.data.images import TrainingImage, as_rgb
from grla.data.packing import MEMORY_LIMIT, Entry, pack
from grla.errors import InputError

Pixels = NDArray[np.uint8]


class PatchStore:
    """Training images at one upscale factor, HR and LR, in one flat uint8 array `pixels` with an index `entries`.

    Build it with `PatchStore.build`. `checksum` (sha256, hex) names the content: the bytes of the image files in order
    of name, wherever they lie. Patches are cut in the machine's memory, by NumPy, whose views cost less than
    PyTorch's; batches appear on `device`.
    """

    def __init__(self, pixels: Pixels, entries: Sequence[Entry], upscale: int, checksum: str) -> None:
        self.pixels = pixels
        self.entries = tuple(entries)
        self.upscale = upscale
        self.checksum = checksum
        self.device = torch.device("cpu")
        self._views = [_views(pixels, entry, upscale) for entry in entries]
        self._smallest_side = min(min(lr.shape[:2]) for lr, _ in self._views)

    @classmethod
    def build(
        cls,
        images: Iterable[TrainingImage],
        upscale: int,
        patch_size: int,
        cache_dir: Path,
        memory_limit: int = MEMORY_LIMIT,
    ) -> PatchStore:
        """Decode all images into memory, or beyond `memory_limit` bytes into a memory-mapped file in `cache_dir`.

        LR is made by `imresize` from the mod-cropped HR; `patch_size` is in LR pixels. Images smaller than a patch are
        left out and named on stderr. The file of an earlier build is reused. Raises InputError when no image
        remains, for one that is broken, and when the file cannot be written.
        """
        packed = pack(images, upscale, patch_size, cache_dir, memory_limit)
        if packed.left_out:
            names = ", ".join(packed.left_out)
            print(f"left out, smaller than a patch of {patch_size * upscale} pixels: {names}", file=sys.stderr)
        return cls(packed.pixels, packed.entries, upscale, packed.checksum)

    def to(self, device: torch.device | str) -> PatchStore:
        """The same store with batches on `device`."""
        moved = PatchStore(self.pixels, self.entries, self.upscale, self.checksum)
        moved.device = torch.device(device)
        return moved

    def holds(self, hr: Pixels) -> bool:
        """Whether the mod-cropped `hr` (H, W[, 3]) is one of the images, pixel for pixel; gray is as RGB."""
        image = as_rgb(hr)
        alike = [own for _, own in self._views if own.shape == image.shape]
        # Most differ in their first row.
        return any(np.array_equal(own[0], image[0]) and np.array_equal(own, image) for own in alike)

    def batch(self, seed: int, step: int, batch_size: int, patch_size: int) -> tuple[Tensor, Tensor]:
        """The batch of a step: lr (batch, 3, p, p) and hr (batch, 3, p * upscale, p * upscale) with p = `patch_size`.

        float32 in [0, 1]. Image, place and one of the 8 rotations and flips are uniform. A pure function of its
        arguments and the content, bit-equal on every device. Raises InputError if an image is smaller than the patch.
        """
        if patch_size > self._smallest_side:
            rule = f"must be at most the smallest LR side, {self._smallest_side}"
            raise InputError(f"patch_size {rule}, got {patch_size}")
        # One step may draw 2**192 blocks of random numbers before they overlap with the next step's.
        random = np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, 0, step]))
        patches = [self._patch(draws, patch_size) for draws in random.random((batch_size, 4)).tolist()]
        return self._stacked([lr for lr, _ in patches]), self._stacked([hr for _, hr in patches])

    def _patch(self, draws: Sequence[float], size: int) -> tuple[Pixels, Pixels]:
        """Cut LR (size, size, 3) and the HR of the same place; `draws` are four numbers in [0, 1)."""
        image, top, left, turn = draws
        lr, hr = self._views[int(image * len(self._views))]
        row, column = int(top * (lr.shape[0] - size + 1)), int(left * (lr.shape[1] - size + 1))
        return _turned(_crop(lr, row, column, size), turn), _turned(_crop(hr, row, column, size, self.upscale), turn)

    def _stacked(self, patches: list[Pixels]) -> Tensor:
        channels_first = np.empty((len(patches), 3, *patches[0].shape[:2]), np.uint8)
        np.stack([patch.transpose(2, 0, 1) for patch in patches], out=channels_first)
        # Multiplied, because GPUs divide by multiplying: this way the bits are the same on every device.
        return torch.from_numpy(channels_first).to(self.device).to(torch.float32).mul_(1 / 255)


def _views(pixels: Pixels, entry: Entry, upscale: int) -> tuple[Pixels, Pixels]:
    """LR (height / upscale, width / upscale, 3) and HR (height, width, 3) of an entry, sharing the store's memory."""
    height, width = entry.height // upscale, entry.width // upscale
    middle = entry.offset + entry.height * entry.width * 3
    lr = pixels[middle : middle + height * width * 3].reshape(height, width, 3)
    return lr, pixels[entry.offset : middle].reshape(entry.height, entry.width, 3)


def _crop(image: Pixels, row: int, column: int, size: int, factor: int = 1) -> Pixels:
    return image[row * factor : (row + size) * factor, column * factor : (column + size) * factor]


def _turned(patch: Pixels, turn: float) -> Pixels:
    """One of the 8 symmetries of a square: three coin flips (transpose, upside down, left to right)."""
    coins = int(turn * 8)
    patch = patch.transpose(1, 0, 2) if coins & 1 else patch
    patch = patch[::-1] if coins & 2 else patch
    return patch[:, ::-1] if coins & 4 else patch
