"""Tables as LaTeX and CSV."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from grla.report.published import load_published
from grla.report.results import Results
from grla.report.table_files import file_name, latex, plain_numbers, split_costs, table_texts

PUBLISHED = Path(__file__).parents[2] / "studies" / "published.csv"


def results(made_up: Any) -> Results:
    return Results(*made_up, {})


def test_latex_by_hand() -> None:
    table = pd.DataFrame({"variant": ["rbf_ridge (base)", "b & c"], "dB [95 %]": ["-0.1 [-0.2, +0.3]", "**better**"]})
    text = latex(table, {("b & c", "dB [95 %]"): "best", ("rbf_ridge (base)", "variant"): "second"}, "a_b: 5 %")
    assert text.splitlines() == [
        r"\begin{table}",
        r"\centering",
        r"\caption{a\_b: 5 \%}",
        r"\begin{tabular}{ll}",
        r"\toprule",
        r"variant & dB [95 \%] \\",
        r"\midrule",
        r"\underline{rbf\_ridge (base)} & $-$0.1 [$-$0.2, +0.3] \\",
        r"b \& c & \textbf{better} \\",
        r"\bottomrule",
        r"\end{tabular}",
        r"\end{table}",
    ]


def test_a_file_for_each_group_with_units_and_numbers_of_seeds_and_images(made_up: Any) -> None:
    texts = table_texts(results(made_up))
    assert set(texts) == {"tables/kernel.csv", "tables/kernel.tex", "tables/depth.csv", "tables/depth.tex"}
    frame = pd.read_csv(io.StringIO(texts["tables/depth.csv"])).set_index("variant")
    row = frame.loc["1"]
    assert (row["seeds"], row["images"], row["params K"], row["verdict"]) == (2, 3, 20.5, "worse")
    assert row["difference to base dB"] == pytest.approx(-0.1, abs=0.01)
    assert row["difference to base dB low"] < row["difference to base dB"] < row["difference to base dB high"]
    assert row["PSNR-Y dB sd"] == pytest.approx(0.035, abs=0.002)
    assert frame.loc["bicubic"].drop("PSNR-Y dB").isna().sum() > 10
    for name in ("tables/kernel.tex", "tables/depth.tex"):
        text = texts[name]
        assert text.count(r"\begin{tabular}") == text.count(r"\toprule") == 2  # quality, then costs
        assert r"\textbf{" in text
        for line in text.splitlines():
            if line.endswith(r"\\") and "&" in line:
                assert line.count("{") == line.count("}")


def test_published_numbers_are_files_of_their_own(made_up: Any) -> None:
    texts = table_texts(results(made_up), load_published(PUBLISHED, "kernels"))
    assert "32.64" in texts["tables/published.csv"]
    assert "not measured here" in texts["tables/published.tex"]
    measured = [text for name, text in texts.items() if "published" not in name]
    assert all("32.64" not in text for text in measured)


def test_numbers_stand_alone_in_csv() -> None:
    differences = ["+0.1 [-0.2, +0.4]", "+0.100", "-"]
    table = pd.DataFrame({"x dB": ["1.5 ± 0.2", "2.0", "-"], "difference dB [95 %]": differences, "n": ["1", "2", "-"]})
    rows = plain_numbers(table)
    assert list(rows) == ["x dB", "x dB sd", "difference dB", "difference dB low", "difference dB high", "n"]
    assert rows.to_numpy().tolist() == [
        ["1.5", "0.2", "+0.1", "-0.2", "+0.4", "1"],
        ["2.0", "", "+0.100", "", "", "2"],
        ["", "", "", "", "", ""],
    ]


def test_costs_are_split_off_with_the_rows_that_have_some() -> None:
    table = pd.DataFrame({"variant": ["bicubic", "relu"], "PSNR-Y dB": ["28", "29"], "MACs G": ["-", "1.50"]})
    quality, costs = split_costs(table)
    assert list(quality) == ["variant", "PSNR-Y dB"]
    assert costs.to_numpy().tolist() == [["relu", "1.50"]]


def test_titles_become_file_names() -> None:
    assert file_name("setting 16x16: kernel") == "setting-16x16-kernel"
    assert file_name("a/b x c_d") == "a-b-x-c_d"
