"""Work in a process of its own, with a deadline: what takes too long or too much memory stops nothing else."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

from grla.cost.memory import is_out_of_memory

Outcome = Literal["ok", "stopped at the time limit", "out_of_memory", "error"]

# Children fork from a server that has imported these and run nothing: as fresh as any process, and sooner ready.
PRELOADED = ["torch", "scipy.stats", "pandas", "seaborn"]


@dataclass(frozen=True)
class Answer:
    """How a piece of work ended: `value` is what it returned if `outcome` is ok, `reason` says why if it is not."""

    outcome: Outcome
    value: Any = None
    reason: str = ""


def run_in_child(work: Callable[[], object], seconds_limit: float) -> Answer:
    """Run `work`, a picklable function without arguments, in a fresh process, and stop it after `seconds_limit`.

    The time counts from when the process has imported what it needs. A process that the system kills is taken to have
    run out of memory.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(work, there), daemon=True)
    process.start()
    there.close()
    try:
        here.recv()  # the imports are done
        if not here.poll(seconds_limit):
            return Answer("stopped at the time limit", reason=f"no answer within {seconds_limit:g} s")
        answer: Answer = here.recv()
        return answer
    except EOFError:
        process.join()
        outcome: Outcome = "out_of_memory" if process.exitcode == -signal.SIGKILL else "error"
        return Answer(outcome, reason=f"the process ended with code {process.exitcode}")
    finally:
        process.kill()
        process.join()
        here.close()


def _answer(work: Callable[[], object], channel: Connection) -> None:
    with suppress(OSError):
        # Should memory run out for good, this process is the one to go, not its parent (man 5 proc).
        Path("/proc/self/oom_score_adj").write_text("1000")
    channel.send(None)
    try:
        answer = Answer("ok", work())
    except Exception as error:  # whatever is wrong with what is measured is its outcome
        outcome: Outcome = "out_of_memory" if is_out_of_memory(error) else "error"
        answer = Answer(outcome, reason=f"{type(error).__name__}: {str(error).strip()}".splitlines()[0])
    channel.send(answer)
