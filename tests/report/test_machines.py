"""On what records say that they were computed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

from grla.report.kinds.benchmark import _provenance
from grla.report.machines import cards_of, machine_of, mixed_cards
from tests.report.records import ABOUT, latency_record

BESIDE = {"machine": ABOUT["machine"] | {"gpu": "a GPU of the machine"}}


@pytest.mark.parametrize(
    ("record", "said"),
    [
        (ABOUT, "a processor, 2 threads"),
        (ABOUT | BESIDE, "a processor, 2 threads"),  # counts: they name no device
        (latency_record() | BESIDE, "a processor, 2 threads"),
        (latency_record(gpu="H100") | BESIDE, "H100"),
        (ABOUT | BESIDE | {"device": "cuda"}, "a GPU of the machine"),  # as records were before they named the card
    ],
)
def test_a_record_is_of_its_own_device(record: dict[str, Any], said: str, tmp_path: Any) -> None:
    assert machine_of(record) == said
    assert _provenance(tmp_path, tmp_path / "latency.json", record)["machine"] == said


def test_cells_name_their_cards_or_their_device() -> None:
    cells = pd.DataFrame({"device": ["cpu", "cuda", "cuda"], "gpu": ["", "H100", None]})
    assert cards_of(cells) == ["H100", "cpu", "cuda"]
    assert cards_of(cells[["device"]]) == ["cpu", "cuda"]
    assert mixed_cards(cells[:1]) == mixed_cards(cells[1:2]) == ""
    assert mixed_cards(cells[:2]).startswith("Mixed cards: cells were computed on H100, cpu; latencies, memory and")


@pytest.mark.parametrize("second", ["T4", "H100"])
def test_a_study_says_on_which_cards_and_warns_where_they_mix(
    made_up: Any, summary: Callable[[Any], str], second: str
) -> None:
    half = len(made_up.cells) // 2
    cards = ["H100"] * half + [second] * (len(made_up.cells) - half)
    text = summary(made_up._replace(cells=made_up.cells.assign(device="cuda", gpu=cards)))
    assert ("Mixed cards: cells were computed on H100, T4" in text) == (second == "T4")
    assert "Mixed cards" not in summary(made_up)
