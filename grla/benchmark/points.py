"""One line of a sweep: a kernel or network at growing numbers of tokens, each point in processes of its own."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace

import torch

from grla.benchmark.subjects import Subject
from grla.cost import Outcome, Roofs, Timing, one_pass, predict, run_in_child, time_pass, weigh_pass
from grla.errors import InputError

FORWARD, BOTH = PASSES = ("forward", "forward + backward")


@dataclass(frozen=True)
class Point:
    """One subject at one size: its median time, its growth of memory, and how far it is from the machine's roofs.

    `outcome` is ok, "stopped at the time limit", out_of_memory or error, with the `reason` in words. Multiply-adds,
    useful bytes, GFLOP/s and `times_roof` (its time over the least by the roofs) are of finished forward passes only.
    """

    kind: str
    name: str
    passes: str
    tokens: int
    outcome: Outcome
    reason: str = ""
    median_ms: float | None = None
    runs: int = 0
    memory_mib: float | None = None
    macs: int | None = None
    useful_bytes: int | None = None
    gflop_per_s: float | None = None
    times_roof: float | None = None

    def __str__(self) -> str:
        about = f"{self.kind} {self.name}, {self.passes}, {self.tokens:,} tokens"
        if self.median_ms is None:
            return f"{about}: {self.outcome} ({self.reason})"
        memory = "memory not measured" if self.memory_mib is None else f"{self.memory_mib:.1f} MiB"
        return f"{about}: {self.median_ms:.1f} ms, {memory}"


def measure_line(
    subject: Subject, passes: str, sizes: Iterable[int], seconds_limit: float, device: torch.device
) -> Iterator[Point]:
    """The points of one subject at the `sizes` in tokens, from small to large; a pass may take `seconds_limit`.

    A size is not tried, and marked like it had been, where the sizes before predict a pass beyond the time limit, or
    where a smaller one was stopped or did not fit.
    """
    seconds: dict[int, float] = {}
    ended: Outcome | None = None
    for wanted in sorted(set(sizes)):
        tokens = subject.tokens(wanted)
        predicted = predict(seconds, tokens)
        if ended is not None:
            point = Point(subject.kind, subject.name, passes, tokens, ended, "not tried: a smaller size ended so")
        elif predicted is not None and predicted > seconds_limit:
            reason = f"not tried: {predicted:.0f} s a pass predicted"
            point = Point(subject.kind, subject.name, passes, tokens, "stopped at the time limit", reason)
        else:
            point = measure_point(subject, passes, wanted, seconds_limit, device)
        if point.median_ms is not None:
            seconds[tokens] = point.median_ms / 1000
        if point.outcome in ("stopped at the time limit", "out_of_memory"):
            ended = point.outcome
        yield point


def measure_point(subject: Subject, passes: str, wanted: int, seconds_limit: float, device: torch.device) -> Point:
    """One size, its time in one process and its memory in another, each with one pass to warm up."""
    point = Point(subject.kind, subject.name, passes, subject.tokens(wanted), "ok")
    task = Task(subject, passes == BOTH, wanted, device, torch.get_num_threads(), seconds_limit)
    answer = run_in_child(task.time, 2 * seconds_limit)
    if answer.outcome == "ok":
        timing: Timing = answer.value
        point = replace(point, median_ms=timing.median_ms, runs=timing.runs)
        # Memory is measured with slower allocation: what could be timed gets the time to be weighed.
        answer = run_in_child(task.weigh, 4 * seconds_limit)
    slow = answer.outcome == "stopped at the time limit"
    reason = f"a pass takes more than {seconds_limit:g} s" if slow else answer.reason
    return replace(point, memory_mib=answer.value, outcome=answer.outcome, reason=reason)


def beside_roofs(point: Point, subject: Subject, roofs: Roofs) -> Point:
    """The point with its distance from the roofs if it is a finished forward pass whose work can be counted."""
    if point.median_ms is None or point.passes != FORWARD:
        return point
    try:
        macs, useful_bytes = subject.work(point.tokens)
    except InputError:  # an outside model may hold what has no counting rule; it is timed all the same
        return point
    return replace(
        point,
        macs=macs,
        useful_bytes=useful_bytes,
        gflop_per_s=2 * macs / point.median_ms / 1e6,
        times_roof=point.median_ms / roofs.least_ms(2 * macs, useful_bytes),
    )


@dataclass(frozen=True)
class Task:
    """What the processes of a point do, all that they need to know of it."""

    subject: Subject
    backward: bool
    wanted: int
    device: torch.device
    num_threads: int
    seconds_limit: float

    def time(self) -> Timing:
        """The time of a pass."""
        return time_pass(self._pass(), self.device, self.seconds_limit)

    def weigh(self) -> float | None:
        """The growth of memory in a pass, in MiB."""
        return weigh_pass(self._pass(), self.device)

    def _pass(self) -> Callable[[], object]:
        torch.set_num_threads(self.num_threads)
        model = self.subject.build().to(self.device).train(self.backward)
        return one_pass(model, self.subject.inputs(self.wanted, self.device, backward=self.backward))
