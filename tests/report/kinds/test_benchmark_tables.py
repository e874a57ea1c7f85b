"""What `run_benchmark.py cost` prints, from a record made by hand."""

from __future__ import annotations

from typing import Any

import pytest

from grla.report.kinds.cost import cost_frame, cost_text, readings_text, tree_text


def node(name: str, module: str, times: int, macs: int, *children: dict[str, Any]) -> dict[str, Any]:
    counts = {"num_params": macs // 1000, "macs": macs, "elementwise_ops": 2_000_000, "activations": 3_000_000}
    return {"name": name, "module": module, "times": times, "counts": counts, "children": list(children)}


TREE = node(
    "", "Net", 1, 2_000_000_000,
    node("blocks", "ModuleList", 1, 1_500_000_000, node("0 to 5", "Block", 6, 1_500_000_000)),
    node("", "itself", 1, 500_000_000),
)  # fmt: skip


@pytest.fixture
def record() -> dict[str, Any]:
    row = {
        "model": "my_net:build", "num_params": 885_328, "macs": 78_270_000_000, "hook_flops": 56_530_000_000,
        "elementwise_ops": 2_020_000_000, "transcendental_ops": 1_110_000_000, "activations": 839_120_000,
        "weight_bytes": 3_562_816, "activations_mib": 3200.98, "weights_mib": 3.40,
        "checked": {"lr_size": [24, 24], "macs": 1}, "tree": TREE,
    }  # fmt: skip
    return {"models": [row]}


def test_the_table_has_units_and_says_what_they_count(record: dict[str, Any]) -> None:
    head, _, row, *legend = cost_text(record, tree_depth=0).splitlines()
    names = [cell.strip() for cell in head.strip("|").split("|")]
    values = dict(zip(names, (cell.strip() for cell in row.strip("|").split("|")), strict=True))
    assert values == {
        "model": "my_net:build", "params K": "885.33", "MACs G": "78.27", "hook_flops G": "56.53",
        "elementwise G": "2.02", "transcendental G": "1.11", "activations M": "839.12", "activations MiB": "3200.98",
        "weights MiB": "3.40",
    }  # fmt: skip
    assert "fvcore and FlopCounterMode find the same number" in " ".join(legend)
    assert "Block" not in " ".join(legend)


def test_the_frame_has_all_numbers_and_no_tree(record: dict[str, Any]) -> None:
    frame = cost_frame(record)
    assert frame.loc[0, "weight_bytes"] == 3_562_816
    assert not {"tree", "checked"} & set(frame)


def test_a_tree_is_indented_and_cut_at_its_depth() -> None:
    lines = tree_text(TREE, 2).splitlines()
    assert lines[0].split() == ["params", "K", "MACs", "G", "MACs", "%", "elementwise", "G", "activations", "M"]
    labels = ["Net", "  blocks: ModuleList", "    0 to 5: 6 x Block", "  itself"]
    assert all(line.startswith(label + " ") for line, label in zip(lines[1:], labels, strict=True))
    assert lines[2].split()[-5:] == ["1500.000", "1.500", "75.000", "0.002", "3.000"]
    assert len(tree_text(TREE, 1).splitlines()) == 1 + 3
    assert len(tree_text(TREE, 0).splitlines()) == 1 + 1


def test_trees_and_readings_are_shown_where_asked_for(record: dict[str, Any]) -> None:
    reading = {"rule": "all multiply-adds", "size": "output 1280x720", "value": 78_270_000_000, "off": 0.001}
    text = cost_text(record | {"published": 78.2, "readings": [reading]}, tree_depth=1)
    assert "\nmy_net:build\n" in text
    assert "blocks: ModuleList" in text
    assert "all multiply-adds" in text


def reading(rule: str, off: float) -> dict[str, Any]:
    return {"rule": rule, "size": "output 1280x720", "value": 10_000_000_000, "off": off}


def test_only_close_readings_are_shown_or_that_there_is_none() -> None:
    some = readings_text(10.0, [reading("a", 0.0), reading("b", 0.01), reading("c", 0.011)])
    assert some.startswith("A published 10 G is, within 1%:")
    assert [line.split("|")[1].strip() for line in some.splitlines()[4:]] == ["a", "b"]
    none = readings_text(10.0, [reading(rule, 0.02) for rule in "abcd"])
    assert none.startswith("No rule comes within 1% of a published 10 G. The nearest:")
    assert [line.split("|")[1].strip() for line in none.splitlines()[4:]] == ["a", "b", "c"]
