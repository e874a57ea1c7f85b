"""Points of a sweep: a kernel or a network at one number of tokens, its time and memory in processes of their own."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import torch
from torch import Tensor, nn

from grla.attention import build_kernel
from grla.benchmark.networks import find_network, seeded
from grla.cost import Outcome, Roofs, Timing, count, one_pass, predict, run_in_child, time_pass, weigh_pass
from grla.errors import InputError

FORWARD, BOTH = PASSES = ("forward", "forward + backward")
BYTES = 4  # of a float32
Pass = Callable[[], object]


@dataclass(frozen=True)
class KernelSubject:
    """A kernel on q, k and v of shape (1, 1, tokens, head_dim), normal noise; all three get gradients."""

    name: str
    head_dim: int
    kind: str = "kernel"

    @seeded()
    def build(self) -> nn.Module:
        """The kernel at its defaults, on its fast path, in evaluation mode. Raises InputError for an unknown name."""
        return build_kernel(self.name, self.head_dim).eval()

    def tokens(self, wanted: int) -> int:
        """Every number is possible."""
        return wanted

    def inputs(self, wanted: int, device: torch.device, *, backward: bool) -> tuple[Tensor, ...]:
        """q, k and v; with `backward` they require gradients."""
        generator, shape = torch.Generator(device).manual_seed(0), (1, 1, wanted, self.head_dim)
        q, k, v = (torch.randn(shape, generator=generator, device=device, requires_grad=backward) for _ in range(3))
        return q, k, v

    def work(self, wanted: int) -> tuple[int, int]:
        """Multiply-adds, and the bytes of q, k, v and the output, which every method must read or write once."""
        macs = count(_Stacked(self.build()), (3, 1, 1, wanted, self.head_dim)).macs
        return macs, 4 * wanted * self.head_dim * BYTES


@dataclass(frozen=True)
class NetworkSubject:
    """A network, named as `find_network` takes it, on a square or nearly square LR image; a token is an LR pixel."""

    name: str
    upscale: int
    kind: str = "network"

    def build(self) -> nn.Module:
        """The network, in evaluation mode. Raises InputError for an unknown name."""
        return find_network(self.name, self.upscale)

    def tokens(self, wanted: int) -> int:
        """Pixels of the image whose number of pixels is nearest to `wanted`."""
        height, width = near_square(wanted)
        return height * width

    def inputs(self, wanted: int, device: torch.device, *, backward: bool) -> tuple[Tensor, ...]:
        """One LR image of noise in [0, 1], without gradient."""
        generator = torch.Generator(device).manual_seed(0)
        return (torch.rand(1, 3, *near_square(wanted), generator=generator, device=device),)

    def work(self, wanted: int) -> tuple[int, int]:
        """Multiply-adds, and the bytes of the LR image, the parameters and the SR image."""
        counts = count(self.build(), (1, 3, *near_square(wanted)))
        values = 3 * self.tokens(wanted) * (1 + self.upscale**2) + counts.num_params
        return counts.macs, values * BYTES


Subject = KernelSubject | NetworkSubject
"""What a line of a sweep measures. It is sent to other processes, so it holds names and numbers only."""


def near_square(pixels: int) -> tuple[int, int]:
    """Height and width of the nearly square image whose number of pixels is nearest to `pixels`."""
    height = math.isqrt(pixels)
    return height, round(pixels / height)


class _Stacked(nn.Module):
    """A kernel as a module of one input, which the counter needs: q, k and v stacked."""

    def __init__(self, kernel: nn.Module) -> None:
        super().__init__()
        self.kernel = kernel

    def forward(self, qkv: Tensor) -> Tensor:
        """(3, batch, num_heads, num_tokens, head_dim) -> (batch, num_heads, num_tokens, head_dim)."""
        out: Tensor = self.kernel(*qkv)
        return out


@dataclass(frozen=True)
class Point:
    """One subject at one size: its median time, its growth of memory, and its distance from the machine's roofs.

    `outcome` is ok, "stopped at the time limit", out_of_memory or error, with the `reason` in words. Multiply-adds,
    useful bytes, GFLOP/s and `times_roof` (its time over the least that the roofs allow) are given for finished forward
    passes only.
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


def measure_point(subject: Subject, passes: str, wanted: int, seconds_limit: float, device: torch.device) -> Point:
    """One size, its time in one process and its memory in another, each with one pass to warm up."""
    point = Point(subject.kind, subject.name, passes, subject.tokens(wanted), "ok")
    prepare = partial(_prepared_pass, subject, passes, wanted, device, torch.get_num_threads())
    answer = run_in_child(partial(_measured, time_pass, prepare, device, seconds_limit), 2 * seconds_limit)
    if answer.outcome == "ok":
        timing: Timing = answer.value
        point = replace(point, median_ms=timing.median_ms, runs=timing.runs)
        # Measuring memory slows allocation down, so it is given twice the time.
        answer = run_in_child(partial(_measured, weigh_pass, prepare, device), 4 * seconds_limit)
    slow = answer.outcome == "stopped at the time limit"
    reason = f"a pass takes more than {seconds_limit:g} s" if slow else answer.reason
    return replace(point, memory_mib=answer.value, outcome=answer.outcome, reason=reason)


def _measured(measure: Callable[..., object], prepare: Callable[[], Pass], *arguments: object) -> object:
    return measure(prepare(), *arguments)


def _prepared_pass(subject: Subject, passes: str, wanted: int, device: torch.device, num_threads: int) -> Pass:
    torch.set_num_threads(num_threads)
    backward = passes == BOTH
    return one_pass(subject.build().to(device).train(backward), subject.inputs(wanted, device, backward=backward))


def measure_line(
    subject: Subject,
    passes: str,
    sizes: Iterable[int],
    seconds_limit: float,
    device: torch.device,
    measure: Callable[..., Point] = measure_point,
) -> Iterator[Point]:
    """The points of one subject at the `sizes` in tokens, from small to large; a pass may take `seconds_limit`.

    A size is not tried if the smaller ones predict a pass beyond the time limit, or if one of them was stopped or did
    not fit; its outcome is then the predicted one. `measure` is called for each size that is tried.
    """
    seconds: dict[int, float] = {}
    ended: Outcome | None = None
    for wanted in sorted(set(sizes)):
        tokens = subject.tokens(wanted)
        predicted = predict(seconds, tokens)
        if ended is not None:
            reason = "not tried: a smaller size had this outcome"
            point = Point(subject.kind, subject.name, passes, tokens, ended, reason)
        elif predicted is not None and predicted > seconds_limit:
            reason = f"not tried: {predicted:.0f} s a pass predicted"
            point = Point(subject.kind, subject.name, passes, tokens, "stopped at the time limit", reason)
        else:
            point = measure(subject, passes, wanted, seconds_limit, device)
        if point.median_ms is not None:
            seconds[tokens] = point.median_ms / 1000
        if point.outcome in ("stopped at the time limit", "out_of_memory"):
            ended = point.outcome
        yield point


def beside_roofs(point: Point, subject: Subject, roofs: Roofs) -> Point:
    """The point with its distance from the roofs, if it is a finished forward pass whose work can be counted."""
    if point.median_ms is None or point.passes != FORWARD:
        return point
    try:
        macs, useful_bytes = subject.work(point.tokens)
    except InputError:  # an outside model may contain operations without a counting rule
        return point
    return replace(
        point,
        macs=macs,
        useful_bytes=useful_bytes,
        gflop_per_s=2 * macs / point.median_ms / 1e6,
        times_roof=point.median_ms / roofs.least_ms(2 * macs, useful_bytes),
    )
