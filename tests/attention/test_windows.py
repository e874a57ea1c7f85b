from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from grla.attention import build_kernel
from grla.attention.layers import GlobalAttention, WindowAttention
from grla.attention.windows import merge, partition, reflect_pad


@given(st.integers(1, 3), st.integers(1, 4), st.integers(1, 4), st.integers(1, 5))
def test_merge_undoes_partition(batch: int, rows: int, columns: int, window: int) -> None:
    x = torch.arange(batch * rows * columns * window**2 * 2.0).view(batch, rows * window, columns * window, 2)
    windows = partition(x, window)
    assert windows.shape == (batch * rows * columns, window**2, 2)
    torch.testing.assert_close(merge(windows, rows * window, columns * window), x, rtol=0, atol=0)


def test_a_window_holds_its_neighbourhood() -> None:
    x = torch.arange(16.0).view(1, 4, 4, 1)
    assert partition(x, 2)[1].flatten().tolist() == [2, 3, 6, 7]


@given(st.integers(1, 9), st.integers(1, 9), st.integers(1, 16))
def test_padding_is_numpys_reflection(height: int, width: int, multiple: int) -> None:
    x = torch.arange(float(height * width)).view(1, height, width, 1)
    padded = reflect_pad(x, multiple)
    missing = (-height % multiple, -width % multiple)
    expected = np.pad(x[0, :, :, 0].numpy(), ((0, missing[0]), (0, missing[1])), mode="reflect")
    assert np.array_equal(padded[0, :, :, 0].numpy(), expected)


def test_window_attention_does_not_look_outside_its_window() -> None:
    torch.manual_seed(0)
    layer = WindowAttention(4, 2, build_kernel("softmax", 2), window_size=4)
    x = torch.randn(1, 8, 8, 4)
    changed = x.clone()
    changed[:, 4:, 4:] += 1
    difference = (layer(changed) - layer(x)).abs().amax(-1)[0]
    assert (difference[4:, 4:] > 0).all()
    assert not difference[:4].any()
    assert not difference[:, :4].any()


@pytest.mark.parametrize("shift", [1, 2, 3])
def test_shifted_windows_are_windows_of_the_rolled_image(shift: int) -> None:
    torch.manual_seed(0)
    layer = WindowAttention(4, 2, build_kernel("softmax", 2), window_size=4, shift=shift)
    x = torch.randn(2, 8, 12, 4)
    still = WindowAttention(4, 2, build_kernel("softmax", 2), window_size=4)
    still.load_state_dict(layer.state_dict())
    rolled = still(torch.roll(x, (-shift, -shift), dims=(1, 2)))
    torch.testing.assert_close(layer(x), torch.roll(rolled, (shift, shift), dims=(1, 2)))


def test_global_attention_sees_every_token() -> None:
    torch.manual_seed(0)
    layer = GlobalAttention(4, 1, build_kernel("softmax", 4))
    x = torch.randn(1, 6, 6, 4)
    changed = x.clone()
    changed[0, 5, 5] += 1
    assert ((layer(changed) - layer(x)).abs().amax(-1) > 0).all()
