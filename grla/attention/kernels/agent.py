"""Agent attention (Han et al. 2024, "Agent Attention: On the Integration of Softmax and Linear Attention", Eq. 3)."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from grla.attention.interface import AttentionKernel, full
from grla.errors import require_at_least


class Kernel(AttentionKernel):
    """weights = softmax(s q a^T) softmax(s a k^T), with s = 1 / sqrt(head_dim) and `num_agents` agents a.

    Agents gather from all keys, and queries look at agents only. Each agent is the mean of one of `num_agents` equal
    chunks of the queries, in their order (of overlapping ones if there are fewer queries than agents). The authors pool
    squares of an image and add learned position biases, of which a kernel knows nothing, and a depthwise convolution of
    the values, which is an option of the layer, `ModelSpec.local_values`.

    Cost per token: 4 num_agents head_dim multiply-adds and 2 num_agents exponentials. Rows sum to one, weights are
    nonnegative.
    """

    rows_sum_to_one = True
    nonnegative = True
    linear = True

    def __init__(self, head_dim: int, *, num_agents: int = 49) -> None:
        super().__init__(head_dim)
        require_at_least("agent: num_agents", num_agents, 1)
        self.num_agents = num_agents
        self.softmax = torch.nn.Softmax(dim=-1)

    def weights(self, q: Tensor, k: Tensor) -> Tensor:
        """The attention matrix; see the class."""
        agents = self._agents(q)
        return self._look(q, agents) @ self._look(agents, k)

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """The attention output, agent by agent first."""
        with torch.autocast("cuda" if q.is_cuda else "cpu", enabled=False):
            queries, keys, values = full(q), full(k), full(v)
            agents = self._agents(queries)
            gathered = self._look(agents, keys) @ values
            return (self._look(queries, agents) @ gathered).to(v.dtype)

    def _look(self, q: Tensor, k: Tensor) -> Tensor:
        # Of q and k the one with fewer tokens is scaled: their product is the largest tensor here.
        few, many = (q, k) if q.shape[-2] < k.shape[-2] else (k, q)
        scaled = few / math.sqrt(self.head_dim)
        return torch.as_tensor(self.softmax(scaled @ many.mT if few is q else many @ scaled.mT))

    def _agents(self, q: Tensor) -> Tensor:
        """(..., num_agents, head_dim): means of chunks that begin at floor(i n / m) and end at ceil((i + 1) n / m)."""
        total = q.shape[-2]
        edges = range(self.num_agents)
        starts = [i * total // self.num_agents for i in edges]
        ends = [-(-(i + 1) * total // self.num_agents) for i in edges]
        chunks = [q[..., start:end, :].mean(-2) for start, end in zip(starts, ends, strict=True)]
        return torch.stack(chunks, dim=-2)
