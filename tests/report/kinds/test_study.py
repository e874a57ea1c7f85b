"""What a study's summary says about how it was measured."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.report.conftest import MadeUp

QUIET = "Costs were measured once for each variant, with no cell of this study running, latency with 2 threads"
BUSY = "The machine was busy: cells got 50% to 99% of the processor time"
OTHERS = "Other work kept up to 43% of the machine's processors busy while costs were measured"
OLD = "Latencies and training times are those of up to 4 cells at once on one machine"


@pytest.mark.parametrize(
    ("columns", "said", "not_said"),
    [
        ({"workers": 2, "threads": 1, "latency_threads": 2, "processor_share": 0.99}, [QUIET], [BUSY, OLD]),
        ({"workers": 2, "threads": 1, "latency_threads": 2, "processor_share": [0.5, 0.99]}, [QUIET, BUSY], [OLD]),
        (
            {"latency_threads": 2, "workers": 2, "threads": 1, "others_share": [0.02, 0.43]},
            [QUIET, OTHERS],
            [BUSY, OLD],
        ),
        ({"latency_threads": 2, "workers": 2, "threads": 1, "others_share": 0.1}, [QUIET], [OTHERS, BUSY, OLD]),
        ({"workers": 4}, [OLD], [QUIET, BUSY]),  # as records said before costs were measured alone
        ({}, [], [QUIET, BUSY, OLD]),
    ],
)
def test_it_is_said_how_costs_were_measured_and_cells_trained(
    made_up: MadeUp,
    summary: Callable[[MadeUp], str],
    columns: dict[str, Any],
    said: list[str],
    not_said: list[str],
) -> None:
    half = len(made_up.cells) // 2
    rows = {name: value * half if isinstance(value, list) else value for name, value in columns.items()}
    text = summary(made_up._replace(cells=made_up.cells.assign(**rows)))
    assert [part for part in (QUIET, OTHERS, BUSY, OLD) if part in text] == said
    assert not any(part in text for part in not_said)
    if QUIET in said:
        assert "cells were trained up to 2 at once with 1 thread each" in text


def test_variants_of_many_elementwise_operations_are_named(made_up: Any, summary: Callable[[Any], str]) -> None:
    few = made_up._replace(cells=made_up.cells.assign(elementwise_ops=0.19 * made_up.cells["macs"]))
    assert "MACs: every multiply-add. hook_flops" in summary(few)
    many = few.cells["elementwise_ops"].where(few.cells["variant"] != "depth=1", 0.5 * few.cells["macs"])
    text = " ".join(summary(few._replace(cells=few.cells.assign(elementwise_ops=many))).split())
    assert "every multiply-add of a matrix product or convolution, but not of products that are written" in text
    assert "a large part of the MACs: depth=1 (50%). hook_flops" in text
