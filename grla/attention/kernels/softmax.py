"""Softmax attention (Vaswani et al. 2017, "Attention Is All You Need", Eq. 1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from grla.attention.dot_product import dot_product_attention
from grla.attention.interface import AttentionKernel


class Kernel(AttentionKernel):
    """weights_ij = exp(q_i . k_j / sqrt(head_dim)) / sum_j' exp(q_i . k_j' / sqrt(head_dim)).

    Cost per token: 2 * num_keys * head_dim multiply-adds. Rows sum to one, weights are nonnegative. Runs PyTorch's
    fused scaled_dot_product_attention; the plain path forms the matrix with an `nn.Softmax` module, because that is
    what the paper's operation counter saw.
    """

    rows_sum_to_one = True
    nonnegative = True
    linear = False
    vector = 8  # on CPUs the fused loop takes two to three times as long for heads of 11 channels as for 16

    def __init__(self, head_dim: int) -> None:
        super().__init__(head_dim)
        self.softmax = nn.Softmax(dim=-1)

    def weights(self, q: Tensor, k: Tensor) -> Tensor:
        """The attention matrix; see the class."""
        return torch.as_tensor(self.softmax(q * self.head_dim**-0.5 @ k.mT))

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """The attention output; see the class."""
        if self.plain_path:
            return self.weights(q, k) @ v
        return dot_product_attention(q, k, v, self.head_dim**-0.5)
