"""The folder of a fidelity run: its tables as CSV, and the summary and figures that they give."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import pandas as pd

from grla.errors import InputError
from grla.files import write_text
from grla.report.document import Figure
from grla.report.figures.fidelity import distance_figure, margin_figure, profile_figure, taylor_figure
from grla.report.folder import write_figures
from grla.report.kinds.fidelity_summary import fidelity_summary
from grla.report.results import PROVENANCE, folders_of, read_json

Tables = dict[str, pd.DataFrame]

TABLES = ("profiles", "taylor_errors", "taylor_histogram", "distances", "margins")


def fidelity_folders(root: Path) -> list[Path]:
    """The folders of fidelity runs at, in and two below `root`, in alphabetical order."""
    return folders_of("fidelity", root)


def read_tables(folder: Path) -> Tables:
    """The frames by name; raises InputError for a file that is missing or torn."""
    try:
        return {name: pd.read_csv(folder / f"{name}.csv") for name in TABLES}
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {folder}: {error}; write it again with run_fidelity.py") from error


def publish_fidelity(folder: Path) -> None:
    """Write summary.md and the figures that the tables in `folder` give."""
    for name, text in fidelity_texts(folder).items():
        write_text(folder / name, text)
    write_figures(fidelity_pictures(read_tables(folder)), folder)


def fidelity_texts(folder: Path) -> dict[str, str]:
    """The content of summary.md, by file name."""
    about = read_json(folder / PROVENANCE)["fidelity"]
    return {"summary.md": fidelity_summary(read_tables(folder), about)}


def fidelity_pictures(tables: Tables) -> list[Figure]:
    """The figures of a fidelity run in the order of a page."""
    distances = tables["distances"]
    return [
        Figure(
            "profiles",
            "The weight of a key against its angle to the query: the paper's figure 1 for every kernel.",
            (tables["profiles"],),
            lambda: profile_figure(tables["profiles"]),
        ),
        Figure(
            "taylor",
            "The distribution of 2 gamma q.k and of the Taylor error: the paper's figure 6.",
            (tables["taylor_histogram"],),
            lambda: taylor_figure(tables["taylor_histogram"]),
        ),
        *(
            Figure(
                f"distances-{source.replace(' ', '-')}",
                f"How far each kernel is from softmax at the same temperature, beside plain averaging: {source}.",
                (distances[distances["source"] == source],),
                partial(distance_figure, distances, source),
            )
            for source in distances["source"].unique()
        ),
        Figure(
            "margins",
            "The smallest denominator of equation 12 by gamma and token length: at 0 and below attention breaks down.",
            (tables["margins"],),
            lambda: margin_figure(tables["margins"]),
        ),
    ]
