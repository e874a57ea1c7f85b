"""A sweep: its input is checked, a line ends where it must, real small points are what they should be."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from grla.attention import build_kernel, kernel_names
from grla.benchmark.networks import find_network
from grla.benchmark.points import (
    BOTH,
    FORWARD,
    KernelSubject,
    NetworkSubject,
    Point,
    beside_roofs,
    measure_line,
    measure_point,
    near_square,
)
from grla.benchmark.scaling import Sweep, crossovers, exponents
from grla.cost import count
from grla.cost.machine import Roofs
from grla.errors import InputError

ROOT = Path(__file__).parents[2]
CPU = torch.device("cpu")
STOPPED = "stopped at the time limit"
GOOD: dict[str, Any] = {
    "kernels": ("softmax", "relu"),
    "models": (),
    "tokens": (16, 32, 64),
    "head_dim": 8,
    "upscale": 4,
    "seconds_limit": 1.0,
    "fit_from": 1,
}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kernels": ("sofmax",)}, "unknown kernel 'sofmax'; known kernels: agent"),
        ({"models": ("sofmax",)}, r"model must be a kernel \(agent"),
        ({"kernels": (), "models": ()}, "kernels must name something to measure"),
        ({"tokens": (16, 32, 32)}, r"tokens must hold at least 3 different sizes from `fit_from` \(1\) on"),
        ({"fit_from": 17}, r"tokens must hold at least 3 different sizes from `fit_from` \(17\) on"),
        ({"tokens": (0, 16, 32, 64)}, "tokens must be a whole number of at least 1, got 0"),
        ({"head_dim": 0}, "head_dim must be a whole number of at least 1, got 0"),
        ({"seconds_limit": 0.0}, "seconds_limit must be above 0 and at most 86400, a day, got 0.0"),
        ({"seconds_limit": float("inf")}, "seconds_limit must be above 0 and at most 86400, a day, got inf"),
    ],
)
def test_what_cannot_be_measured_is_refused_at_once(change: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Sweep(**GOOD | change).subjects()


def made_up(outcomes: dict[int, str], seconds: dict[int, float]) -> list[Point]:
    """A line whose points are given, not measured."""

    def measured(subject: Any, passes: str, wanted: int, limit: float, device: torch.device) -> Point:
        outcome: Any = outcomes.get(wanted, "ok")
        ms = 1000 * seconds[wanted] if outcome == "ok" else None
        return Point(subject.kind, subject.name, passes, wanted, outcome, median_ms=ms)

    return list(measure_line(KernelSubject("softmax", 8), FORWARD, (64, 16, 4, 256, 4), 20.0, CPU, measured))


def test_a_size_predicted_beyond_the_limit_is_not_tried() -> None:
    """0.1 s and 1.6 s are an exponent of 2; the next one would take 25.6 s."""
    points = made_up({}, {4: 0.1, 16: 1.6})
    assert [point.tokens for point in points] == [4, 16, 64, 256]
    assert [point.outcome for point in points] == ["ok", "ok", STOPPED, STOPPED]
    assert points[2].reason == "not tried: 26 s a pass predicted"
    assert points[3].reason == "not tried: a smaller size had this outcome"


@pytest.mark.parametrize(("outcome", "then"), [("out_of_memory", "out_of_memory"), (STOPPED, STOPPED), ("error", "ok")])
def test_lack_of_time_or_memory_ends_a_line_but_an_error_does_not(outcome: str, then: str) -> None:
    points = made_up({16: outcome}, dict.fromkeys((4, 16, 64, 256), 0.1))
    assert [point.outcome for point in points] == ["ok", outcome, then, then]


def test_a_real_line_goes_on_to_what_does_not_fit() -> None:
    """2^40 tokens of q alone are 4 TiB; of the fourth size nothing is asked for any more."""
    line = list(measure_line(KernelSubject("relu", 1), BOTH, (4096, 2**40, 2**41), 60.0, CPU))
    assert [point.outcome for point in line] == ["ok", "out_of_memory", "out_of_memory"]
    assert "can't allocate memory" in line[1].reason
    assert line[0].median_ms is not None
    assert line[0].median_ms > 0


def test_a_real_point_that_takes_too_long_is_stopped() -> None:
    point = measure_point(KernelSubject("softmax", 55), FORWARD, 65_536, 0.05, CPU)
    assert (point.outcome, point.median_ms, point.memory_mib) == (STOPPED, None, None)
    assert point.reason == "a pass takes more than 0.05 s"
    assert str(point).endswith("65,536 tokens: stopped at the time limit (a pass takes more than 0.05 s)")


def test_a_real_point_of_a_network() -> None:
    """The SR image alone, 16 times the LR image, must be held."""
    point = measure_point(NetworkSubject("edsr_lite", 4), FORWARD, 4096, 60.0, CPU)
    assert (point.kind, point.outcome, point.tokens) == ("network", "ok", 4096)
    if point.memory_mib is not None:
        assert point.memory_mib > 3 * 4096 * 16 * 4 / 2**20


def test_work_of_a_kernel_by_hand() -> None:
    """Softmax: two products of N x N x head_dim; q, k, v and the output are four times N x head_dim floats."""
    assert KernelSubject("softmax", 8).work(64) == (2 * 64**2 * 8, 4 * 64 * 8 * 4)
    assert KernelSubject("softmax", 8).work(2**20)[0] == 2 * 2**40 * 8


def test_work_of_a_network_by_hand() -> None:
    counts = count(find_network("edsr_lite", 4), (1, 3, 8, 9))
    assert NetworkSubject("edsr_lite", 4).work(72) == (counts.macs, 4 * (3 * 72 * 17 + counts.num_params))


@given(st.integers(1, 10**7))
def test_images_are_nearly_square_and_have_nearly_the_pixels_asked_for(pixels: int) -> None:
    height, width = near_square(pixels)
    assert height <= width <= height + 2
    assert abs(height * width - pixels) <= height / 2
    assert near_square(height * width) == (height, width)


def test_inputs_require_gradients_only_where_something_goes_back_to_them() -> None:
    assert [x.requires_grad for x in KernelSubject("relu", 8).inputs(16, CPU, backward=True)] == [True] * 3
    assert [x.requires_grad for x in KernelSubject("relu", 8).inputs(16, CPU, backward=False)] == [False] * 3
    (lr,) = NetworkSubject("relu", 4).inputs(16, CPU, backward=True)
    assert (lr.shape, lr.requires_grad) == ((1, 3, 4, 4), False)


def test_distance_from_the_roofs_by_hand() -> None:
    """65,536 MACs in 1 ms are 0.131 GFLOP/s; at 0.0131 GFLOP/s on the roof they would take 10 ms."""
    subject, roofs = KernelSubject("softmax", 8), Roofs(copy_gb_per_s=100.0, sgemm_gflop_per_s=0.0131072)
    point = Point("kernel", "softmax", FORWARD, 64, "ok", median_ms=1.0)
    placed = beside_roofs(point, subject, roofs)
    assert placed.macs == 65_536
    assert placed.gflop_per_s == pytest.approx(0.131072)
    assert placed.times_roof == pytest.approx(0.1)
    for other in (Point("kernel", "softmax", BOTH, 64, "ok", median_ms=1.0), Point("k", "n", FORWARD, 64, "error")):
        assert beside_roofs(other, subject, roofs) is other


def test_laws_are_fitted_line_by_line_and_crossovers_are_among_one_kind() -> None:
    points = [
        Point(kind, name, FORWARD, n, "ok", median_ms=factor * n**power, memory_mib=float(n))
        for kind, name, factor, power in (
            ("kernel", "softmax", 1.0, 2),
            ("kernel", "relu", 100.0, 1),
            ("network", "relu", 1.0, 1),
        )
        for n in (16, 64, 256)
    ]
    points.append(Point("kernel", "taylor", FORWARD, 16, "error", "why"))
    laws = {(row["kind"], row["name"], row["quantity"]): row["exponent"] for row in exponents(points, 1)}
    assert laws["kernel", "softmax", "time"] == pytest.approx(2)
    assert laws["kernel", "relu", "time"] == pytest.approx(1)
    assert laws["network", "relu", "memory"] == pytest.approx(1)
    assert laws["kernel", "taylor", "time"] is None
    found = {(row["kind"], row["name"]): (row["where"], row["tokens"]) for row in crossovers(points)}
    assert found == {("kernel", "relu"): ("within", pytest.approx(100)), ("kernel", "taylor"): ("nowhere", None)}


WEIGH = """
import json, math, sys, torch
from grla.cost.scaling import one_pass, weigh_pass
from grla.benchmark.points import KernelSubject
cpu, found = torch.device("cpu"), {}
for name in sys.argv[1:]:
    subject = KernelSubject(name, 55)
    model = subject.build().train()
    few, many = (weigh_pass(one_pass(model, subject.inputs(n, cpu, backward=True)), cpu) for n in (32768, 65536))
    found[name] = few and math.log(many / few) / math.log(2)
print(json.dumps(found))
"""


def test_memory_of_linear_kernels_grows_with_an_exponent_of_one() -> None:
    """Forward and backward, at sizes that are large beside what Linux counts late; `none` has no backward pass."""
    linear = [name for name in kernel_names() if build_kernel(name, 55).linear and name != "none"]
    command = [sys.executable, "-c", WEIGH, *linear]
    done = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True, timeout=300)
    found = json.loads(done.stdout)
    if None in found.values():
        pytest.skip("this system cannot measure the peak of a part of a process")
    assert found == {name: pytest.approx(1, abs=0.05) for name in linear}
