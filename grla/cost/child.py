"""Running work in a child process with a time limit, so that lack of time or memory stops nothing else."""

from __future__ import annotations

import multiprocessing
import signal
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any, Literal

from grla.cost.memory import is_out_of_memory
from grla.errors import InputError

Outcome = Literal["ok", "stopped at the time limit", "out_of_memory", "error"]

PRELOADED = ["grla.engine", "pandas", "scipy.stats", "seaborn", "torch._dynamo", "torch.utils.tensorboard"]
"""What a process of ours needs and takes seconds to import."""


@dataclass(frozen=True)
class Answer:
    """How a piece of work ended: `value` is what it returned if `outcome` is ok, `reason` says why if it is not."""

    outcome: Outcome
    value: Any = None
    reason: str = ""


def run_in_child(work: Callable[[], object], seconds_limit: float | None = None) -> Answer:
    """Run `work`, a picklable function without arguments, in a fresh process; stop it after `seconds_limit`, if given.

    The limit does not include the imports of the process. Every failure of the work is an answer; a process that the
    system kills is taken to have run out of memory.
    """
    context = fresh_processes()
    here, there = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(work, there), daemon=True)
    process.start()
    there.close()  # so that recv() ends when the process does
    try:
        here.recv()  # the imports are done
        if not here.poll(seconds_limit):
            return Answer("stopped at the time limit", reason=f"no answer within {seconds_limit:g} s")
        answer: Answer = here.recv()
        return answer
    except EOFError:
        process.join()
        return _end(process.exitcode or 0)
    finally:
        process.kill()
        process.join()
        here.close()


def fresh_processes() -> ForkServerContext:
    """Where processes start that are as clean as new ones, without threads or CUDA, but ready sooner.

    They fork from a server that has imported PRELOADED and run nothing.
    """
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(PRELOADED)
    return context


def _answer(work: Callable[[], object], channel: Connection) -> None:
    with suppress(OSError):
        # If the system runs out of memory, it should kill this process and not its parent (man 5 proc).
        Path("/proc/self/oom_score_adj").write_text("1000")
    channel.send(None)
    try:
        answer = Answer("ok", work())
    except InputError as error:
        answer = Answer("error", reason=str(error))
    except Exception as error:  # every failure of what is measured is its outcome
        outcome: Outcome = "out_of_memory" if is_out_of_memory(error) else "error"
        answer = Answer(outcome, reason=f"{type(error).__name__}: {str(error).strip()}".splitlines()[0])
    channel.send(answer)


def _end(code: int) -> Answer:
    """The answer for a process that ended with exit code `code` before it sent one."""
    if code == -signal.SIGKILL:
        return Answer("out_of_memory", reason="its process was killed, as the system does when memory runs out")
    how = f"by signal {-code}, {signal.strsignal(-code)}" if code < 0 else f"with exit code {code}"
    return Answer("error", reason=f"its process ended {how}")
