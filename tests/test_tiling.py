"""Networks run in tiles: what is local comes out the same, what is not is another image."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import nn

from grla.errors import InputError
from grla.model import build_model
from grla.spec import ModelSpec
from grla.tiling import run_in_tiles


class Blur(nn.Module):
    """A 3x3 mean, every pixel repeated `upscale` times: it sees one pixel around it."""

    def __init__(self, upscale: int) -> None:
        super().__init__()
        self.upscale = upscale
        self.sizes: list[tuple[int, int]] = []

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        self.sizes.append((lr.shape[2], lr.shape[3]))
        blurred = nn.functional.avg_pool2d(lr, 3, 1, padding=1)
        return blurred.repeat_interleave(self.upscale, 2).repeat_interleave(self.upscale, 3)


def whole(*arguments: Any, **options: Any) -> torch.Tensor:
    """All bands of `run_in_tiles`."""
    return torch.cat(list(run_in_tiles(*arguments, **options)), dim=2)


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 25), st.integers(1, 4), st.sampled_from([1, 2, 3]))
def test_what_sees_no_farther_than_the_overlap_comes_out_the_same(
    height: int, width: int, tile: int, overlap: int, upscale: int
) -> None:
    lr, model = torch.rand(1, 3, height, width), Blur(upscale)
    torch.testing.assert_close(whole(model, lr, upscale, tile, overlap), model(lr))


def test_without_overlap_every_tile_is_a_whole_one() -> None:
    model = Blur(2)
    assert whole(model, torch.rand(1, 3, 10, 7), 2, tile=4).shape == (1, 3, 20, 14)
    assert set(model.sizes) == {(4, 4)}


def test_the_whole_is_of_the_type_and_channels_of_the_pieces() -> None:
    model = Blur(2)
    sr = whole(lambda lr: (model(lr)[:, :1] * 255).to(torch.uint8), torch.rand(1, 3, 9, 7), 2, tile=4)
    assert (sr.dtype, sr.shape) == (torch.uint8, (1, 1, 18, 14))


@pytest.mark.parametrize(("overlap", "heights"), [(0, [8, 8, 4]), (1, [8, 8, 4])])
def test_bands_are_rows_of_squares(overlap: int, heights: list[int]) -> None:
    """Of the last ones, which are shifted back without overlap, what was not there yet."""
    lr, model = torch.rand(1, 3, 10, 7), Blur(2)
    bands = run_in_tiles(model, lr, 2, 4, overlap)
    assert len(model.sizes) == 0
    assert next(bands).shape == (1, 3, 8, 14)
    assert len(model.sizes) == 2
    assert [8, *(band.shape[2] for band in bands)] == heights


def test_progress_adds_up_to_the_image() -> None:
    told: list[float] = []
    whole(Blur(1), torch.rand(1, 3, 10, 7), 1, tile=4, overlap=1, progress=told.append)
    assert len(told) == 6
    assert sum(told) == pytest.approx(70)


def seam(layers: tuple[str, ...], overlap: int) -> float:
    """Largest difference, relative to the spread of the whole image's output, that tiles of 16 make."""
    torch.manual_seed(0)
    model = build_model(ModelSpec(dim=8, depth=1, num_heads=2, window_size=4, layers=layers)).eval()
    lr = torch.rand(1, 3, 32, 48)
    with torch.inference_mode():
        at_once = model(lr)
        return float((whole(model, lr, 4, 16, overlap) - at_once).abs().max() / at_once.std())


def test_windows_in_tiles_have_no_seams_and_attention_to_the_whole_image_has() -> None:
    assert seam(("window", "window"), overlap=12) < 1e-3
    assert seam(("window", "window"), overlap=12) < seam(("window", "window"), overlap=4)
    assert seam(("window", "global"), overlap=12) > 1e-3


@pytest.mark.parametrize(("tile", "overlap", "name"), [(0, 0, "tile"), (4, -1, "overlap")])
def test_impossible_tiles_are_refused(tile: int, overlap: int, name: str) -> None:
    with pytest.raises(InputError, match=f"{name} must be .* at least"):
        whole(Blur(1), torch.rand(1, 3, 4, 4), 1, tile, overlap)
