"""What networks cost, from the record of `run_benchmark.py cost`: as a table, as trees of modules, and decoded."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pandas as pd

CLOSE = 0.01  # a counting rule gives a published figure when it comes within this share of it
NEAREST = 3  # how many readings are shown when none is close
LEGEND = """
MACs: every multiply-add, attention products included; fvcore and FlopCounterMode find the same number. FLOPs would be
twice that. hook_flops: the paper's rule, without the products inside attention. elementwise: one operation per element
of everything else; transcendental: those of them with an exponential, logarithm, sine or error function. activations:
outputs of convolution and linear modules, MiB in float32. weights: parameters and buffers."""


def cost_frame(record: dict[str, Any]) -> pd.DataFrame:
    """A row per network with all its numbers, without its tree."""
    return pd.DataFrame(record["models"]).drop(columns=["checked", "tree"])


def cost_text(record: dict[str, Any], tree_depth: int) -> str:
    """All that is printed: the table of networks, trees down to `tree_depth` levels (0: none), decoded readings."""
    frame = cost_frame(record)
    shown = pd.DataFrame(
        {
            "model": frame["model"],
            "params K": frame["num_params"] / 1e3,
            "MACs G": frame["macs"] / 1e9,
            "hook_flops G": frame["hook_flops"] / 1e9,
            "elementwise G": frame["elementwise_ops"] / 1e9,
            "transcendental G": frame["transcendental_ops"] / 1e9,
            "activations M": frame["activations"] / 1e6,
            "activations MiB": frame["activations_mib"],
            "weights MiB": frame["weights_mib"],
        }
    )
    parts = [shown.to_markdown(index=False, floatfmt=".2f"), LEGEND]
    if tree_depth > 0:
        parts += [f"\n{row['model']}\n{tree_text(row['tree'], tree_depth)}" for row in record["models"]]
    if "readings" in record:
        parts.append("\n" + readings_text(record["published"], record["readings"]))
    return "\n".join(parts)


def tree_text(tree: dict[str, Any], depth: int) -> str:
    """A module's counts and those of its parts, `depth` levels down, indented; a row is the sum of all it stands for.

    `tree` is a `grla.cost.tree.Node` as a dict.
    """
    rows = list(_rows(tree, depth))
    whole = max(tree["counts"]["macs"], 1)
    width = max(len(label) for label, _ in rows)
    head = ("params K", "MACs G", "MACs %", "elementwise G", "activations M")
    lines = [" " * width + "".join(f"{name:>15}" for name in head)]
    for label, counts in rows:
        macs = counts["macs"]
        numbers = (counts["num_params"] / 1e3, macs / 1e9, 100 * macs / whole, counts["elementwise_ops"] / 1e9)
        cells = (*numbers, counts["activations"] / 1e6)
        lines.append(f"{label:<{width}}" + "".join(f"{cell:>15.3f}" for cell in cells))
    return "\n".join(lines)


def _rows(node: dict[str, Any], depth: int, level: int = 0) -> Iterator[tuple[str, dict[str, int]]]:
    name = f"{node['name']}: " if node["name"] else ""
    times = f"{node['times']} x " if node["times"] > 1 else ""
    yield f"{'  ' * level}{name}{times}{node['module']}", node["counts"]
    if level < depth:
        for child in node["children"]:
            yield from _rows(child, depth, level + 1)


def readings_text(published: float, readings: list[dict[str, Any]]) -> str:
    """Which counting rules give the `published` figure (in units of 1e9), nearest first, or that none does."""
    close = [reading for reading in readings if reading["off"] <= CLOSE]
    verdict = (
        f"A published {published:g} G is, within {CLOSE:.0%}:"
        if close
        else f"No rule comes within {CLOSE:.0%} of a published {published:g} G. The nearest:"
    )
    rows = [
        {"counted": r["rule"], "on": r["size"], "G": r["value"] / 1e9, "off %": 100 * r["off"]}
        for r in close or readings[:NEAREST]
    ]
    return f"{verdict}\n\n" + pd.DataFrame(rows).to_markdown(index=False, floatfmt=".2f")
