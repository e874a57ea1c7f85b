"""The recall probe: images that can only be restored by finding what is missing elsewhere in them, by content.

An image is a grid of cells. A cell holds a pair of glyphs, a key (always visible) and a value beside it. Every pair
stands in several cells; in half of them the value is blanked to gray in LR and must be restored from an intact copy,
which is known by its key. It is the associative recall by which attention is tested in language models (Arora et al.
2023, "Zoology"), as super-resolution.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from grla.data.images import ImagePair
from grla.data.probes import STREAMS, Pixels, shrunk, to_float

Number = TypeVar("Number", bound=np.generic)
GRAY = 128
"""The colour of blanked values; also the best guess of a value without looking elsewhere."""
IGNORING_KEYS = "best guess that ignores keys"
"""The baseline that guesses the mean of an image's values."""


class RecallBatch(NamedTuple):
    """Images of the probe: `lr` (batch, p, p, 3), `hr` (batch, p * upscale, p * upscale, 3), uint8.

    `mask`, like hr without channels, is True where values were blanked. `mean` (batch, 3) is the mean of the image's
    values, all pairs alike: the best guess that ignores keys.
    """

    lr: Pixels
    hr: Pixels
    mask: NDArray[np.bool_]
    mean: NDArray[np.float64]


@dataclass(frozen=True)
class RecallSampler:
    """Draws images of the probe; every batch is a pure function of (seed, step).

    `num_pairs` are the numbers of pairs that an image can have: training takes them in turn, batch by batch (many pairs
    alone are not learned in a short training), and each has test images of its own.
    `side` is an image's side and `glyph` a glyph's, in LR pixels: a cell is `glyph` high and 2 * `glyph` wide. Flat
    glyphs have one colour; with `texture` (amplitude in [0, 1]) noise per HR pixel is added, and every copy shows
    another phase of it: the glyph is shifted cyclically by 0 to upscale - 1 HR pixels each way, so that copies together
    hold detail that none of them shows in LR. `distractors` is the share of cells that show pairs which stand nowhere
    else; with `overwritten` half of a key's intact copies, the earlier ones in reading order, show another value than
    the others and than what is to be restored. With a `band`, that many columns of cells, filled with unrelated pairs,
    lie between all intact copies and all blanked ones. LR is the mean of upscale x upscale HR pixels. Glyphs of
    training have an even blue, others an odd one: no glyph is seen in both. Images to test on also have numbers
    `test_pairs` of pairs and are `test_size` wide and high, if that is not 0; `stream` numbers independent draws of
    them.
    """

    num_pairs: tuple[int, ...]
    side: int
    glyph: int
    texture: float
    band: int
    upscale: int
    distractors: float = 0.0
    overwritten: bool = False
    test_pairs: tuple[int, ...] = ()
    test_size: int = 0
    stream: int = 0

    @classmethod
    def of(cls, data: Any, upscale: int) -> RecallSampler:
        """The sampler of `data`, a `grla.spec.RecallSpec`, which has the fields of the same names."""
        names = [one.name for one in fields(cls) if one.name not in ("side", "upscale")]
        return cls(side=data.patch_size, upscale=upscale, **{name: getattr(data, name) for name in names})

    def batch(self, seed: int, step: int, batch_size: int) -> tuple[Tensor, Tensor]:
        """lr (batch, 3, p, p) and hr (batch, 3, p * upscale, p * upscale), float32 in [0, 1], to train on."""
        drawn = self.draw("train", seed, step, batch_size, self.num_pairs[step % len(self.num_pairs)])
        return to_float(drawn.lr), to_float(drawn.hr)

    def pairs(self, stream: str, number: int) -> list[ImagePair]:
        """`number` images of each number of pairs to score, always the same; `stream` is "validation" or "test"."""
        return [
            ImagePair(f"{num_pairs} pairs", f"{index:03d}", *images)
            for num_pairs, drawn in self._drawn(stream, number)
            for index, images in enumerate(zip(drawn.hr, drawn.lr, drawn.mask, strict=True))
        ]

    def baselines(self, stream: str, number: int) -> dict[str, list[Pixels]]:
        """For the images of `pairs`, reference answers that know everything except the blanked values.

        "no look" guesses the mean of all possible values, IGNORING_KEYS that of the image's own; with
        texture "LR copied" knows the LR pixels of the missing value and no more. Perfect recall has no error.
        """
        drawn = [images for _, images in self._drawn(stream, number)]
        hr, mask, mean = (np.concatenate([getattr(part, name) for part in drawn]) for name in ("hr", "mask", "mean"))
        ignoring = np.rint(mean[:, None, None]).astype(np.uint8)
        guesses = {"no look": np.uint8(GRAY), IGNORING_KEYS: ignoring}
        if self.texture:
            guesses["LR copied"] = shrunk(hr, self.upscale).repeat(self.upscale, axis=1).repeat(self.upscale, axis=2)
        return {name: list(np.where(mask[..., None], guess, hr)) for name, guess in guesses.items()}

    def _drawn(self, stream: str, number: int) -> list[tuple[int, RecallBatch]]:
        """`number` images of each number of pairs, with that number."""
        if stream != "test":
            return [(pairs, self.draw(stream, 0, 0, number, pairs)) for pairs in self.num_pairs]
        tested = replace(self, side=self.test_size or self.side)
        numbers = (*self.num_pairs, *self.test_pairs)
        return [(pairs, tested.draw(stream, self.stream, 0, number, pairs)) for pairs in numbers]

    def draw(self, stream: str, seed: int, step: int, batch_size: int, num_pairs: int) -> RecallBatch:
        """The images of (stream, seed, step) with this number of pairs."""
        # Streams and steps are 2**64 blocks of random numbers apart, or more.
        random = np.random.Generator(np.random.Philox(key=seed, counter=[0, 0, STREAMS[stream], step]))
        pair, blanked = self._places(random, batch_size, num_pairs)
        glyphs = self._glyphs(random, batch_size, int(pair.max()) + 1, odd=stream != "train")
        first = 0
        if self.overwritten:  # pairs from `first` on have the keys of those before, and other values
            first = num_pairs
            glyphs[:, first : 2 * first, 0] = glyphs[:, :first, 0]
        side = glyphs.shape[3]
        rows, columns = self.side // self.glyph, self.side // (2 * self.glyph)
        # Every copy shows its glyphs at a phase of its own.
        phases = np.arange(side) + random.integers(0, self.upscale, (2, batch_size, rows * columns, 1))
        down, right = phases % side
        images = np.arange(batch_size)[:, None, None, None, None]
        halves = np.arange(2)[:, None, None]
        cells = glyphs[
            images, pair[:, :, None, None, None], halves, down[:, :, None, :, None], right[:, :, None, None, :]
        ]
        missing = np.zeros(cells.shape[:-1], np.bool_)
        missing[:, :, 1] = blanked[:, :, None, None]
        grid = (batch_size, rows, columns, 2, side, side)
        hr = _assembled(cells.reshape(*grid, 3))
        mask = _assembled(missing.reshape(*grid, 1))[..., 0]
        lr = shrunk(np.where(mask[..., None], np.uint8(GRAY), hr), self.upscale)
        return RecallBatch(lr, hr, mask, glyphs[:, first : first + num_pairs, 1].mean((1, 2, 3)))

    def _places(
        self, random: np.random.Generator, batch_size: int, num_pairs: int
    ) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """The pair in each cell and whether its value is blanked, both (batch, cells), cells row by row."""
        rows, columns = self.side // self.glyph, self.side // (2 * self.glyph)
        order = random.random((batch_size, rows * columns)).argsort(1)
        if not self.band:
            return self._mixed(order, num_pairs)
        side = (columns - self.band) // 2  # columns of cells on either side of it
        zone = np.ones(columns, np.intp)
        zone[:side], zone[columns - side :] = 0, 2
        # Which side is blanked is random.
        zones = np.where(random.random((batch_size, 1)) < 0.5, zone, 2 - zone).repeat(rows, 0).reshape(batch_size, -1)
        rank = np.empty_like(order)
        for index in range(3):
            inside = zones == index
            rank[inside] = order[inside].reshape(batch_size, -1).argsort(1).argsort(1).ravel()
        return np.where(zones == 1, num_pairs + rank, rank % num_pairs), zones == 2

    def _mixed(self, order: NDArray[np.intp], num_pairs: int) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        """The same where no band is: from a random order of the cells, (batch, cells)."""
        others = round(self.distractors * order.shape[1])
        shown = order.shape[1] - others
        blanked = (order // num_pairs % 2 == 1) & (order < shown)
        pair = order % num_pairs
        if self.overwritten:
            for key in range(num_pairs):
                mine = (pair == key) & (order < shown)
                intact = mine & ~blanked
                # Its intact copies counted in reading order; more than half of them counted: the later value.
                late = 2 * intact.cumsum(1) > intact.sum(1, keepdims=True)
                pair[mine & (blanked | late)] = key + num_pairs
        numbers = (2 if self.overwritten else 1) * num_pairs
        return np.where(order < shown, pair, numbers + order - shown), blanked

    def _glyphs(self, random: np.random.Generator, batch_size: int, number: int, odd: bool) -> Pixels:
        """Keys and values in HR: (batch, number, 2, glyph * upscale, glyph * upscale, 3)."""
        amplitude = 127.5 * self.texture
        side = self.glyph * self.upscale
        colours = random.uniform(amplitude, 255 - amplitude, (batch_size, number, 2, 1, 1, 3))
        noise = random.uniform(-amplitude, amplitude, (batch_size, number, 2, side, side, 3))
        pixels = np.rint(colours + noise).astype(np.uint8)
        pixels[..., 2] = pixels[..., 2] & 254 | odd
        return pixels


def _assembled(cells: NDArray[Number]) -> NDArray[Number]:
    """Cells (batch, rows, columns, 2, side, side, channels) as images (batch, height, width, channels)."""
    batch, rows, columns, halves, side, _, channels = cells.shape
    return cells.transpose(0, 1, 4, 2, 3, 5, 6).reshape(batch, rows * side, columns * halves * side, channels)
