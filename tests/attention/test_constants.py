"""What CUDA graphs cannot hold: tensors of the CPU that come of assigning a number to a part of a tensor."""

from __future__ import annotations

import pytest
import torch
from torch.fx.experimental.proxy_tensor import make_fx

from grla.attention import build_kernel


@pytest.mark.parametrize("kernel", ["gaussian_rbf", "taylor"])
def test_no_constant_gets_into_the_graph_of_the_fast_path(kernel: str) -> None:
    attention = build_kernel(kernel, 4)
    graph = make_fx(attention)(*torch.rand(3, 1, 1, 5, 4)).graph
    assert not [node for node in graph.nodes if "constant" in str(node.target)]
