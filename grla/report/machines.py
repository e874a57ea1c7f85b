"""On what records were computed, in words: by their own device and card, not by what else the machine has."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd


def on_cpu(record: Mapping[str, Any]) -> bool:
    """Whether a benchmark's record is of a CPU, or of none: counts need no device."""
    return bool(record.get("device", "cpu") == "cpu")


def machine_of(record: Mapping[str, Any]) -> str:
    """The card of a benchmark's record, or the processor and its threads."""
    machine = record["machine"]
    if on_cpu(record):
        return f"{machine['processor']}, {machine['torch_threads']} threads"
    return str(record.get("gpu") or machine["gpu"])


def cards_of(cells: pd.DataFrame) -> list[str]:
    """What the cells of a study were computed on: the names of cards, "cpu", and the device of rows without a card."""
    cards = cells.get("gpu", pd.Series("", cells.index)).fillna("")
    return sorted(set(cards.where(cards != "", cells["device"])))


def machines_of(cells: pd.DataFrame, machine: Mapping[str, Any]) -> str:
    """The same with the processor of `machine` from a study's provenance, and its card for rows that name none."""
    processor = f"{machine['torch_threads']} threads of {machine['processor']}"
    known = {"cpu": processor, "cuda": str(machine["gpu"])}
    return ", ".join(known.get(card, card) for card in cards_of(cells))


def mixed_cards(cells: pd.DataFrame) -> str:
    """A warning where the cells of a study were computed on several kinds of cards, else ""."""
    cards = cards_of(cells)
    if len(cards) < 2:
        return ""
    words = "latencies, memory and training times of different ones are not to be compared"
    return f"Mixed cards: cells were computed on {', '.join(cards)}; {words}, and means over both say nothing."
