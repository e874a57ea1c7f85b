"""The building blocks of GRLASR (GRLA paper, figure 4). All take and return (batch, height, width, dim)."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn

from grla.attention import GlobalAttention, Linear, WindowAttention, build_kernel, linear, reflect_pad, watched
from grla.spec import AttentionLayer, ModelSpec, Norm

NEGATIVE_SLOPE = 0.05  # of every LeakyReLU outside the blocks, GRLA figure 4


class ChannelNorm(nn.LayerNorm):
    """LayerNorm over the channels of (batch, dim, height, width)."""

    def forward(self, x: Tensor) -> Tensor:
        """(batch, dim, height, width) -> the same shape."""
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


def build_norm(norm: Norm, dim: int) -> nn.Module:
    """The norm of the local branch on (batch, dim, height, width): "batch" (the paper's), "layer" or "none"."""
    if norm == "none":
        return nn.Identity()
    return nn.BatchNorm2d(dim) if norm == "batch" else ChannelNorm(dim)


class LocalFeatureExtraction(nn.Sequential):
    """norm, 1x1 convolution, 3x3 depthwise convolution, norm, 1x1 convolution; no biases.

    1x1 convolutions run as linear maps, which in eval mode include BatchNorm's scale and shift. They are folded in at
    each call; on a GPU, where this would be most of what is launched, once for the same weights after each change of
    mode.
    """

    plain_path = False

    def __init__(self, dim: int, norm: Norm) -> None:
        super().__init__(
            build_norm(norm, dim),
            nn.Conv2d(dim, dim, 1, bias=False),
            nn.Conv2d(dim, dim, 3, padding=1, groups=dim, bias=False),
            build_norm(norm, dim),
            nn.Conv2d(dim, dim, 1, bias=False),
        )
        self._folded: dict[int, FoldedOnce] = {0: FoldedOnce(), 3: FoldedOnce()}

    def train(self, mode: bool = True) -> Self:
        """As nn.Module does; what was folded is forgotten, as fused optimisers change weights without counting it."""
        self._folded = {place: FoldedOnce() for place in self._folded}
        return super().train(mode)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, height, width, dim) -> the same shape."""
        if self.plain_path:
            out: Tensor = super().forward(as_image(x))  # type: ignore[no-untyped-call]
            return as_tokens(out)
        x = self._normed(0, x)
        x = as_tokens(self[2](as_image(x)))
        return self._normed(3, x)

    def _normed(self, place: int, x: Tensor) -> Tensor:
        """The norm at `place` and the convolution after it."""
        norm, convolution = self[place], self[place + 1]
        assert isinstance(convolution, nn.Conv2d)
        once = x.is_cuda and not torch.is_grad_enabled() and not watched()
        if once and isinstance(norm, nn.BatchNorm2d) and not norm.training:
            return linear(x, *self._folded[place](norm, convolution))
        return normed_pointwise(norm, convolution, x)


def normed_pointwise(norm: nn.Module, convolution: nn.Module, x: Tensor) -> Tensor:
    """convolution(norm(x)) of tokens (batch, height, width, dim) for a 1x1 convolution without bias."""
    assert isinstance(convolution, nn.Conv2d)
    if isinstance(norm, nn.BatchNorm2d) and not norm.training:
        return linear(x, *fold(norm, convolution))
    return linear(as_tokens(norm(as_image(x))), convolution.weight.flatten(1))


def fold(norm: nn.BatchNorm2d, convolution: nn.Conv2d) -> tuple[Tensor, Tensor]:
    """Weight and bias of the linear map that a BatchNorm in eval mode and a 1x1 convolution without bias are."""
    assert norm.running_mean is not None
    assert norm.running_var is not None
    weight = convolution.weight.flatten(1)
    scale = norm.weight * torch.rsqrt(norm.running_var + norm.eps)
    return weight * scale, weight @ (norm.bias - scale * norm.running_mean)


class FoldedOnce:
    """`fold`, computed anew only when a tensor that it reads is another one or has changed; without gradients."""

    def __init__(self) -> None:
        self._read: list[tuple[int, int]] = []
        self._maps: tuple[Tensor, Tensor] | None = None

    def __call__(self, norm: nn.BatchNorm2d, convolution: nn.Conv2d) -> tuple[Tensor, Tensor]:
        """As `fold`."""
        tensors = (*norm.parameters(), *norm.buffers(), convolution.weight)
        if any(tensor.is_inference() for tensor in tensors):  # changes of which nobody counts
            return fold(norm, convolution)
        read = [(tensor.data_ptr(), tensor._version) for tensor in tensors]
        if self._maps is None or read != self._read:
            self._read, self._maps = read, fold(norm, convolution)
        return self._maps


class FeedForward(nn.Sequential):
    """Linear to mlp_ratio * dim channels, GELU, Linear back; with biases."""

    def __init__(self, dim: int, mlp_ratio: float) -> None:
        hidden = round(dim * mlp_ratio)
        super().__init__(Linear(dim, hidden), nn.GELU(), Linear(hidden, dim))


class PointwiseFusion(nn.Sequential):
    """1x1 convolution of several feature maps to one, and LeakyReLU, as in the dense aggregation."""

    plain_path = False

    def __init__(self, inputs: int, outputs: int) -> None:
        super().__init__(nn.Conv2d(inputs, outputs, 1), nn.LeakyReLU(NEGATIVE_SLOPE))

    def forward(self, maps: list[Tensor]) -> Tensor:
        """Maps (batch, height, width, dim) -> (batch, height, width, outputs)."""
        x = torch.cat(maps, dim=-1)
        if self.plain_path:
            out: Tensor = super().forward(as_image(x))  # type: ignore[no-untyped-call]
            return as_tokens(out)
        convolution, activation = self
        assert isinstance(convolution, nn.Conv2d)
        fused: Tensor = activation(linear(x, convolution.weight.flatten(1), convolution.bias))
        return fused


class TransformerLayer(nn.Module):
    """x + local(x), then x + attention(x), then x + feed_forward(x): the paper's TWSA or TLA, by its attention."""

    def __init__(self, spec: ModelSpec, attention: nn.Module) -> None:
        super().__init__()
        self.local = LocalFeatureExtraction(spec.dim, spec.norm)
        self.attention = attention
        self.feed_forward = FeedForward(spec.dim, spec.mlp_ratio)

    def forward(self, x: Tensor) -> Tensor:
        """(batch, height, width, dim) -> the same shape."""
        x = x + self.local(x)
        x = x + self.attention(x)
        out: Tensor = x + self.feed_forward(x)
        return out


class AttentionPair(nn.Module):
    """LayerNorm, then the spec's attention layers (TWSA and TLA), padded to whole windows and cropped after them."""

    def __init__(self, spec: ModelSpec, shift: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(spec.dim) if spec.pair_norm else nn.Identity()
        layers = [TransformerLayer(spec, build_attention(spec, layer, shift)) for layer in spec.layers]
        self.layers = nn.Sequential(*layers)
        self.multiple = spec.window_size if "window" in spec.layers else 1

    def forward(self, x: Tensor) -> Tensor:
        """(batch, height, width, dim) -> the same shape."""
        height, width = x.shape[1:3]
        out: Tensor = self.layers(self.norm(reflect_pad(x, self.multiple)))
        return out[:, :height, :width]


class PolymerizationBlock(nn.Sequential):
    """MPB: two attention pairs; with `shift_windows` the second one's windows are shifted by half a window."""

    def __init__(self, spec: ModelSpec) -> None:
        shift = spec.window_size // 2 if spec.shift_windows else 0
        super().__init__(AttentionPair(spec, shift=0), AttentionPair(spec, shift))


def build_attention(spec: ModelSpec, layer: AttentionLayer, shift: int) -> nn.Module:
    """The attention of one layer: softmax in windows, or the spec's kernel over all tokens."""
    if layer == "window":
        kernel = build_kernel("softmax", spec.dim // spec.num_heads, spec.num_heads)
        return WindowAttention(spec.dim, spec.num_heads, kernel, spec.window_size, shift)
    heads = spec.num_global_heads
    kernel = build_kernel(spec.kernel.name, spec.dim // heads, heads, **spec.kernel.options)
    options = (spec.local_values, spec.output_gate, spec.dynamic_values)
    return GlobalAttention(spec.dim, heads, kernel, *options)


def as_tokens(image: Tensor) -> Tensor:
    """A view (batch, height, width, dim) of (batch, dim, height, width)."""
    return image.permute(0, 2, 3, 1)


def as_image(tokens: Tensor) -> Tensor:
    """The inverse of `as_tokens`."""
    return tokens.permute(0, 3, 1, 2)
