"""Work in a process of its own: every way it can end is an answer, and the parent goes on."""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
import torch

from grla.cost.child import run_in_child
from grla.cost.memory import is_out_of_memory
from grla.errors import InputError

TEN_TIB = 10 * 2**40


def about_it() -> tuple[int, str]:
    return os.getpid(), Path("/proc/self/oom_score_adj").read_text().strip()


def test_a_value_comes_back_from_another_process() -> None:
    answer = run_in_child(about_it, 60)
    assert answer.outcome == "ok"
    process, score = answer.value
    assert process != os.getpid()
    assert score == "1000"  # the system would end it before others


def test_what_takes_too_long_is_stopped() -> None:
    start = time.monotonic()
    answer = run_in_child(partial(time.sleep, 600), 0.2)
    assert (answer.outcome, answer.value) == ("stopped at the time limit", None)
    assert "0.2 s" in answer.reason
    assert time.monotonic() - start < 300


@pytest.mark.parametrize(
    "work", [partial(bytearray, TEN_TIB), partial(torch.empty, TEN_TIB // 4)], ids=["list", "torch"]
)
def test_what_cannot_be_allocated_is_out_of_memory(work: partial[object]) -> None:
    answer = run_in_child(work, 60)
    assert answer.outcome == "out_of_memory"
    assert "emory" in answer.reason


def be_asked_wrongly() -> None:
    raise InputError("model must be known, got 'x'")


@pytest.mark.parametrize(
    ("work", "outcome", "reason"),
    [
        (partial(signal.raise_signal, signal.SIGKILL), "out_of_memory", "its process was killed, as the system does"),
        (os.abort, "error", "its process ended by signal 6, Aborted"),
        (partial(os._exit, 3), "error", "its process ended with exit code 3"),
        (partial(math.sqrt, -1), "error", "ValueError: "),
        (be_asked_wrongly, "error", "model must be known, got 'x'"),
    ],
)
def test_every_other_end_is_an_answer(work: Callable[[], None], outcome: str, reason: str) -> None:
    answer = run_in_child(work)
    assert (answer.outcome, answer.value) == (outcome, None)
    assert answer.reason.startswith(reason)


def test_only_a_lack_of_memory_is_one() -> None:
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert not is_out_of_memory(RuntimeError("shapes do not match"))
