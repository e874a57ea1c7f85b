"""Work in a process of its own: nothing before it is in its memory, and however it ends, the caller goes on."""

from __future__ import annotations

import multiprocessing
import signal
import traceback
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any, Literal

from grla.cost.memory import is_out_of_memory
from grla.errors import InputError


@dataclass(frozen=True)
class Answer:
    """How work ended: with its `value`, or with the reason why there is none."""

    outcome: Literal["ok", "out_of_memory", "error"]
    value: Any = None
    reason: str = ""


def in_fresh_process(work: Callable[..., object], *arguments: object) -> Answer:
    """Call `work(*arguments)` in a new Python process and wait for it.

    `work`, a function of a module, its arguments and its result must be picklable. Lack of memory, be it an exception
    or a kill, and faults are answers: this function raises nothing that `work` does wrong.
    """
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_run, args=(sender, work, arguments), daemon=True)
    process.start()
    sender.close()  # so that the end of the process is the end of the pipe
    try:
        answer: Answer = receiver.recv()
    except EOFError:  # it ended before it answered
        process.join()
        return _end(process.exitcode or 0)
    process.join()
    return answer


def _run(sender: Connection, work: Callable[..., object], arguments: tuple[object, ...]) -> None:
    with suppress(OSError):  # when memory runs out the system shall kill this process rather than another
        Path("/proc/self/oom_score_adj").write_text("1000")
    try:
        sender.send(Answer("ok", work(*arguments)))
    except InputError as error:
        sender.send(Answer("error", reason=str(error)))
    except Exception as error:  # whatever a model does wrong is the answer
        reason = f"{type(error).__name__}: {error}".splitlines()[0]
        lacking = is_out_of_memory(error)
        if not lacking:
            traceback.print_exc()
        sender.send(Answer("out_of_memory" if lacking else "error", reason=reason))


def _end(code: int) -> Answer:
    """The answer of a process that ended, with exit code `code`, before it gave one."""
    if code == -signal.SIGKILL:
        return Answer("out_of_memory", reason="its process was killed, as the system does when memory runs out")
    how = f"by signal {-code}, {signal.strsignal(-code)}" if code < 0 else f"with exit code {code}"
    return Answer("error", reason=f"its process ended {how}")
