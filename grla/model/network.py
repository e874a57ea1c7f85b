"""GRLASR, the network of the GRLA paper (figure 4)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from grla.model.blocks import PointwiseFusion, PolymerizationBlock, as_image, as_tokens
from grla.model.recompute import recomputed
from grla.spec import ModelSpec


class GRLASR(nn.Module):
    """Maps LR images (batch, 3, height, width) in [0, 1] to SR images (batch, 3, upscale * height, upscale * width).

    Height and width can be any size of at least 1: the network pads and crops. The output is not clamped. With
    `checkpoint_activations` training stores only the blocks' inputs and recomputes each block, with equal results.
    """

    checkpoint_activations = False

    def __init__(self, spec: ModelSpec) -> None:
        super().__init__()
        dim, depth = spec.dim, spec.depth
        self.spec = spec
        self.head = nn.Conv2d(3, dim, 3, padding=1)
        self.blocks = nn.ModuleList(PolymerizationBlock(spec) for _ in range(depth))
        joints = range(2, depth + 1) if spec.aggregation else ()
        self.aggregations = nn.ModuleList(PointwiseFusion(inputs * dim, dim) for inputs in joints)
        self.fusion = nn.Sequential(PointwiseFusion(depth * dim, dim), nn.Conv2d(dim, dim, 3, padding=1))
        self.upsampler = nn.Sequential(nn.Conv2d(dim, 3 * spec.upscale**2, 3, padding=1), nn.PixelShuffle(spec.upscale))

    def forward(self, lr: Tensor) -> Tensor:
        """(batch, 3, height, width) -> (batch, 3, upscale * height, upscale * width)."""
        # Feature maps are kept as tokens, channels last, for which convolutions have a fast path as well.
        features = as_tokens(self.head(lr.contiguous(memory_format=torch.channels_last)))
        outputs: list[Tensor] = []
        x = features
        for index, block in enumerate(self.blocks):
            if index and self.aggregations:
                x = self.aggregations[index - 1]([features, *outputs])
            x = recomputed(block, x) if self.checkpoint_activations and torch.is_grad_enabled() else block(x)
            outputs.append(x)
        fuse, refine = self.fusion
        refined = features + as_tokens(refine(as_image(fuse(outputs))))
        sr: Tensor = self.upsampler(as_image(refined))
        return sr
