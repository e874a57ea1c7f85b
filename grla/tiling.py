"""Running a network on an image piece by piece, so that memory does not grow with the image."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from torch import Tensor

from grla.errors import require_at_least


def run_in_tiles(
    model: Callable[[Tensor], Tensor],
    lr: Tensor,
    upscale: int,
    tile: int,
    overlap: int = 0,
    progress: Callable[[float], object] = lambda pixels: None,
) -> Iterator[Tensor]:
    """SR (1, channels, upscale * h, upscale * w) of lr (1, channels, h, w) in squares of `tile` LR pixels, in bands.

    A band is a row of squares, (1, channels, rows, upscale * w); from the top down, their rows are those of the whole
    image, of which no more is held. It is of the type, on the device and of as many channels as what `model` returns.

    The network sees each square with `overlap` more pixels on every side that lies within the image, and only the
    square is kept. Without overlap the last squares of a row and a column are shifted back to full size, so that the
    network always sees as many tokens. Attention does not reach beyond a piece: a network that attends to the whole
    image computes something else in tiles; one with windows only computes nearly the same where `tile` and `overlap`
    are multiples of its window (windows then have the same places), up to what reaches across the overlap.

    After each square `progress` is called with its share of the image in LR pixels, which is equal for all.

    Raises InputError, at the first band, for a tile below 1 or a negative overlap.
    """
    require_at_least("tile", tile, 1)
    require_at_least("overlap", overlap, 0)
    height, width = lr.shape[2:]
    rows, columns = list(_spans(height, tile, overlap)), list(_spans(width, tile, overlap))
    done = 0
    for top, bottom, above, below in rows:
        band = None
        for left, right, before, after in columns:
            seen = model(lr[:, :, above:below, before:after])
            if band is None:
                band = seen.new_empty((*seen.shape[:2], upscale * (bottom - done), upscale * width))
            kept = seen[:, :, _scaled(upscale, max(top, done), bottom, above), _scaled(upscale, left, right, before)]
            band[:, :, :, _scaled(upscale, left, right)] = kept
            progress(height * width / (len(rows) * len(columns)))
        assert band is not None  # an image has a pixel
        done = bottom
        yield band


def _spans(size: int, tile: int, overlap: int) -> Iterator[tuple[int, int, int, int]]:
    """Start and end of each tile along an axis, and of what the network sees of it."""
    for first in range(0, size, tile):
        start = first if overlap else max(0, min(first, size - tile))
        end = min(start + tile, size)
        yield start, end, max(0, start - overlap), min(size, end + overlap)


def _scaled(upscale: int, start: int, end: int, origin: int = 0) -> slice:
    return slice(upscale * (start - origin), upscale * (end - origin))
