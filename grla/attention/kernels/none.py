"""No attention: the null hypothesis that the layer's other parts do all the work."""

from __future__ import annotations

from torch import Tensor

from grla.attention.interface import AttentionKernel


class Kernel(AttentionKernel):
    """weights_ij = 0: nothing flows between tokens and the layer adds only the bias of its output projection.

    No cost. Rows do not sum to one; weights are nonnegative.
    """

    rows_sum_to_one = False
    nonnegative = True
    linear = True

    def weights(self, q: Tensor, k: Tensor) -> Tensor:
        """A matrix of zeros (batch, num_heads, num_queries, num_keys)."""
        return q.new_zeros(*q.shape[:-1], k.shape[-2])

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Zeros like q."""
        return q.new_zeros(q.shape)
