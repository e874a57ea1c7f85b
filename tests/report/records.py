"""Records of `run_benchmark.py`, made by hand."""

from __future__ import annotations

from typing import Any

ABOUT: dict[str, Any] = {
    "protocol": "grla-benchmark-1",
    "code_version": "abc123",
    "machine": {"processor": "a processor", "torch_threads": 2, "gpu": None},
    "command_line": "python studies/run_benchmark.py",
    "upscale": 4,
}
SIZES = (4096, 16_384, 65_536)
LINES = [("kernel", "softmax"), ("kernel", "relu"), ("kernel", "none"), ("network", "relu")]
PASSES = ("forward", "forward + backward")


def peak(part: str, mib: float | None, low: float | None, high: float | None, reserved: float | None = None) -> Any:
    return {f"{part}_mib": mib, f"{part}_low_mib": low, f"{part}_high_mib": high, f"{part}_reserved_mib": reserved}


def memory_record(reserved: float | None = None) -> dict[str, Any]:
    fine = {"model": "relu", "outcome": "ok", "reason": ""}
    large = {"model": "softmax", "outcome": "out_of_memory", "reason": "training_step: killed"}
    rows = [
        fine | peak("forward", 300.4, 298.0, 305.0, reserved) | peak("training_step", 2000.0, 1999.0, 2001.0, reserved),
        large | peak("forward", 900.0, 900.0, 900.0, reserved) | peak("training_step", None, None, None),
    ]
    return {**ABOUT, "lr_size": [180, 320], "batch_size": 4, "patch_size": 64, "device": "cpu", "models": rows}


def training_record() -> dict[str, Any]:
    shares = {"data_share": 0.01, "forward_share": 0.3, "backward_share": 0.6, "optimiser_share": 0.05}
    speed = {"seconds_per_1000": 1600.0, "images_per_second": 2.5, "ratio": 1.25, "low": 1.2, "high": 1.3}
    rows = [
        {"model": "relu", **peak("training_step", 2000.0, 1999.0, 2001.0), "outcome": "ok", "reason": ""},
        {"model": "softmax", **peak("training_step", None, None, None), "outcome": "error", "reason": "no"},
    ]
    rows[0] |= speed | shares | {"logging_share": 0.04}
    harness = {"budget": "800steps", "batch_size": 4, "patch_size": 24, "harness_share": 0.0123}
    floor = {"ratio": 1.002, "low": 0.99, "high": 1.01}
    return {**ABOUT, "batch_size": 4, "patch_size": 64, "noise_floor": floor, "harness": harness, "models": rows}


def latency_record(low: float = 1.8, high: float = 2.1, gpu: str | None = None) -> dict[str, Any]:
    """GRLASR, itself again, and SwinIR-light, whose time is [low, high] times that of GRLASR."""
    times = {"median_ms": 10.0, "p10_ms": 9.0}
    rows = [
        {"name": "gaussian_rbf", **times, "ratio": 1.0, "low": 1.0, "high": 1.0},
        {"name": "gaussian_rbf again", **times, "ratio": 1.001, "low": 0.98, "high": 1.02},
        {"name": "peers:swinir_light", **times, "ratio": (low + high) / 2, "low": low, "high": high},
    ]
    where = {"device": "cuda" if gpu else "cpu", "gpu": gpu or ""}
    about = {**ABOUT, **where, "base": "gaussian_rbf", "lr_size": [128, 64], "rounds": 15}
    return {**about, "models": rows}


def _point(kind: str, name: str, passes: str, tokens: int) -> dict[str, Any]:
    """One point; softmax is stopped at the last size, the network does not fit in memory there."""
    row = {"kind": kind, "name": name, "passes": passes, "tokens": tokens, "outcome": "ok", "reason": ""}
    empty = ("median_ms", "memory_mib", "macs", "useful_bytes", "gflop_per_s", "times_roof")
    if tokens == SIZES[-1] and (name == "softmax" or kind == "network"):
        outcome = "out_of_memory" if kind == "network" else "stopped at the time limit"
        return row | {"outcome": outcome, "reason": "why", **dict.fromkeys(empty)}
    row |= dict.fromkeys(empty) | {"median_ms": tokens / 1000, "memory_mib": tokens / 2000}
    if passes == "forward":
        macs = 0 if name == "none" else 100 * tokens
        row |= {"macs": macs, "useful_bytes": 16 * tokens, "gflop_per_s": macs / 1e6, "times_roof": 2.5}
    return row


def scaling_record() -> dict[str, Any]:
    """A whole record of three kernels and a network."""
    about = [{"kind": kind, "name": name, "passes": passes} for kind, name in LINES for passes in PASSES]
    law = {"exponent": 1.01, "low": 0.98, "high": 1.04, "points": 3}
    crossing = {"kind": "kernel", "name": "relu"}
    return {
        **ABOUT,
        "linear_kernels": ["relu", "none"],
        "roofs": {"copy_gb_per_s": 12.0, "sgemm_gflop_per_s": 90.0},
        "points": [_point(**row, tokens=tokens) for row in about for tokens in SIZES],
        "exponents": [{**row, "quantity": quantity, **law} for row in about for quantity in ("time", "memory")],
        "crossovers": [
            {**crossing, "passes": PASSES[0], "tokens": 5123.4, "where": "within"},
            {**crossing, "passes": PASSES[1], "tokens": None, "where": "below"},
        ],
    }


def node(name: str, module: str, times: int, macs: int, *children: dict[str, Any]) -> dict[str, Any]:
    counts = {"num_params": macs // 1000, "macs": macs, "elementwise_ops": 2_000_000, "activations": 3_000_000}
    return {"name": name, "module": module, "times": times, "counts": counts, "children": list(children)}


TREE = node(
    "", "Net", 1, 2_000_000_000,
    node("blocks", "ModuleList", 1, 1_500_000_000, node("0 to 5", "Block", 6, 1_500_000_000)),
    node("", "itself", 1, 500_000_000),
)  # fmt: skip


def cost_record() -> dict[str, Any]:
    """One network and its tree of modules."""
    row = {
        "model": "my_net:build", "num_params": 885_328, "macs": 78_270_000_000, "hook_flops": 56_530_000_000,
        "elementwise_ops": 2_020_000_000, "transcendental_ops": 1_110_000_000, "activations": 839_120_000,
        "weight_bytes": 3_562_816, "activations_mib": 3200.98, "weights_mib": 3.40,
        "checked": {"lr_size": [24, 24], "macs": 1}, "tree": TREE,
    }  # fmt: skip
    return {**ABOUT, "models": [row]}
