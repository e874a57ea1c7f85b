"""A study's tables as files: Markdown in the summary, LaTeX and CSV for each group. Published numbers stay apart."""

from __future__ import annotations

import re

import pandas as pd

from grla.report.published import published_table
from grla.report.results import Results
from grla.report.statistics.best import Marks, table_marks
from grla.report.statistics.verdicts import study_differences
from grla.report.tables import COSTS, group_table
from grla.study import Group

INTERVAL = re.compile(r"^([-+][\d.]+) \[([-+][\d.]+), ([-+][\d.]+)\]$")
LATEX = {"best": "textbf: --rwrap;", "second": "underline: --rwrap;"}
MARKED = "Bold: the best, underlined: the second best; what cannot be told from them at 95 percent shares the mark."


def group_tables(results: Results) -> list[tuple[Group, pd.DataFrame, Marks]]:
    """Each group of a study with its table (text, as in the summary) and its marks."""
    layout, cells, images = results.layout, results.cells, results.images
    differences = study_differences(layout, images)
    return [
        (group, group_table(group, cells, images, differences), table_marks(group, images)) for group in layout.groups()
    ]


def split_costs(table: pd.DataFrame) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The columns of quality and those of cost, each with the variants; the costs without rows that have none."""
    costs = table[["variant", *(name for name in COSTS if name in table)]]
    return table.drop(columns=costs.columns[1:]), costs[(costs.iloc[:, 1:] != "-").any(axis=1)]


def table_texts(results: Results, published: pd.DataFrame | None = None) -> dict[str, str]:
    """The content of each file of tables by its path in the study's folder; `published` are the paper's numbers."""
    texts = {}
    for group, table, marks in group_tables(results):
        name, about = file_name(group.title), f"{results.layout.study}, {group.title}"
        quality, costs = split_costs(table)
        texts[f"tables/{name}.csv"] = plain_numbers(table).to_csv(index=False)
        parts = [latex(quality, marks, f"{about}: quality. {MARKED}"), latex(costs, {}, f"{about}: costs.")]
        texts[f"tables/{name}.tex"] = "\n".join(parts)
    if published is not None and len(published):
        quoted = published_table(published)
        texts["tables/published.csv"] = quoted.to_csv(index=False)
        texts["tables/published.tex"] = latex(quoted, {}, f"{results.layout.study}: published, not measured here.")
    return texts


def file_name(title: str) -> str:
    """A group's title as the name of a file: "setting 16x16: kernel" is "setting-16x16-kernel"."""
    return re.sub(r"[^\w.]+", "-", title).strip("-")


def plain_numbers(table: pd.DataFrame) -> pd.DataFrame:
    """`table` with one number a field: "mean ± sd" in two columns, "difference [low, high]" in three; "" for "-"."""
    columns: dict[str, pd.Series[str]] = {}
    for name, values in table.replace("-", "").items():
        title, text = str(name), values.astype(str)
        if text.str.contains(" ± ").any():
            parts = text.str.partition(" ± ")
            columns |= {title: parts[0], f"{title} sd": parts[2]}
        elif text.str.match(INTERVAL).any():
            plain = title.replace(" [95 %]", "")
            found = text.str.extract(INTERVAL)
            columns |= {plain: found[0].fillna(text), f"{plain} low": found[1], f"{plain} high": found[2]}
        else:
            columns[title] = text.str.replace("**", "", regex=False)
    return pd.DataFrame(columns).fillna("")


def latex(table: pd.DataFrame, marks: Marks, caption: str) -> str:
    r"""`table` as a LaTeX table with booktabs; the first column and words stand left, numbers right."""
    shown = table.map(lambda cell: re.sub(r"\*\*(.+?)\*\*", r"\1", str(cell)))
    styles = pd.DataFrame("", index=shown.index, columns=shown.columns)
    for (row, column), mark in marks.items():
        styles.loc[shown.iloc[:, 0] == row, column] = LATEX[mark]
    styler = shown.style.hide(axis="index").format(escape="latex").format_index(escape="latex", axis=1)
    words = shown.apply(lambda cells: cells.str.contains("[a-z]{3}").any())
    alignment = "".join("l" if index == 0 or word else "r" for index, word in enumerate(words))
    text = styler.apply(lambda _: styles, axis=None).to_latex(
        hrules=True, column_format=alignment, caption=_escaped(caption), position_float="centering"
    )
    return re.sub(r"(?<![\w-])-(?=\d)", "$-$", text)  # a minus, not a hyphen


def _escaped(text: str) -> str:
    return re.sub(r"([#$%&_{}])", r"\\\1", text)
