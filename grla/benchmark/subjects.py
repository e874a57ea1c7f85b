"""What is measured against the number of tokens: an attention kernel alone, or a whole network on an image."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from grla.attention import build_kernel
from grla.benchmark.networks import find_network
from grla.cost import count

BYTES = 4  # of a float32


class Subject(Protocol):
    """One line of a sweep; it travels to other processes, so it is names and numbers only."""

    @property
    def kind(self) -> str:
        """kernel or network; only subjects of one kind are compared."""

    @property
    def name(self) -> str:
        """As the user gave it."""

    def build(self) -> nn.Module:
        """The module, in eval mode. Raises InputError for an unknown name."""

    def tokens(self, wanted: int) -> int:
        """The number of tokens nearest to `wanted` that there is an input of."""

    def inputs(self, wanted: int, device: torch.device, *, backward: bool) -> tuple[Tensor, ...]:
        """What the module is called with, requiring gradients where a backward pass goes to the inputs."""

    def work(self, wanted: int) -> tuple[int, int]:
        """Multiply-adds by definition, and useful bytes: what must be read or written once whatever the method."""


@dataclass(frozen=True)
class KernelSubject:
    """A kernel on q, k and v of shape (1, 1, tokens, head_dim), normal noise; backward goes to all three."""

    name: str
    head_dim: int
    kind: str = "kernel"

    def build(self) -> nn.Module:
        """The kernel at its defaults, on its fast path."""
        torch.manual_seed(0)
        return build_kernel(self.name, self.head_dim).eval()

    def tokens(self, wanted: int) -> int:
        """Any number will do."""
        return wanted

    def inputs(self, wanted: int, device: torch.device, *, backward: bool) -> tuple[Tensor, ...]:
        """q, k and v."""
        torch.manual_seed(0)
        shape = (1, 1, wanted, self.head_dim)
        q, k, v = (torch.randn(shape, device=device, requires_grad=backward) for _ in range(3))
        return q, k, v

    def work(self, wanted: int) -> tuple[int, int]:
        """q, k and v are read once, the output is written once."""
        macs = count(_Stacked(self.build()), (3, 1, 1, wanted, self.head_dim)).macs
        return macs, 4 * wanted * self.head_dim * BYTES


@dataclass(frozen=True)
class NetworkSubject:
    """A network, named as `find_network` takes it, on a square or nearly square LR image; a token is an LR pixel."""

    name: str
    upscale: int
    kind: str = "network"

    def build(self) -> nn.Module:
        """The network."""
        return find_network(self.name, self.upscale)

    def tokens(self, wanted: int) -> int:
        """Pixels of the image."""
        height, width = near_square(wanted)
        return height * width

    def inputs(self, wanted: int, device: torch.device, *, backward: bool) -> tuple[Tensor, ...]:
        """One LR image of noise in [0, 1]; no gradient goes to it."""
        torch.manual_seed(0)
        return (torch.rand(1, 3, *near_square(wanted), device=device),)

    def work(self, wanted: int) -> tuple[int, int]:
        """The LR image and the parameters are read once, the SR image is written once."""
        counts = count(self.build(), (1, 3, *near_square(wanted)))
        values = 3 * self.tokens(wanted) * (1 + self.upscale**2) + counts.num_params
        return counts.macs, values * BYTES


def near_square(pixels: int) -> tuple[int, int]:
    """Height and width of the nearly square image whose number of pixels is nearest to `pixels`."""
    height = math.isqrt(pixels)
    return height, round(pixels / height)


class _Stacked(nn.Module):
    """A kernel as a module of one input, as the counter wants it: q, k and v stacked."""

    def __init__(self, kernel: nn.Module) -> None:
        super().__init__()
        self.kernel = kernel

    def forward(self, qkv: Tensor) -> Tensor:
        """(3, batch, num_heads, num_tokens, head_dim) -> (batch, num_heads, num_tokens, head_dim)."""
        out: Tensor = self.kernel(*qkv)
        return out
