"""Work in a process of its own: every way it can end is an answer, and the parent goes on."""

from __future__ import annotations

import math
import os
import signal
import time
from functools import partial

import pytest
import torch

from grla.cost.child import run_in_child
from grla.cost.memory import is_out_of_memory

TEN_TIB = 10 * 2**40


def test_a_value_comes_back_from_another_process() -> None:
    answer = run_in_child(os.getpid, 60)
    assert answer.outcome == "ok"
    assert answer.value != os.getpid()


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


def test_a_process_that_the_system_kills_ran_out_of_memory() -> None:
    """As Linux does when memory runs out: a kill signal, no last word."""
    answer = run_in_child(partial(signal.raise_signal, signal.SIGKILL), 60)
    assert (answer.outcome, answer.reason) == ("out_of_memory", "the process ended with code -9")


def test_other_ends_are_errors() -> None:
    assert run_in_child(partial(math.sqrt, -1), 60).reason.startswith("ValueError: ")
    assert run_in_child(partial(os._exit, 3), 60).reason == "the process ended with code 3"


def test_only_a_lack_of_memory_is_one() -> None:
    assert is_out_of_memory(torch.OutOfMemoryError("CUDA out of memory"))
    assert not is_out_of_memory(RuntimeError("shapes do not match"))
