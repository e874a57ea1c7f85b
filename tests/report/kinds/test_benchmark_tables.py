"""Tables and sentences of benchmark records, made by hand."""

from __future__ import annotations

from typing import Any

import pytest

from grla.report.kinds.benchmark_tables import (
    cost_frame,
    cost_text,
    latency_table,
    memory_table,
    memory_verdict,
    readings_text,
    scaling_table,
    training_notes,
    training_table,
    tree_text,
)
from tests.report.records import (
    TREE,
    cost_record,
    latency_record,
    memory_record,
    scaling_record,
    training_record,
)


def test_the_table_has_units_and_says_what_they_count() -> None:
    head, _, row, *legend = cost_text(cost_record(), tree_depth=0).splitlines()
    names = [cell.strip() for cell in head.strip("|").split("|")]
    values = dict(zip(names, (cell.strip() for cell in row.strip("|").split("|")), strict=True))
    assert values == {
        "model": "my_net:build", "params K": "885.33", "MACs G": "78.27", "hook_flops G": "56.53",
        "elementwise G": "2.02", "transcendental G": "1.11", "activations M": "839.12", "activations MiB": "3200.98",
        "weights MiB": "3.40",
    }  # fmt: skip
    assert "fvcore and FlopCounterMode find the same number" in " ".join(legend)
    assert "Block" not in " ".join(legend)


def test_the_frame_has_all_numbers_and_no_tree() -> None:
    frame = cost_frame(cost_record())
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


def test_trees_and_readings_are_shown_where_asked_for() -> None:
    reading = {"rule": "all multiply-adds", "size": "output 1280x720", "value": 78_270_000_000, "off": 0.001}
    text = cost_text(cost_record() | {"published": 78.2, "readings": [reading]}, tree_depth=1)
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


def test_latencies_have_their_ratio_to_the_base() -> None:
    table = latency_table(latency_record())
    assert list(table) == ["model", "median ms", "p10 ms", "ratio to base"]
    assert [str(cell) for cell in table.iloc[2]] == ["peers:swinir_light", "10.0", "9.0", "1.95 [1.80, 2.10]"]


def cells(markdown: str) -> list[list[str]]:
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in markdown.splitlines()]


def test_the_memory_table_shows_medians_with_their_range_and_why_one_is_missing() -> None:
    header, _, fine, large = cells(memory_table(memory_record()))
    assert header == ["model", "forward MiB [low, high]", "training step MiB [low, high]", "outcome", "reason"]
    assert fine == ["relu", "300 [298, 305]", "2000 [1999, 2001]", "ok", ""]
    assert large == ["softmax", "900 [900, 900]", "-", "out_of_memory", "training_step: killed"]


def test_the_memory_table_has_what_a_gpu_reserved_where_there_is_one() -> None:
    header, _, fine, _ = cells(memory_table(memory_record(reserved=512.0)))
    assert dict(zip(header, fine, strict=True))["forward MiB reserved"] == "512"


def test_the_training_table_has_seconds_ratios_memory_and_shares() -> None:
    header, _, fine, failed = cells(training_table(training_record()))
    assert dict(zip(header, fine, strict=True)) == {
        "model": "relu",
        "s / 1000 iterations": "1600.0",
        "images / s": "2.50",
        "ratio to base [95 %]": "1.250 [1.200, 1.300]",
        "MiB": "2000",
        "data %": "1.0",
        "forward %": "30.0",
        "backward %": "60.0",
        "optimiser %": "5.0",
        "logging %": "4.0",
        "outcome": "ok",
        "reason": "",
    }
    assert failed == ["softmax", *["-"] * 9, "error", "no"]


def test_the_notes_tell_noise_and_the_harness_share() -> None:
    noise, harness = training_notes(training_record()).splitlines()
    assert noise == "Noise floor: the base against itself is 1.002 [0.990, 1.010]."
    assert "take 1.2 % of a small cell (800steps of 4 patches of 24x24)" in harness


def test_table_has_a_row_per_line_with_its_largest_size() -> None:
    record = scaling_record()
    record["exponents"][0] |= {"low": None, "high": None, "points": 2}
    record["exponents"][1] |= {"exponent": None, "low": None, "high": None, "points": 1}
    table = scaling_table(record)
    assert len(table) == 8
    softmax, relu = table.iloc[0], table.iloc[2]
    assert list(softmax[["tokens", "ms", "then"]]) == [16_384, 16.384, "stopped at the time limit"]
    assert list(softmax[["time exponent", "memory exponent"]]) == ["1.01 (2 points)", "-"]
    assert list(relu[["tokens", "ms", "MiB", "then"]]) == [65_536, 65.536, 32.768, ""]
    assert relu["time exponent"] == "1.01 [0.98, 1.04]"
    assert list(table["faster than softmax from"][2:4]) == ["5,123 tokens", "the smallest size"]
    # 16 bytes a token at 12 GB/s would take 0.0874 ms, and took 65.5.
    assert relu["times copy"] == pytest.approx(750)
    assert "nan" not in table.drop(columns=["times roof", "times copy"]).to_markdown()


def test_a_line_without_any_measured_point_is_in_the_table() -> None:
    record = scaling_record()
    for row in record["points"]:
        if row["name"] == "softmax":
            row |= {"outcome": "error", "median_ms": None, "memory_mib": None, "gflop_per_s": None}
    assert list(scaling_table(record)["then"][:2]) == ["error", "error"]


def test_verdict_on_memory_names_what_is_off() -> None:
    record = scaling_record()
    assert memory_verdict(record) == "Memory of linear kernels grows linearly, exponent at most 1.05: all are."
    for row in record["exponents"]:
        if row["name"] in ("relu", "softmax"):  # nothing is asked of networks, of softmax, or of time
            row["exponent"] = 1.2
    assert "not relu (forward: 1.20 [0.98, 1.04]), relu (forward + backward: " in memory_verdict(record)
    assert memory_verdict(record).count("relu") == 2
    assert memory_verdict(record | {"linear_kernels": []}) == "No linear kernel was measured."
