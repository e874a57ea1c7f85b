"""GRLASR, the network of the GRLA paper (figure 4)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from grla.model.blocks import PolymerizationBlock
from grla.spec import ModelSpec

NEGATIVE_SLOPE = 0.05  # of every LeakyReLU outside the blocks, GRLA figure 4


class GRLASR(nn.Module):
    """Maps LR images (batch, 3, height, width) in [0, 1] to SR images (batch, 3, upscale * height, upscale * width).

    Any height and width of at least 1 will do: the network pads and crops itself. The output is not clamped.
    """

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        dim, depth = spec.dim, spec.depth
        self.spec = spec
        self.head = nn.Conv2d(3, dim, 3, padding=1)
        self.blocks = nn.ModuleList(PolymerizationBlock(spec) for _ in range(depth))
        joints = range(2, depth + 1) if spec.aggregation else ()
        self.aggregations = nn.ModuleList(_pointwise(inputs * dim, dim) for inputs in joints)
        self.fusion = nn.Sequential(_pointwise(depth * dim, dim), nn.Conv2d(dim, dim, 3, padding=1))
        self.upsampler = nn.Sequential(nn.Conv2d(dim, 3 * spec.upscale**2, 3, padding=1), nn.PixelShuffle(spec.upscale))

    def forward(self, lr: Tensor) -> Tensor:
        """(batch, 3, height, width) -> (batch, 3, upscale * height, upscale * width)."""
        features = self.head(lr)
        outputs: list[Tensor] = []
        x = features
        for index, block in enumerate(self.blocks):
            if index and self.aggregations:
                x = self.aggregations[index - 1](torch.cat([features, *outputs], dim=1))
            x = block(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
            outputs.append(x)
        sr: Tensor = self.upsampler(features + self.fusion(torch.cat(outputs, dim=1)))
        return sr


def _pointwise(inputs: int, outputs: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(inputs, outputs, 1), nn.LeakyReLU(NEGATIVE_SLOPE))
