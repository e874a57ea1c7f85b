from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from grla.errors import InputError
from grla.report import beside
from grla.study import Layout
from tests.shared import factor

Invent = Callable[[Layout], Any]


def one_factor(layout: Layout, name: str) -> Layout:
    return replace(layout, factors=(factor(name, ("gaussian_rbf", "softmax"), "gaussian_rbf"),))


def test_variants_of_the_same_name_stand_in_one_row(made_up: Any, invent: Invent, layout: Layout) -> None:
    """softmax lost 0.15 dB in the first study and gains 0.01 in the probe; relu is in the first alone."""
    table = beside(made_up.results, invent(one_factor(layout, "kernel")).results, ("photographs", "recall"))
    rows = {cells[0][0]: {column: text for text, _, column in cells} for cells in table.rows}
    assert list(rows) == ["gaussian_rbf (base)", "relu", "softmax"]
    assert rows["softmax"]["photographs difference dB"].startswith("-0.1")
    assert rows["softmax"]["recall difference dB"].startswith("+0.01")
    assert rows["relu"]["photographs dB"].startswith("29.3")
    assert rows["relu"]["recall dB"] == "-"
    assert "bicubic" not in rows
    assert "photographs difference dB [95 %]" in table.markdown()


def test_a_probe_of_something_else_is_refused(made_up: Any, invent: Invent, layout: Layout) -> None:
    with pytest.raises(InputError, match=r"'attention' must have a factor of attention, 'window', got \['kernel'"):
        beside(made_up.results, invent(one_factor(layout, "window")).results, ("photographs", "recall"))
