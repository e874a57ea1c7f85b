"""The paper's own numbers, quoted beside ours and never mixed with them.

The CSV is tidy, one number a row: `study` (file name), `table` of the paper, `level` (as the study's factor labels it),
`upscale`, `metric`, `test_set` (empty for costs), `value`, `approximate` ("about" where it was read off a figure or
rounded) and `note`. A row of metric "outcome" has its text in `note`; a row with a note but no value says why it lacks.
"""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from grla.errors import InputError
from grla.provenance import ROOT
from grla.report.document import EMPTY, Block, Section, Table, Text

PUBLISHED = ROOT / "studies" / "published.csv"
COLUMNS = ["study", "table", "level", "upscale", "metric", "test_set", "value", "approximate", "note"]
TEXTS = ["study", "table", "level", "metric", "test_set", "approximate", "note"]
QUALITY = {"psnr_y": ".2f", "ssim_y": ".4f"}
# metric -> (column heading, format)
COSTS = {
    "params_k": ("params K", ".0f"),
    "hook_flops_g": ("hook_flops G", ".1f"),
    "training_memory_mb": ("training memory MB", ".0f"),
    "seconds_per_1000_iterations": ("s for 1000 iterations", ".0f"),
    "latency_ms": ("latency ms", ".1f"),
}
OUTCOME = "outcome"
LEFT = ("level", OUTCOME, "source")
TITLE = "Published (GRLA paper, 1000 epochs of DIV2K; not measured here)"
READING = """\
Test sets: PSNR-Y (dB) / SSIM-Y. Costs refer to the paper's machine and sizes. "about": read off a figure or rounded. A
dash: not given. hook_flops: the paper's "FLOPs", which leave out the matrix products inside attention."""


def published_studies() -> list[str]:
    """The studies that the paper has numbers for, in its order."""
    return list(dict.fromkeys(pd.read_csv(PUBLISHED, usecols=["study"])["study"]))


def load_published(study: str, csv: Path = PUBLISHED) -> pd.DataFrame:
    """The rows of `study` in the paper's order, COLUMNS as columns; none where the paper has nothing on it.

    Raises InputError for a missing file, a missing column, an unknown metric, or a value that is no number.
    """
    if not csv.is_file():
        raise InputError(f"table of published numbers {csv} does not exist")
    rows = pd.read_csv(csv, dtype=dict.fromkeys(TEXTS, str), keep_default_na=False, na_values={"value": ""})
    missing = [name for name in COLUMNS if name not in rows]
    if missing:
        raise InputError(f"table of published numbers {csv} must have the columns {', '.join(missing)}")
    unknown = sorted(set(rows["metric"]) - {*QUALITY, *COSTS, OUTCOME})
    if unknown:
        raise InputError(f"{csv}: metric must be one of {', '.join([*QUALITY, *COSTS, OUTCOME])}, got {unknown[0]!r}")
    if not (pd.api.types.is_numeric_dtype(rows["value"]) and pd.api.types.is_integer_dtype(rows["upscale"])):
        raise InputError(f"{csv}: upscale must be a whole number in every row, value a number or empty")
    return rows.loc[rows["study"] == study, COLUMNS].reset_index(drop=True)


def published_section(rows: pd.DataFrame, study: str) -> Section:
    """What the paper says of `study`: a table of `rows` (of `load_published`) and its notes; empty without rows."""
    if rows.empty:
        return Section(TITLE, ())
    caption = f"{study}: published, not measured here."
    blocks: list[Block] = [Text(READING), Table(published_table(rows), caption, LEFT, file="published")]
    noted = rows[(rows["note"] != "") & (rows["metric"] != OUTCOME)]
    notes = [f"- {table}: {note}" for table, note in noted[["table", "note"]].drop_duplicates().itertuples(index=False)]
    return Section(TITLE, (*blocks, *([Text("\n".join(notes))] if notes else [])))


def published_table(rows: pd.DataFrame) -> pd.DataFrame:
    """A text row per level and upscale; a column per test set ("PSNR-Y / SSIM-Y"), per cost, outcome and source."""
    table = []
    for (level, upscale), mine in rows.groupby(["level", "upscale"], sort=False):
        row = {"level": str(level), "upscale": f"x{upscale}"}
        for test_set in dict.fromkeys(rows.loc[rows["metric"].isin(QUALITY), "test_set"]):
            scores = [_text(mine[mine["test_set"] == test_set], metric, spec) for metric, spec in QUALITY.items()]
            row[test_set] = " / ".join(score for score in scores if score)
        row |= {heading: _text(mine, metric, spec) for metric, (heading, spec) in COSTS.items()}
        row[OUTCOME] = ", ".join(mine.loc[mine["metric"] == OUTCOME, "note"])
        row["source"] = ", ".join(dict.fromkeys(mine["table"]))
        table.append(row)
    frame = pd.DataFrame(table).replace("", EMPTY)
    return frame.loc[:, (frame != EMPTY).any()]


def _text(rows: pd.DataFrame, metric: str, spec: str) -> str:
    """The value of `metric` as text, "" where the paper gives none."""
    found = rows[(rows["metric"] == metric) & rows["value"].notna()]
    return ", ".join(f"{row.approximate} {row.value:{spec}}".strip() for row in found.itertuples())
