"""A network's counts as the tree of its modules, with equal neighbours merged."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import groupby

from torch import nn

from grla.cost.counts import Counts
from grla.cost.macs import counts_by_module

OWN = "itself"  # the part of a module's work and weights that none of its children has


@dataclass(frozen=True)
class Node:
    """A module, or `times` equal ones that are neighbours: `counts` is their total.

    `name` is the module's attribute in its parent ("0 to 5" of a list), `module` its class. The children's counts add
    up to `counts`; parts that cost nothing are left out.
    """

    name: str
    module: str
    times: int
    counts: Counts
    children: tuple[Node, ...]


def count_tree(model: nn.Module, input_shape: tuple[int, ...]) -> Node:
    """Count one forward pass of `model`, see `grla.cost.count`, as a tree."""
    return _node("", "", model, counts_by_module(model, input_shape))


def _node(path: str, name: str, module: nn.Module, shares: Mapping[str, Counts]) -> Node:
    """The module at `path`, from all modules' own shares; a shared module counts in its first place only."""
    prefix = f"{path}." if path else ""
    children = [_node(prefix + child, child, part, shares) for child, part in module.named_children()]
    children = [child for child in children if child.counts != Counts()]
    own = shares.get(path, Counts())
    counts = sum((child.counts for child in children), own)
    if children and own != Counts():
        children.append(Node("", OWN, 1, own, ()))
    return Node(name, type(module).__name__, 1, counts, _collapsed(children))


def _collapsed(siblings: Sequence[Node]) -> tuple[Node, ...]:
    """Runs of siblings that differ in nothing but the name, each as one node."""
    runs = (list(run) for _, run in groupby(siblings, key=lambda node: replace(node, name="")))
    return tuple(run[0] if len(run) == 1 else _together(f"{run[0].name} to {run[-1].name}", run) for run in runs)


def _together(name: str, equal: Sequence[Node]) -> Node:
    """Nodes of equal trees as one."""
    children = tuple(_together(parts[0].name, parts) for parts in zip(*(node.children for node in equal), strict=True))
    times = sum(node.times for node in equal)
    return Node(name, equal[0].module, times, sum((node.counts for node in equal), Counts()), children)
