"""The self-similarity probe: real textures and text in several copies, each with different samples lost to aliasing.

An image is a square of copies of one patch, each displaced by whole HR pixels, so by fractions of an LR pixel: what
aliasing removed from one copy is visible in others. A network that uses it restores the patch better among copies than
among patches of other places.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from grla.data.bundled import photo_path
from grla.data.images import ImagePair
from grla.data.probes import STREAMS, Pixels, shrunk, to_float
from grla.data.reading import read_image
from grla.data.resize import imresize

TEXTURES = ("brick", "gravel", "grass")
FONT_SIZE = 15
TOGETHER, ALONE = "copies", "alone"


@dataclass(frozen=True)
class SimilaritySampler:
    """Draws images of the probe; every batch is a pure function of (seed, step).

    `side` is an image's side in LR pixels, `copies` the number of copies in a row and in a column; a copy is as wide as
    `side` allows. LR is the mean of upscale x upscale HR pixels. Textures are those of TEXTURES and rendered text:
    their upper halves train, of the lower ones the left parts validate and the right ones test.
    """

    side: int
    copies: int
    upscale: int

    def batch(self, seed: int, step: int, batch_size: int) -> tuple[Tensor, Tensor]:
        """lr (batch, 3, p, p) and hr (batch, 3, p * upscale, p * upscale), float32 in [0, 1], half of them copies."""
        draws = [self._random("train", seed, step, index) for index in range(batch_size)]
        hr = np.stack([self._image(random, "train", index % 2 == 0) for index, random in enumerate(draws)])
        return to_float(shrunk(hr, self.upscale)), to_float(hr)

    def pairs(self, stream: str, number: int) -> list[ImagePair]:
        """`number` images of copies, then the same patches alone; the mask is the first copy, in the upper left."""
        mask = np.zeros((self.side * self.upscale,) * 2, np.bool_)
        width = self._width()
        border = self.upscale  # the network sees a seam there
        mask[border : width - border, border : width - border] = True
        return [
            ImagePair(kind, f"{index:03d}", hr, shrunk(hr[None], self.upscale)[0], mask)
            for kind in (TOGETHER, ALONE)
            for index in range(number)
            for hr in [self._image(self._random(stream, 0, 0, index), stream, kind == TOGETHER)]
        ]

    def baselines(self, stream: str, number: int) -> dict[str, list[Pixels]]:
        """Bicubic enlargement of the images of `pairs`."""
        return {"bicubic": [imresize(pair.lr, self.upscale) for pair in self.pairs(stream, number)]}

    def _width(self) -> int:
        """The side of a copy in HR pixels."""
        return self.side * self.upscale // self.copies

    def _random(self, stream: str, seed: int, step: int, index: int) -> np.random.Generator:
        return np.random.Generator(np.random.Philox(key=seed, counter=[0, index, STREAMS[stream], step]))

    def _image(self, random: np.random.Generator, stream: str, together: bool) -> Pixels:
        """HR (p * upscale, p * upscale, 3): copies of one patch, or the same first patch among others."""
        pictures = textures(stream)
        width, number = self._width(), self.copies**2
        extent = width + self.upscale - 1
        kinds = random.integers(0, len(pictures), number)
        places = random.random((number, 2))
        shifts = random.integers(0, self.upscale, (number, 2))
        patches = []
        for index in range(number):
            source = 0 if together else index
            picture = pictures[kinds[source]]
            top, left = (places[source] * (np.array(picture.shape) - extent + 1)).astype(int) + shifts[index]
            patches.append(picture[top : top + width, left : left + width])
        rows = [np.concatenate(patches[start : start + self.copies], 1) for start in range(0, number, self.copies)]
        return np.repeat(np.concatenate(rows)[..., None], 3, axis=2)


@functools.cache
def textures(stream: str) -> tuple[NDArray[np.uint8], ...]:
    """The gray pictures (height, width) of a stream, none of which shares a pixel with another stream's."""
    return tuple(_part(picture, stream) for picture in (*(read_image(photo_path(name)) for name in TEXTURES), _text()))


def _part(picture: Pixels, stream: str) -> Pixels:
    middle = picture.shape[0] // 2
    parts = {"train": picture[:middle], "validation": picture[middle:, :middle], "test": picture[middle:, middle:]}
    return parts[stream]


def _text() -> Pixels:
    """512x512 pixels of random letters in the font that Pillow ships, black on white."""
    random = np.random.default_rng(0)
    picture = Image.new("L", (512, 512), 255)
    draw = ImageDraw.Draw(picture)
    font = ImageFont.load_default(FONT_SIZE)
    letters = list("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789     ")
    for top in range(0, 512, FONT_SIZE + 2):
        draw.text((0, top), "".join(random.choice(letters, 100)), fill=0, font=font)
    return np.asarray(picture)
