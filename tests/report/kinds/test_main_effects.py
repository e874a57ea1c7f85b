"""The table of main effects of a grid."""

from __future__ import annotations

import pandas as pd

from grla.report.kinds.main_effects import main_effects_section
from grla.report.results import Results
from tests.report.statistics.test_main_effects import LAYOUT, scores


def test_a_grid_shows_what_each_factor_does_by_itself() -> None:
    text, table = main_effects_section(Results(LAYOUT, pd.DataFrame(), scores(), pd.DataFrame(), {})).blocks
    rows = {(cells[0][0], cells[1][0]): [cell for cell, _, _ in cells] for cells in table.rows}
    assert list(rows) == [("a", "y"), ("a", "z"), ("b", "on")]
    assert rows["a", "y"][2] == "x"
    assert rows["a", "y"][3].startswith("+1.0") or rows["a", "y"][3].startswith("+0.99")
    assert rows["a", "y"][4] == "better"
    assert [float(number) > 3.9 for number in (rows["a", "z"][6], rows["b", "on"][6])] == [True, True]
    assert "corrected for the main effects" in text.markdown()


def test_one_factor_has_no_section() -> None:
    layout = LAYOUT.__class__("s", "q?", "none", "quick", "grid", LAYOUT.factors[:1])
    assert not main_effects_section(Results(layout, pd.DataFrame(), scores(), pd.DataFrame(), {})).blocks
