"""Linear maps of tokens, through the faster of the two libraries that PyTorch ships for CPUs."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class Linear(nn.Linear):
    """`nn.Linear` that runs `linear` wherever no gradient is asked for."""

    plain_path = False

    def forward(self, x: Tensor) -> Tensor:
        """(..., in_features) -> (..., out_features)."""
        return super().forward(x) if self.plain_path else linear(x, self.weight, self.bias)


def linear(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x @ weight.T + bias: (..., inputs) -> (..., outputs) for a weight (outputs, inputs) and a bias (outputs,).

    For widths that are not multiples of a vector's (the paper's 55) PyTorch's usual BLAS runs at half its speed or
    less, and oneDNN, which PyTorch uses for convolutions and compiled graphs, does not.
    """
    if _onednn_suits(x) and not (torch.is_grad_enabled() and any(t.requires_grad for t in (x, weight))):
        out: Tensor = torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")
        return out
    return nn.functional.linear(x, weight, bias)


def _onednn_suits(x: Tensor) -> bool:
    return (
        x.device.type == "cpu" and x.dtype == torch.float32 and x.numel() > 0 and torch.backends.mkldnn.is_available()
    )
