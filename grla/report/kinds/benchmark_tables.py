"""What `run_benchmark.py` prints and a benchmark's page shows of its records: tables and sentences, in Markdown."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import pandas as pd

from grla.report.document import EMPTY, Number
from grla.report.figures.bars import PARTS, SHARE, network_frame, phases
from grla.report.figures.scaling import LINE
from grla.study import MOSTLY_ELEMENTWISE

Record = Mapping[Any, Any]

CLOSE = 0.01  # a counting rule gives a published figure when it comes within this share of it
NEAREST = 3  # how many readings are shown when none is close
LINEAR = 1.05  # largest exponent that is called linear; buffers of constant size make that of small sizes lower than 1
LEGEND = """
MACs: every multiply-add, attention products included; fvcore and FlopCounterMode find the same number. FLOPs would be
twice that. hook_flops: the paper's rule, without the products inside attention. elementwise: one operation per element
of everything else; transcendental: those of them with an exponential, logarithm, sine or error function. activations:
outputs of convolution and linear modules, MiB in float32. weights: parameters and buffers."""


def cost_frame(record: Record) -> pd.DataFrame:
    """A row per network with all its numbers, without its tree."""
    return pd.DataFrame(record["models"]).drop(columns=["checked", "tree"])


def cost_text(record: Record, tree_depth: int) -> str:
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
    parts += [
        f"{row['model']}: elementwise operations are {row['elementwise_ops'] / row['macs']:.0%} of its MACs, which are "
        "not all multiply-adds if products are written elementwise."
        for row in frame.to_dict("records")
        if row["elementwise_ops"] > MOSTLY_ELEMENTWISE * row["macs"] > 0
    ]
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


def latency_table(record: Record) -> pd.DataFrame:
    """A row per network: its times in ms, and the ratio of its time to the base's."""
    frame = pd.DataFrame(record["models"])
    times = [str(name) for name in frame if str(name).endswith("_ms")]
    return pd.DataFrame(
        {
            "model": frame["name"],
            **{name.replace("_ms", " ms"): [Number(value, ".1f") for value in frame[name]] for name in times},
            "ratio to base": [_ratio(row, ".2f") for row in record["models"]],
        }
    )


def memory_table(record: Record) -> str:
    """Markdown: model, median MiB of each part with its lowest and highest, on a GPU MiB reserved; outcome, reason."""
    frame = network_frame(record)
    shown: dict[str, Any] = {"model": frame["model"]}
    for part, name in PARTS.items():
        shown[f"{name} MiB [low, high]"] = [str(_spread(row, part)) for row in frame.to_dict("records")]
        if frame[f"{part}_reserved_mib"].notna().any():
            shown[f"{name} MiB reserved"] = frame[f"{part}_reserved_mib"]
    return pd.DataFrame(shown | {"outcome": frame["outcome"], "reason": frame["reason"]}).to_markdown(
        index=False, floatfmt=".0f"
    )


def training_table(record: Record) -> str:
    """Markdown, the paper's table 11 and more: seconds, patches per second, ratio to the base, memory, shares in %."""
    frame = network_frame(record)
    shown = {
        "model": frame["model"],
        "s / 1000 iterations": frame["seconds_per_1000"].map("{:.1f}".format),
        "images / s": frame["images_per_second"].map("{:.2f}".format),
        "ratio to base [95 %]": [str(_ratio(row, ".3f")) for row in frame.to_dict("records")],
        "MiB": frame["training_step_mib"].map("{:.0f}".format),
        **{f"{phase} %": (100 * frame[f"{phase}{SHARE}"]).map("{:.1f}".format) for phase in phases(frame)},
        "outcome": frame["outcome"],
        "reason": frame["reason"],
    }
    return pd.DataFrame(shown).replace("nan", EMPTY).to_markdown(index=False, disable_numparse=True)


def throughput_table(record: Record) -> str:
    """Markdown: a row per model and arrangement of the cores, with its median and the range of the rounds."""
    rows = record["models"]
    shown = {
        "model": [row["model"] for row in rows],
        "batch": [f"{row['batch_size']} x {row['patch_size']}x{row['patch_size']}" for row in rows],
        "cells at a time": [row["workers"] for row in rows],
        "processes each": [row["processes"] for row in rows],
        "threads each": [row["threads"] for row in rows],
        "s / step": [Number(row["step_seconds"], ".3g") for row in rows],
        "patches / s": [_rounds(row, "patches_per_second", ".3g") for row in rows],
        "times the first": [_rounds(row, "times", ".2f") for row in rows],
    }
    return pd.DataFrame(shown).to_markdown(index=False, disable_numparse=True)


def _rounds(row: Mapping[str, float], name: str, spec: str) -> Number:
    return Number(row[name], spec, interval=(row[f"{name}_low"], row[f"{name}_high"]))


def training_notes(record: Record) -> str:
    """The noise floor, and the harness' share of a small cell's time, in two sentences."""
    floor, harness = record["noise_floor"], record["harness"]
    size = f"{harness['budget']} of {harness['batch_size']} patches of {harness['patch_size']}x{harness['patch_size']}"
    return (
        f"Noise floor: the base against itself is {floor['ratio']:.3f} [{floor['low']:.3f}, {floor['high']:.3f}].\n"
        f"Sampling, logs, checkpoints and storage take {100 * harness['harness_share']:.1f} % of a small cell ({size})."
    )


def scaling_table(record: Record) -> pd.DataFrame:
    """A row per subject and kind of pass: the largest size measured, its time and memory, and the fitted laws.

    `then` is how the next size ended; `times roof` the time over the least that copy and sgemm rate allow, `times copy`
    over what reading and writing the useful bytes once takes at the copy rate.
    """
    points = pd.DataFrame(record["points"])
    taken, useful = (pd.to_numeric(points[name]) for name in ("median_ms", "useful_bytes"))
    points["times_copy"] = taken * 1e6 * record["roofs"]["copy_gb_per_s"] / useful
    laws = {(*_key(row), row["quantity"]): _exponent(row) for row in record["exponents"]}
    crossings = {_key(row): _crossing(row) for row in record["crossovers"]}
    rows = []
    for names, line in points.groupby(LINE, sort=False):
        key = tuple(map(str, names))
        failed = line.loc[line["outcome"] != "ok", "outcome"]
        measured = line[line["median_ms"].notna()]
        last = measured.iloc[-1] if len(measured) else line.iloc[0]
        row = dict(zip(LINE, key, strict=True)) | {"tokens": last["tokens"], "ms": last["median_ms"]}
        row |= {"MiB": last["memory_mib"], "then": failed.iloc[0] if len(failed) else ""}
        for quantity in ("time", "memory"):
            row[f"{quantity} exponent"] = laws[*key, quantity]
        row |= {"faster than softmax from": crossings.get(key, ""), "times roof": last["times_roof"]}
        row["times copy"] = last["times_copy"]
        rows.append(row)
    return pd.DataFrame(rows)


def memory_verdict(record: Record) -> str:
    """Whether the memory of all linear kernels grows linearly, in a sentence; which do not, or were too short."""
    rows = [row for row in record["exponents"] if row["kind"] == "kernel" and row["quantity"] == "memory"]
    linear = [row for row in rows if row["name"] in record["linear_kernels"]]
    off = [
        f"{row['name']} ({row['passes']}: {_exponent(row)})"
        for row in linear
        if row["exponent"] is None or row["exponent"] > LINEAR
    ]
    if not linear:
        return "No linear kernel was measured."
    found = f"not {', '.join(off)}" if off else "all are"
    return f"Memory of linear kernels grows linearly, exponent at most {LINEAR}: {found}."


def _spread(row: Record, part: str) -> Number:
    middle, low, high = (row[f"{part}_{name}"] for name in ("mib", "low_mib", "high_mib"))
    return Number(middle, ".0f", interval=(low, high))


def _ratio(row: Record, spec: str) -> Number:
    return Number(row["ratio"], spec, interval=(row["low"], row["high"]))


def _key(row: Record) -> tuple[str, ...]:
    return tuple(row[name] for name in LINE)


def _exponent(law: Record) -> str:
    if law["exponent"] is None:
        return EMPTY
    if law["low"] is None:
        return f"{law['exponent']:.2f} ({law['points']} points)"
    return str(Number(law["exponent"], ".2f", interval=(law["low"], law["high"])))


def _crossing(row: Record) -> str:
    """In words: from how many tokens on something is faster than softmax."""
    if row["where"] == "within":
        return f"{row['tokens']:,.0f} tokens"
    return {"below": "the smallest size", "above": "above the largest size", "nowhere": EMPTY}[row["where"]]
