from __future__ import annotations

import dataclasses
import io
import re
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
import pytest

from grla.report.document import Strong, Table
from grla.report.statistics.verdicts import Difference
from grla.report.tables import baseline_rows, batches, decibel, interval, outcomes, study_tables, table_marks, verdict
from grla.study import Group, Layout
from tests.shared import factor

BETTER = Difference(0.0123, 0.001, 0.0236, 3, 2, "better")
NOTHING = Difference(np.nan, np.nan, np.nan, 0, 0, "not compared")


Summary = Callable[[Any], str]


def shown(table: Table) -> pd.DataFrame:
    """The texts of a table by its first column."""
    texts = [[text for text, _, _ in row] for row in table.rows]
    return pd.DataFrame(texts, columns=list(table.frame)).set_index("variant")


def table(made_up: Any, index: int) -> pd.DataFrame:
    return shown(study_tables(made_up.results)[index][1])


def test_number_formats() -> None:
    assert str(decibel(pd.Series([28.0, 28.2, np.nan]))) == "28.100 ± 0.141"
    assert str(decibel(pd.Series([28.91]))) == "28.910"
    assert str(decibel(pd.Series([], dtype=float))) == "-"
    assert str(interval(BETTER)) == "+0.012 [+0.001, +0.024]"
    assert str(interval(NOTHING)) == "-"
    assert str(interval(Difference(0.1, np.nan, np.nan, 1, 1, "not distinguishable"))) == "+0.100"


def test_verdict_of_one_seed_is_never_bold() -> None:
    assert verdict(BETTER) == Strong("better")
    assert verdict(dataclasses.replace(BETTER, num_seeds=1)) == "better on this seed (seeds not sampled)"
    assert verdict(NOTHING) == "not compared"


def test_a_verdict_that_the_interval_alone_contradicts_says_why() -> None:
    lost = dataclasses.replace(BETTER, verdict="not distinguishable", num_comparisons=8)
    assert verdict(lost) == "not distinguishable (corrected for 8 comparisons)"
    looked = dataclasses.replace(lost, num_looks=5)
    assert verdict(looked) == "not distinguishable (corrected for 8 comparisons at 5 looks)"


def test_rows_bicubic_first_base_marked(made_up: Any) -> None:
    assert list(table(made_up, 0).index) == ["bicubic", "gaussian_rbf (base)", "relu", "softmax"]
    assert list(table(made_up, 1).index) == ["bicubic", "1", "2", "4 (base)"]


def test_cells_of_the_table(made_up: Any) -> None:
    rows = table(made_up, 1)
    assert rows.loc["bicubic", "PSNR-Y dB"] == "29.000"
    assert rows.loc["bicubic", ["seeds", "over bicubic dB", "verdict", "MACs G"]].eq("-").all()
    assert rows.loc["4 (base)", "PSNR-Y dB"].startswith("29.32")
    assert rows.loc["4 (base)", "PSNR-Y dB"].endswith("0.035")
    assert rows.loc["4 (base)", "difference to base dB"] == "-"
    assert rows.loc["1", "over bicubic dB"].startswith("+0.22")
    assert rows.loc["1", "verdict"] == "worse"
    costs = ["params K", "MACs G", "hook_flops G", "latency ms", "memory MiB"]
    costs += ["train MiB", "train s", "s per 1000 steps"]
    assert list(rows.loc["1", costs]) == ["20.5", "3.00", "2.10", "12.3", "150", "210", "45", "112.5"]


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


def test_panels_are_compared_within_themselves(panels: Any) -> None:
    layout, found = panels.layout, panels.results.differences
    assert set(layout.variants()) - set(found) == {"base", "upscale=x2", "upscale=x3"}
    assert {found["upscale=x2, model=EDSR-lite"].base, found["model=EDSR-lite"].base} == {"upscale=x2", "base"}
    assert found["upscale=x2, model=EDSR-lite"].mean == pytest.approx(0.1, abs=0.005)  # not 6 dB
    assert found["upscale=x3, model=EDSR-lite"].verdict == "not compared"  # its panel's base diverged
    tables = [shown(table) for _, table in study_tables(panels.results)]
    assert [rows.loc["bicubic", "PSNR-Y dB"] for rows in tables[::2]] == ["35.000", "31.500", "29.000"]
    assert [rows.loc["EDSR-lite", "over bicubic dB"] for rows in tables[::2]] == ["+0.510", "+0.511", "+0.510"]
    assert list(tables[0].index) == ["bicubic", "GRLA (base)", "EDSR-lite"]
    assert tables[1].loc["32 (base)", "PSNR-Y dB"] == tables[0].loc["GRLA (base)", "PSNR-Y dB"]
    assert tables[1].loc["64", "verdict"] == "better"


def test_bicubic_of_a_panel_without_any_image_is_unknown(panels: Any, summary: Summary) -> None:
    images = panels.images[panels.images["variant"] == "bicubic"]
    group = panels.layout.groups()[0]
    assert baseline_rows(images, group).empty
    assert len(baseline_rows(images[images["test_images"] == "x2"], group)) == 3
    text = summary(panels._replace(images=images))
    assert re.search(r"\| bicubic +\| +- \| +- \|", text)


def test_summary_of_panels(panels: Any, summary: Summary) -> None:
    text = summary(panels)
    assert "- Compare only within one upscale: each upscale has its own base" in text
    assert text.count("| GRLA (base) ") == text.count("| 32 (base) ") == 3
    assert "the 6 comparisons" in text


def test_summary_of_a_wide_grid_and_of_many_levels(
    layout: Layout, invent: Callable[[Layout], Any], summary: Summary
) -> None:
    factors = (factor("norm", ("a", "b"), "a"), factor("width", ("1", "2", "3", "4"), "2"))
    many = (factor("kernel", tuple(f"kernel_{index}" for index in range(15)), "kernel_3"),)
    for design, levels, rows in (("grid", factors, 8), ("one_at_a_time", many, 15)):
        study = dataclasses.replace(layout, design=design, factors=levels)
        text = summary(invent(study))
        lines = text.split(f"## {study.groups()[0].title}\n\n")[1].split("\n\n")[0].splitlines()
        assert len({len(line) for line in lines}) == 1  # one whole table
        names = [line.split("|")[1].strip() for line in lines[2:]]
        assert names == ["bicubic", *(study.groups()[0].name(*row) for row in study.groups()[0].rows)]
        assert len(names) == rows + 1
        assert sum("(base)" in name for name in names) == 1
        assert f"the {rows - 1} comparisons" in text


def test_summary_says_it_all(made_up: Any, summary: Summary) -> None:
    text = summary(made_up)
    for words in (
        "# attention: Does the kernel matter?",
        "Source: GRLA paper, table 1",
        "Profile: quick; budget of every cell: 400 steps of 16 patches of 64x64 LR pixels",
        "7 of 10 finished; 2 seeds",
        "Set5 (2 images), Set14 (1 image)",
        "- Counts are for an output of 720x1280 pixels; latency and memory for an LR input of 48x64",
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


def test_batches_are_told_with_their_stages() -> None:
    plain = {"patch_size": 16, "batch_size": 8}
    assert batches(plain) == "8 patches of 16x16 LR pixels"
    grown = "8 patches of 16x16 LR pixels, 4 of 32x32 from step 100 on, 2 of 48x48 from step 200 on"
    assert batches({**plain, "stages": [[100, 32, 4], [200, 48, 2]]}) == grown


def test_summary_of_one_seed_gives_no_sd(made_up: Any, summary: Summary) -> None:
    cells, images = (rows[~(rows["seed"] == 1)] for rows in (made_up.cells, made_up.images))
    text = summary(made_up._replace(cells=cells, images=images))
    assert "One seed: seeds were not sampled" in text
    assert " ± 0" not in text
    assert "**" not in text


def test_summary_of_a_grid_and_of_a_study_that_has_just_begun(made_up: Any, summary: Summary) -> None:
    grid = dataclasses.replace(made_up.layout, design="grid")
    text = summary(made_up._replace(layout=grid))
    assert "## kernel x depth" in text
    assert "not run yet" in text
    nothing = made_up.images[made_up.images["variant"] == "bicubic"]
    begun = summary(made_up._replace(cells=made_up.cells.iloc[:0], images=nothing))
    assert "Nothing could be compared" in begun


@pytest.mark.parametrize("seed_type", ["Int64", "float64"])
def test_seeds_may_be_nullable_integers(made_up: Any, seed_type: str, summary: Summary) -> None:
    images = made_up.images.astype({"seed": seed_type})
    assert "**worse**" in summary(made_up._replace(images=images))


def test_a_summary_of_mixed_code_says_so_first(made_up: Any, summary: Summary) -> None:
    assert "Mixed code" not in summary(made_up)
    versions = ["89abcde", *made_up.cells["code_version"][1:]]
    lines = summary(made_up._replace(cells=made_up.cells.assign(code_version=versions))).splitlines()
    assert lines[:3] == [
        "# attention: Does the kernel matter?",
        "",
        "Mixed code: cells were computed at commits 1234567, 89abcde.",
    ]
    known = made_up.cells.assign(code_version=versions, source="0123456789abcdef")  # of two commits, one source
    assert "Mixed code" not in summary(made_up._replace(cells=known))


def test_costs_are_a_part_of_their_own_with_the_rows_that_have_some(made_up: Any) -> None:
    (_, whole), _ = study_tables(made_up.results)
    quality, costs = whole.parts
    both = [*quality.frame, *list(costs.frame)[1:]]
    assert both == [name for name in whole.frame if name != "images"]  # 3 in all rows, which the method says
    assert costs.frame["variant"].tolist() == ["gaussian_rbf (base)", "relu", "softmax"]
    assert quality.frame["variant"].tolist() == ["bicubic", *costs.frame["variant"]]


def test_a_file_for_each_group_with_units_and_numbers_of_seeds_and_images(made_up: Any) -> None:
    tables = {table.file: table for _, table in study_tables(made_up.results)}
    assert list(tables) == ["kernel", "depth"]
    frame = pd.read_csv(io.StringIO(tables["depth"].csv())).set_index("variant")
    row = frame.loc["1"]
    assert (row["seeds"], row["images"], row["params K"], row["verdict"]) == (2, 3, 20.5, "worse")
    assert row["difference to base dB"] == pytest.approx(-0.1, abs=0.01)
    assert row["difference to base dB low"] < row["difference to base dB"] < row["difference to base dB high"]
    assert row["PSNR-Y dB sd"] == pytest.approx(0.035, abs=0.002)
    assert frame.loc["bicubic"].drop("PSNR-Y dB").isna().sum() > 10
    for table in tables.values():
        text = table.latex()
        assert text.count(r"\begin{tabular}") == text.count(r"\toprule") == 2  # quality, then costs
        assert r"\textbf{" in text
        rows = [line for line in text.splitlines() if line.endswith(r"\\")]
        assert all(line.count("{") == line.count("}") for line in rows)


def test_titles_become_file_names(panels: Any) -> None:
    assert study_tables(panels.results)[0][1].file == "upscale-x2-model"


def test_marks_stand_in_the_columns_of_quality_and_baselines_have_none() -> None:
    rows = [
        (variant, seed, test_set, image, 30.0 + gain + seed / 100)
        for variant, gain in (("base", 0.0), ("other", 0.5))
        for seed in range(3)
        for test_set, image in (("Set5", "0"), ("Set5", "1"), ("Set14", "2"), ("Set14", "3"))
    ]
    frame = pd.DataFrame(rows, columns=["variant", "seed", "test_set", "image", "psnr_y"])
    frame = frame.assign(ssim_y=frame["psnr_y"] / 40)
    bicubic = frame[frame["variant"] == "base"].assign(variant="bicubic", seed=np.nan, psnr_y=99.0)
    marks = table_marks(Group("kernel", (("a", "base"), ("b", "other"))), pd.concat([bicubic, frame]))
    columns = ("PSNR-Y dB", "Set5 dB", "Set14 dB", "SSIM-Y")
    assert marks == {
        **{("b", column): "best" for column in columns},
        **{("a (base)", column): "second" for column in columns},
    }


def test_rows_from_before_a_column_was_there_have_tables_without_it(made_up: Any) -> None:
    older = dataclasses.replace(made_up.results, cells=made_up.results.cells.drop(columns="peak_memory_mib"))
    found = study_tables(older)[0][1].frame
    assert "memory MiB" not in found
    assert "latency ms" in found


def test_equality_gains_rates_and_steps_are_columns_where_they_are_known(made_up: Any) -> None:
    plain = table(made_up, 0)
    assert plain.loc["relu", "equal within 0.02 dB"] == "not yet settled: gain not known"
    assert not {"gain of last doubling dB", "learning rate"} & set(plain)
    cells = made_up.cells.assign(gain_db=[0.001 * seed for seed in made_up.cells["seed"]])
    layout = dataclasses.replace(made_up.layout, rates={"base": 0.003, "kernel=relu": 0.001}, threshold=25.0)
    rows = table(made_up._replace(cells=cells, layout=layout), 0)
    assert rows.loc["relu", "equal within 0.02 dB"] == "equivalent"
    assert rows.loc["softmax", "equal within 0.02 dB"] == "different"
    assert rows.loc["gaussian_rbf (base)", "equal within 0.02 dB"] == "-"
    assert rows.loc["relu", "gain of last doubling dB"] == "+0.001 ± 0.001"
    assert rows["learning rate"].tolist() == ["-", "0.003", "0.001", "-"]
    assert rows.loc["gaussian_rbf (base)", "steps to 25 dB"] == "300"  # 20 + step / 50 + seed: 300 and 200
    never = table(made_up._replace(layout=dataclasses.replace(layout, threshold=99.0)), 0)
    assert never.loc["relu", "steps to 99 dB"] == "not reached (0 of 2 cells)"
