from __future__ import annotations

import dataclasses
from typing import Any

import numpy as np
import pandas as pd
import pytest

from grla.report.statistics import Difference, Spread, differences_to_base
from grla.report.summary import summary_markdown
from grla.report.tables import decibel, group_table, interval, markdown, number, outcomes, verdict

BETTER = Difference(0.0123, 0.001, 0.0236, 3, 2, "better")
NOTHING = Difference(np.nan, np.nan, np.nan, 0, 0, "not compared")


def table(made_up: Any, index: int) -> pd.DataFrame:
    differences = differences_to_base(made_up.images, made_up.layout.variants())
    group = made_up.layout.groups()[index]
    return group_table(group, made_up.cells, made_up.images, differences).set_index("variant")


def test_number_formats() -> None:
    assert number(2.345, ".1f") == "2.3"
    assert number(np.nan, ".1f") == "-"
    assert decibel(Spread(28.91, 0.0304, 2)) == "28.910 ± 0.030"
    assert decibel(Spread(28.91, np.nan, 1)) == "28.910"
    assert interval(BETTER) == "+0.012 [+0.001, +0.024]"
    assert interval(NOTHING) == "-"
    assert interval(Difference(0.1, np.nan, np.nan, 1, 1, "not distinguishable")) == "+0.100"


def test_verdict_of_one_seed_is_never_bold() -> None:
    assert verdict(BETTER) == "**better**"
    assert verdict(dataclasses.replace(BETTER, num_seeds=1)) == "better on this seed (seeds not sampled)"
    assert verdict(NOTHING) == "not compared"


def test_rows_bicubic_first_base_marked(made_up: Any) -> None:
    assert list(table(made_up, 0).index) == ["bicubic", "gaussian_rbf (base)", "relu", "softmax"]
    assert list(table(made_up, 1).index) == ["bicubic", "1", "2", "4 (base)"]


def test_cells_of_the_table(made_up: Any) -> None:
    rows = table(made_up, 1)
    assert rows.loc["bicubic", "PSNR-Y dB"] == "29.000"
    assert rows.loc["bicubic", ["seeds", "over bicubic dB", "verdict", "MACs G"]].eq("-").all()
    assert rows.loc["4 (base)", "PSNR-Y dB"].startswith("29.32")
    assert rows.loc["4 (base)", "PSNR-Y dB"].endswith("0.035")
    assert rows.loc["4 (base)", "difference to base dB [95 %]"] == "-"
    assert rows.loc["1", "over bicubic dB"].startswith("+0.22")
    assert rows.loc["1", "verdict"] == "**worse**"
    costs = ["params K", "MACs G", "hook_flops G", "latency ms", "memory MiB", "train s"]
    assert list(rows.loc["1", costs]) == ["20.5", "3.00", "2.10", "12.3", "150", "45"]


def test_a_column_per_test_set_only_when_there_are_several(made_up: Any) -> None:
    assert table(made_up, 0).loc["bicubic", "Set5 dB"] == "28.500"
    assert table(made_up, 0).loc["bicubic", "Set14 dB"] == "30.000"
    one = made_up._replace(images=made_up.images[made_up.images["test_set"] == "Set5"])
    assert "Set5 dB" not in table(one, 0)


def test_failed_cells_stay_in_the_table(made_up: Any) -> None:
    half, whole = table(made_up, 0).loc["softmax"], table(made_up, 1).loc["2"]
    assert half["seeds"] == "1"
    assert half["verdict"] == "worse on this seed (seeds not sampled); 1 of 2 diverged at step 220"
    assert (whole["seeds"], whole["PSNR-Y dB"]) == ("0", "-")
    assert whole["verdict"] == "not compared; 2 of 2 diverged at steps 220, 220"
    assert whole["params K"] == "20.5"


def test_outcomes_in_words(made_up: Any) -> None:
    assert outcomes(made_up.cells.iloc[:0]) == "not run yet"
    assert outcomes(made_up.cells[made_up.cells["variant"] == "base"]) == ""
    memory = pd.DataFrame({"outcome": ["out_of_memory", "error", "ok"], "steps": [np.nan, np.nan, 400]})
    assert outcomes(memory) == "1 of 3 ran out of memory; 1 of 3 failed"


def test_markdown_survives_bars_and_line_breaks() -> None:
    lines = markdown(pd.DataFrame({"a": ["x | y\nz"], "b": [1]}), left=["a"]).splitlines()
    assert len(lines) == 3
    assert "x \\| y z" in lines[2]
    assert lines[1].startswith("|:--")


def test_summary_says_it_all(made_up: Any) -> None:
    text = summary_markdown(*made_up[:3], budget="400 steps", notes=["Latency at 320x180"])
    for words in (
        "# attention: Does the kernel matter?",
        "Source: GRLA paper, table 1",
        "Profile: quick; budget of every cell: 400 steps",
        "7 of 10 finished; 2 seeds",
        "Set5 (2 images), Set14 (1 image)",
        "- Latency at 320x180",
        "MACs: every multiply-add",
        "FLOPs would be 2 x MACs",
        "## kernel\n\n| variant",
        "## depth\n\n| variant",
        "## Cells that did not finish",
        "loss is nan \\| last 0.03",
        "smallest difference to the base it could have seen",
        "Compared on one seed only, so about that seed only: kernel=softmax.",
        "does not rank kernels",
    ):
        assert words in text
    assert text.endswith(".\n")


def test_summary_of_one_seed_gives_no_sd(made_up: Any) -> None:
    cells, images = (rows[~(rows["seed"] == 1)] for rows in (made_up.cells, made_up.images))
    text = summary_markdown(made_up.layout, cells, images, budget="400 steps")
    assert "One seed: seeds were not sampled" in text
    assert " ± 0" not in text
    assert "**" not in text


def test_summary_of_a_grid_and_of_a_study_that_has_just_begun(made_up: Any) -> None:
    grid = dataclasses.replace(made_up.layout, design="grid")
    text = summary_markdown(grid, made_up.cells, made_up.images, budget="400 steps")
    assert "## kernel x depth" in text
    assert "not run yet" in text
    nothing = made_up.images[made_up.images["variant"] == "bicubic"]
    begun = summary_markdown(made_up.layout, made_up.cells.iloc[:0], nothing, budget="400 steps")
    assert "Nothing could be compared" in begun


@pytest.mark.parametrize("seed_type", ["Int64", "float64"])
def test_seeds_may_be_nullable_integers(made_up: Any, seed_type: str) -> None:
    images = made_up.images.astype({"seed": seed_type})
    text = summary_markdown(made_up.layout, made_up.cells, images, budget="400 steps")
    assert "**worse**" in text
