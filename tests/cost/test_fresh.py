"""Work in a process of its own: what it answers, and that every bad end is an answer as well."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

from grla.cost import in_fresh_process
from grla.errors import InputError


def describe(text: str) -> tuple[str, int, str]:
    return text.upper(), os.getpid(), Path("/proc/self/oom_score_adj").read_text().strip()


def be_killed() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def ask_for_too_much() -> None:
    torch.empty(2**50)


def be_wrong() -> None:
    raise KeyError("weight")


def be_asked_wrongly() -> None:
    raise InputError("model must be known, got 'x'")


def test_the_value_comes_back_from_another_process_that_would_be_killed_first() -> None:
    answer = in_fresh_process(describe, "yes")
    assert (answer.outcome, answer.reason) == ("ok", "")
    text, process, score = answer.value
    assert text == "YES"
    assert process != os.getpid()
    assert score == "1000"


@pytest.mark.parametrize(
    ("work", "outcome", "reason"),
    [
        (be_killed, "out_of_memory", "its process was killed, as the system does when memory runs out"),
        (ask_for_too_much, "out_of_memory", "can't allocate memory"),
        (os.abort, "error", "its process ended by signal 6, Aborted"),
        (be_wrong, "error", "KeyError: 'weight'"),
        (be_asked_wrongly, "error", "model must be known, got 'x'"),
    ],
)
def test_every_bad_end_is_an_answer(work: Callable[[], None], outcome: str, reason: str) -> None:
    answer = in_fresh_process(work)
    assert answer.outcome == outcome
    assert reason in answer.reason
    assert answer.value is None
