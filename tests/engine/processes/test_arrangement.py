"""How cores are shared out: by hand-worked cases and by rules that hold for all of them."""

from __future__ import annotations

from contextlib import suppress

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from grla.engine.processes.arrangement import LARGE_STEP, Arrangement, Machine, Work, arrange, threads_of
from grla.errors import InputError

SMALL, LARGE = LARGE_STEP / 10, LARGE_STEP * 10
CASES = [
    # cells, batch, step, mib | cores, mib of the machine | workers, processes
    (Work(18, 4, SMALL, 50), Machine(2), Arrangement(2)),
    (Work(18, 4, SMALL, 50), Machine(32), Arrangement(18)),
    (Work(1, 4, SMALL, 50), Machine(2), Arrangement(1)),  # waiting for each other would take what two gain
    (Work(1, 4, LARGE, 1500), Machine(2), Arrangement(1, processes=2)),
    (Work(2, 4, LARGE, 1500), Machine(8), Arrangement(2, processes=4)),
    (Work(1, 4, LARGE, 1500), Machine(3), Arrangement(1, processes=2)),  # 4 patches are no three equal parts
    (Work(1, 5, LARGE, 1500), Machine(4), Arrangement(1, threads=4)),
    (Work(1, 1, LARGE, 1500), Machine(32), Arrangement(1, threads=32)),  # an outside model, say
    (Work(18, 4, SMALL, 1500), Machine(16, mib=10_000), Arrangement(4)),  # 0.8 x 10,000 / (1,500 + 500)
    (Work(18, 4, SMALL, 50_000), Machine(16, mib=10_000), Arrangement(1)),
    (Work(18, 4, LARGE, 1500), Machine(16, gpu=True), Arrangement(1, threads=16)),
]


@pytest.mark.parametrize(("work", "machine", "expected"), CASES)
def test_cells_get_a_core_each_and_large_ones_what_is_left(work: Work, machine: Machine, expected: Arrangement) -> None:
    assert arrange(work, machine) == expected


def test_what_is_asked_for_is_done() -> None:
    assert arrange(Work(18), Machine(2), workers=5) == Arrangement(5)
    assert arrange(Work(18), Machine(8), threads=4) == Arrangement(2, threads=4)
    assert arrange(Work(1, 4, LARGE), Machine(8), workers=1, threads=8) == Arrangement(1, threads=8)
    assert [Machine.here(torch.device(name)).gpu for name in ("cpu", "cuda", "mps")] == [False, True, True]
    assert arrange(Work(18), Machine(16, gpu=True), workers=4) == Arrangement(4, threads=4)


def test_more_threads_than_cores_are_refused() -> None:
    with pytest.raises(InputError, match=r"threads must be at most the cores at hand, 2, got 3"):
        arrange(Work(1), Machine(2), threads=3)


@given(
    cells=st.integers(1, 100),
    batch=st.integers(1, 64),
    step=st.floats(0, 1e13),
    mib=st.floats(1, 1e5),
    cores=st.integers(1, 256),
    memory=st.floats(100, 1e6),
)
def test_no_core_is_asked_for_twice_and_batches_are_shared_equally(
    cells: int, batch: int, step: float, mib: float, cores: int, memory: float
) -> None:
    found = arrange(Work(cells, batch, step, mib), Machine(cores, memory))
    assert 1 <= found.workers <= cells
    assert found.workers * found.processes * found.threads <= cores
    assert batch % found.processes == 0
    assert found.threads == 1 or step >= LARGE_STEP


@pytest.mark.parametrize(
    ("arrangement", "text"),
    [
        (Arrangement(), "1 cell at a time, trained with 1 thread"),
        (Arrangement(2), "2 cells at a time, trained with 1 thread each"),
        (Arrangement(1, 4, 2), "1 cell at a time, trained by 4 processes with 2 threads each"),
    ],
)
def test_an_arrangement_in_words(arrangement: Arrangement, text: str) -> None:
    assert str(arrangement) == text


def test_threads_are_as_before_afterwards() -> None:
    before = torch.get_num_threads()
    with suppress(RuntimeError), threads_of(before + 1):
        assert torch.get_num_threads() == before + 1
        raise RuntimeError("stopped in the middle")
    assert torch.get_num_threads() == before
