"""What asks a run to stop, once and again, and what does not."""

from __future__ import annotations

import io
import os
import signal
from collections.abc import Iterator

import pytest
import torch

from grla.engine.processes.progress import SIGNALS, Progress, StopRequest
from grla.engine.processes.workers import STOPPED, _worker


@pytest.fixture(autouse=True)
def handlers() -> Iterator[None]:
    """A closed terminal is heard, also where the tests run under nohup; afterwards all handlers are as they were."""
    earlier = {number: signal.getsignal(number) for number in SIGNALS}
    signal.signal(signal.SIGHUP, signal.SIG_DFL)
    yield
    for number, handler in earlier.items():
        signal.signal(number, handler)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_the_first_signal_asks_and_the_second_interrupts(number: int, capsys: pytest.CaptureFixture[str]) -> None:
    with StopRequest() as stop:
        assert not stop.asked
        os.kill(os.getpid(), number)
        assert stop.asked
        assert capsys.readouterr().err == "\nStopping after this step; once more to stop at once.\n"
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), number)


def test_what_nohup_ignores_stays_ignored() -> None:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    with StopRequest() as stop:
        os.kill(os.getpid(), signal.SIGHUP)
        assert not stop.asked
    assert signal.getsignal(signal.SIGHUP) == signal.SIG_IGN


def test_a_worker_is_stopped_by_its_run_and_not_by_the_terminal() -> None:
    with StopRequest(quiet=True) as stop:
        for number in (signal.SIGINT, signal.SIGHUP):
            os.kill(os.getpid(), number)
        assert not stop.asked
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop.asked


def test_a_worker_that_is_stopped_at_once_ends_as_one_that_is_asked() -> None:
    def job(stop: StopRequest) -> None:
        for _ in range(2):
            os.kill(os.getpid(), signal.SIGTERM)

    with pytest.raises(SystemExit) as end:
        _worker(job, torch.device("cpu"), 0, torch.get_num_threads())
    assert end.value.code == STOPPED


def test_a_terminal_that_is_gone_stops_nothing() -> None:
    class Gone(io.StringIO):
        def write(self, text: str) -> int:
            raise OSError(5, "Input/output error")

    progress = Progress(1, StopRequest(), stream=Gone())
    progress.refused("trial 0", "too dear")
    progress.start("base seed 0").finished("ok")
    assert progress.num_done == 1
