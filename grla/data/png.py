"""PNG files written as their rows come (ISO/IEC 15948), for pictures that are too large to be held as a whole."""

from __future__ import annotations

import struct
import zlib
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from grla.errors import require

SIGNATURE = b"\x89PNG\r\n\x1a\n"
COLOUR_TYPES = {1: 0, 2: 4, 3: 2, 4: 6}
"""By number of channels: gray, gray with alpha, RGB, RGB with alpha."""
ROWS_AT_ONCE = 64
"""Filtered together, for which they are held several times."""


class PngWriter:
    """A PNG of 8 bits, whose rows are compressed into `file` from the top down as `write` is given them.

    `channels` is 1 (gray), 2 (gray, alpha), 3 (RGB) or 4 (RGB, alpha); `profile` an ICC profile that fits them.
    """

    def __init__(self, file: BinaryIO, width: int, height: int, channels: int, profile: bytes | None = None) -> None:
        require(channels in COLOUR_TYPES, "channels", "must be 1, 2, 3 or 4", channels)
        self.file = file
        self.rows_left = height
        self._shape = (width, channels)
        self._above = np.zeros(width * channels, np.uint8)
        self._stream = zlib.compressobj(memLevel=9, strategy=zlib.Z_FILTERED)
        file.write(SIGNATURE)
        self._chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, COLOUR_TYPES[channels], 0, 0, 0))
        if profile is not None:
            self._chunk(b"iCCP", b"ICC Profile\0\0" + zlib.compress(profile))

    def write(self, rows: NDArray[np.uint8]) -> None:
        """The next rows, (rows, width, channels), of gray also (rows, width); after the last one the file is complete.

        Raises InputError for another width or number of channels, and for more rows than the picture has.
        """
        flat = rows.reshape(len(rows), rows.shape[1], -1)
        require(flat.shape[1:] == self._shape, "rows", f"must be of (width, channels) {self._shape}", flat.shape[1:])
        require(len(rows) <= self.rows_left, "rows", f"must be at most the {self.rows_left} that are left", len(rows))
        for first in range(0, len(rows), ROWS_AT_ONCE):
            part = flat[first : first + ROWS_AT_ONCE].reshape(-1, self._above.size)
            self._data(self._stream.compress(filtered(part, self._above, self._shape[1]).tobytes()))
            self._above = part[-1]
        self.rows_left -= len(rows)
        if not self.rows_left:
            self._data(self._stream.flush())
            self._chunk(b"IEND", b"")

    def _data(self, compressed: bytes) -> None:
        if compressed:
            self._chunk(b"IDAT", compressed)

    def _chunk(self, kind: bytes, content: bytes) -> None:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        self.file.write(struct.pack(">I", len(content)) + kind + content + checksum)


def filtered(rows: NDArray[np.uint8], above: NDArray[np.uint8], channels: int) -> NDArray[np.uint8]:
    """Rows of bytes (rows, bytes), each by the filter that leaves the smallest differences, with its number in front.

    `above` is the row before the first. The filters are the standard's five (clause 9); that of the smallest sum of
    absolute differences is its recommendation (clause 12.8).
    """
    up = np.concatenate([above[None], rows[:-1]])
    left, corner = (np.pad(x, ((0, 0), (channels, 0)))[:, :-channels] for x in (rows, up))
    average = ((left.astype(np.uint16) + up) // 2).astype(np.uint8)
    candidates = [rows, rows - left, rows - up, rows - average, rows - _paeth(left, up, corner)]
    # A difference of 255 is one of -1.
    sums = [np.minimum(one, -one).sum(axis=1, dtype=np.int64) for one in candidates]
    best = np.argmin(sums, axis=0)
    chosen = np.stack(candidates)[best, np.arange(len(rows))]
    return np.concatenate([best.astype(np.uint8)[:, None], chosen], axis=1)


def _paeth(left: NDArray[np.uint8], up: NDArray[np.uint8], corner: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Of the three neighbours the one nearest to left + up - corner; of equals the first named."""
    a, b, c = (x.astype(np.int16) for x in (left, up, corner))
    of_left, of_up, of_corner = np.abs(b - c), np.abs(a - c), np.abs(a + b - 2 * c)
    return np.where((of_left <= of_up) & (of_left <= of_corner), left, np.where(of_up <= of_corner, up, corner))
