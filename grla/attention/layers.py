"""The two attention layers of GRLASR: qkv and output projections around any kernel."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, pad

from grla.attention import windows
from grla.attention.interface import AttentionKernel
from grla.attention.linear import Linear, linear


class GlobalAttention(nn.Module):
    """proj(kernel(qkv(x))) over all tokens of a feature map (batch, height, width, dim).

    With `local_values` a 5x5 depthwise convolution of the values is added to the kernel's output, as in FLatten (Han et
    al. 2023, Eq. 7), Agent attention and PolaFormer. With `dynamic_values` a 3x3 one is, with weights of each image's
    own: two linear maps of a head's channels, and a GELU between, make them of the mean of all tokens, as in InLine
    (Han et al. 2024). With `output_gate`, or if the kernel asks for it, what goes to the projection is multiplied by a
    linear map of x, as in MALA and PolaFormer.
    """

    def __init__(
        self,
        dim: int,
        num_heads: int,
        kernel: AttentionKernel,
        local_values: bool = False,
        output_gate: bool = False,
        dynamic_values: bool = False,
    ) -> None:
        super().__init__()
        self.num_heads = num_heads
        self.kernel = kernel
        self.qkv = Linear(dim, 3 * dim)
        self.gate = Linear(dim, dim) if output_gate or kernel.output_gate else None
        self.proj = Linear(dim, dim)
        self.local = nn.Conv2d(dim, dim, 5, padding=2, groups=dim) if local_values else None
        self.dynamic = _made_of_mean(dim, num_heads) if dynamic_values else None

    def forward(self, x: Tensor) -> Tensor:
        """(batch, height, width, dim) -> the same shape."""
        return self.attend(x.flatten(1, 2), x.shape[1]).view(x.shape)

    def attend(self, tokens: Tensor, height: int = 1) -> Tensor:
        """(batch, num_tokens, dim) -> the same shape; every token sees every token of its batch entry.

        The tokens are those of an image of this height, row by row, which only the convolution of values is told.
        """
        spare = 0 if self.kernel.plain_path else -self.kernel.head_dim % self.kernel.vector
        qkv = self._wider_qkv(tokens, spare) if spare else self.qkv(tokens)
        q, k, v = qkv.unflatten(-1, (3, self.num_heads, -1)).permute(2, 0, 3, 1, 4)
        out = self.kernel(q, k, v)
        for convolve in self._convolutions(tokens):
            out = out + pad(self._convolved(v[..., : self.kernel.head_dim], height, convolve), (0, spare))
        out = out.transpose(1, 2).flatten(2)
        if self.gate is not None:
            out = out * self.gate(tokens)
        projected: Tensor = self._narrower_proj(out, spare) if spare else self.proj(out)
        return projected

    def _convolutions(self, tokens: Tensor) -> Iterator[Callable[[Tensor], Tensor]]:
        """Those of the values of these tokens, as an image (batch, dim, height, width)."""
        if self.local is not None:
            yield self.local
        if self.dynamic is not None:
            made = self.dynamic(tokens.mean(1).unsqueeze(-1))
            yield partial(_each_by_its_own, weights=made.reshape(-1, 1, 3, 3))

    def _convolved(self, v: Tensor, height: int, convolve: Callable[[Tensor], Tensor]) -> Tensor:
        """A convolution of values (batch, num_heads, num_tokens, head_dim), as an image, in the same shape."""
        image = v.transpose(2, 3).flatten(1, 2).unflatten(2, (height, -1))
        heads: Tensor = convolve(image).flatten(2).unflatten(1, (self.num_heads, -1))
        return heads.transpose(2, 3)

    def _wider_qkv(self, tokens: Tensor, spare: int) -> Tensor:
        """qkv with each head padded by `spare` channels of zeros to a multiple of the processor's vector width."""
        weight, bias = (x.unflatten(0, (-1, self.kernel.head_dim)) for x in (self.qkv.weight, self.qkv.bias))
        return linear(tokens, pad(weight, (0, 0, 0, spare)).flatten(0, 1), pad(bias, (0, spare)).flatten())

    def _narrower_proj(self, out: Tensor, spare: int) -> Tensor:
        """proj of heads that are padded by `spare` channels."""
        weight = self.proj.weight.unflatten(1, (-1, self.kernel.head_dim))
        return linear(out, pad(weight, (0, spare)).flatten(1), self.proj.bias)


def _made_of_mean(dim: int, num_heads: int) -> nn.Sequential:
    """From the mean of tokens (batch, dim, 1) to the weights of a 3x3 depthwise convolution (batch, 9 * dim, 1)."""
    first, second = (nn.Conv1d(dim, times * dim, 1, groups=num_heads) for times in (1, 9))
    return nn.Sequential(first, nn.GELU(), second)


def _each_by_its_own(images: Tensor, weights: Tensor) -> Tensor:
    """Each channel of each image convolved by weights of its own, (batch * channels, 1, 3, 3)."""
    return conv2d(images.flatten(0, 1).unsqueeze(0), weights, padding=1, groups=len(weights)).view(images.shape)


class WindowAttention(GlobalAttention):
    """The same within non-overlapping windows; height and width must be multiples of `window_size`.

    `shift` moves the windows cyclically by that many pixels. As in ELAN (Zhang et al. 2022) shifted windows are not
    masked: those at the border hold pixels of opposite sides of the image.
    """

    def __init__(self, dim: int, num_heads: int, kernel: AttentionKernel, window_size: int, shift: int = 0) -> None:
        super().__init__(dim, num_heads, kernel)
        self.window_size = window_size
        self.shift = shift

    def forward(self, x: Tensor) -> Tensor:
        """(batch, height, width, dim) -> the same shape."""
        height, width = x.shape[1:3]
        if self.shift:
            x = torch.roll(x, (-self.shift, -self.shift), dims=(1, 2))
        out = windows.merge(self.attend(windows.partition(x, self.window_size)), height, width)
        return torch.roll(out, (self.shift, self.shift), dims=(1, 2)) if self.shift else out
