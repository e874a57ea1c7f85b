"""Softmax attention (Vaswani et al. 2017, "Attention Is All You Need", Eq. 1)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from grla.attention.interface import AttentionKernel

VECTOR = 16  # float32 channels in the widest vector register of CPUs


class Kernel(AttentionKernel):
    """weights_ij = exp(q_i . k_j / sqrt(head_dim)) / sum_j' exp(q_i . k_j' / sqrt(head_dim)).

    Cost per token: 2 * num_keys * head_dim multiply-adds. Rows sum to one, weights are nonnegative. Runs PyTorch's
    fused scaled_dot_product_attention; the plain path forms the matrix with an `nn.Softmax` module, because that is
    what the paper's operation counter saw.
    """

    rows_sum_to_one = True
    nonnegative = True
    linear = False

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
        # On CPUs the fused loop over channels runs at a third of its speed unless they fill whole vectors; channels of
        # zeros change neither scores nor values.
        missing = -self.head_dim % VECTOR if q.device.type == "cpu" else 0
        q, k, v = (nn.functional.pad(x, (0, missing)) if missing else x for x in (q, k, v))
        out = nn.functional.scaled_dot_product_attention(q, k, v, scale=self.head_dim**-0.5)
        return out[..., : self.head_dim]
