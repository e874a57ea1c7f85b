"""ELU + 1 linear attention (Katharopoulos et al. 2020, "Transformers are RNNs", Eq. 5 and 7)."""

from __future__ import annotations

from torch import Tensor
from torch.nn.functional import elu

from grla.attention.interface import LinearKernel


class Kernel(LinearKernel):
    """weights_ij = f(q_i) . f(k_j) / (sum_j' f(q_i) . f(k_j') + eps), f(x) = elu(x) + 1, positive.

    eps = 1e-6 as in the authors' code. Cost per token: 2 head_dim (head_dim + 1) multiply-adds. Weights are
    nonnegative; rows sum to one up to eps, which matters where all of f(q) is tiny (very negative queries).
    """

    rows_sum_to_one = False
    nonnegative = True
    eps = 1e-6

    def map_q(self, q: Tensor) -> Tensor:
        """elu(q) + 1."""
        return elu(q) + 1

    def map_k(self, k: Tensor) -> Tensor:
        """elu(k) + 1."""
        return elu(k) + 1
