"""The tree of counts: parts add up to the whole, equal neighbours are one, and the whole is the count."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
from torch import Tensor, nn

from grla.cost import Counts, count
from grla.cost.tree import Node, count_tree
from grla.model import build_model
from grla.spec import EdsrLiteSpec, ModelSpec


class Shared(nn.Module):
    """One convolution in two places, run thrice, once of it without being called; and a product of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 3, 1, bias=False)
        self.again = nn.ModuleList([self.first])
        self.scale = nn.Parameter(torch.ones(3, 1, 1))

    def forward(self, x: Tensor) -> Tensor:
        return self.first(self.again[0](x)) @ nn.functional.conv2d(x, self.first.weight).mT * self.scale


MODELS = {
    "windows and GRBF": lambda: build_model(ModelSpec(dim=6, depth=3, window_size=3, num_heads=2)),
    "ridge": lambda: build_model(ModelSpec(dim=6, depth=2, window_size=3, num_heads=2, kernel="rbf_ridge")),
    "convolutions": lambda: build_model(EdsrLiteSpec(channels=4, blocks=3)),
    "shared": Shared,
    "one layer": lambda: nn.Conv2d(3, 3, 1),
}


def all_nodes(node: Node) -> Iterator[Node]:
    yield node
    for child in node.children:
        yield from all_nodes(child)


@pytest.mark.parametrize("name", MODELS)
def test_parts_add_up_to_the_whole(name: str) -> None:
    model = MODELS[name]()
    tree = count_tree(model, (1, 3, 5, 7))
    assert tree.counts == count(model, (1, 3, 5, 7))
    assert all(
        node.counts == sum((child.counts for child in node.children), Counts())
        for node in all_nodes(tree)
        if node.children
    )
    assert all(node.counts != Counts() for node in all_nodes(tree))


def find(node: Node, path: str) -> Node:
    for name in path.split("/"):
        (node,) = [child for child in node.children if child.name == name]
    return node


def test_equal_blocks_are_one_row_and_different_ones_are_not() -> None:
    tree = count_tree(build_model(ModelSpec(dim=6, depth=3, window_size=3, num_heads=2)), (1, 3, 6, 6))
    assert (tree.name, tree.module, tree.times) == ("", "GRLASR", 1)
    assert [child.name for child in tree.children] == ["head", "blocks", "aggregations", "fusion", "upsampler", ""]
    blocks = find(tree, "blocks/0 to 2")
    assert (blocks.module, blocks.times) == ("PolymerizationBlock", 3)
    pairs = find(blocks, "0 to 1")
    assert (pairs.module, pairs.times, pairs.counts) == ("AttentionPair", 6, blocks.counts)
    # Layer 0 has windows, layer 1 does not: two rows of six. Their qkv: 6 times 6 channels to 18 over 36 tokens.
    layers = find(pairs, "layers").children
    assert [(layer.name, layer.times) for layer in layers] == [("0", 6), ("1", 6)]
    assert find(layers[1], "attention/qkv").counts.macs == 6 * 36 * 6 * 18
    # The features go through ever wider convolutions: 12 channels, then 18.
    assert [child.times for child in find(tree, "aggregations").children] == [1, 1]


def test_a_modules_own_work_and_weights_have_a_row() -> None:
    tree = count_tree(Shared(), (1, 3, 4, 4))
    assert [(child.name, child.module) for child in tree.children] == [("first", "Conv2d"), ("", "itself")]
    first, own = (child.counts for child in tree.children)
    assert (first.num_params, first.macs, first.activations) == (9, 2 * 9 * 16, 2 * 48)
    assert (own.num_params, own.macs, own.elementwise_ops) == (3, 9 * 16 + 3 * 64, 48)
