"""The report of a fidelity run: what the kernels compute, without training, and the paper's numbers beside it.

The data are the tables that `run_fidelity.py` writes as CSV.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pandas as pd
from tabulate import tabulate

from grla.errors import InputError
from grla.report.document import Document, Figure, Link, Section, Text
from grla.report.figures.fidelity import (
    STATED_MEAN,
    STATED_RANGE,
    distance_figure,
    margin_figure,
    profile_figure,
    taylor_figure,
)
from grla.report.folder import document_faults, write_document
from grla.report.results import PROVENANCE, folders_of, read_json
from grla.report.tables import provenance_table
from grla.report.verify import code_faults

Tables = dict[str, pd.DataFrame]

TITLE = "What kernels compute"
HEADING = "Fidelity: what the kernels compute, without training"
LEAD = "What the attention kernels compute, without training: their profiles, their errors, their distance to softmax."
TABLES = ("profiles", "taylor_errors", "taylor_histogram", "distances", "margins")
PROFILES = "The weight of a key against its angle to the query: the paper's figure 1 for every kernel."
TAYLOR = "The distribution of 2 gamma q.k and of the Taylor error: the paper's figure 6."
DISTANCES = "How far each kernel is from softmax at the same temperature, beside plain averaging"
MARGINS = "The smallest denominator of equation 12 by gamma and token length: at 0 and below attention breaks down."
STATED_STD, PAPER_DIM = 0.0052, 55  # GRLA A.3, of |exp(x) - (1 + x)| for unit vectors


def folders(root: Path) -> list[Path]:
    """The folders of fidelity runs at, in and two below `root`, in alphabetical order."""
    return folders_of("fidelity", root)


def write(folder: Path) -> None:
    """Write summary.md and the figures that the tables in `folder` give."""
    write_document(document(folder), folder)


def document(folder: Path) -> Document:
    """The report of the fidelity run in `folder`, made now from its tables."""
    about, tables = read_json(folder / PROVENANCE), read_tables(folder)
    sections = (
        Section("Method", (Text(about["fidelity"]),)),
        Section("Figures", tuple(fidelity_figures(tables))),
        *fidelity_sections(tables),
        Section("Provenance", (provenance_table(about, {"code": about["code_version"]}),), summary=False),
    )
    return Document("Fidelity", LEAD, sections, HEADING)


def link(folder: Path, address: str) -> Link:
    """A fidelity run's line in an index."""
    return Link(address, "Fidelity", f"{LEAD} {read_json(folder / PROVENANCE)['fidelity']}")


def faults(folder: Path) -> list[str]:
    """What does not match in the folder of a fidelity run, one line each: code, summary, figures."""
    return code_faults({read_json(folder / PROVENANCE)["code_version"]}) + document_faults(document(folder), folder)


def read_tables(folder: Path) -> Tables:
    """The frames by name; raises InputError for a file that is missing or damaged."""
    try:
        return {name: pd.read_csv(folder / f"{name}.csv") for name in TABLES}
    except (OSError, ValueError) as error:
        raise InputError(f"cannot read {folder}: {error}; write it again with run_fidelity.py") from error


def fidelity_sections(tables: Tables) -> tuple[Section, ...]:
    """The tables, what they mean, and the paper's numbers beside them."""
    parts = {
        "Kernel value against angle (figure 1; profiles)": _profiles(tables["profiles"]),
        "x = 2 gamma q.k and the Taylor error (figure 6; taylor)": _taylor(tables["taylor_errors"]),
        "Distance to softmax attention (distances-*)": _distances(tables["distances"]),
        "How near the denominator comes to 0 (margins)": _margins(tables["margins"]),
    }
    return tuple(Section(title, (Text(text),)) for title, text in parts.items())


def fidelity_figures(tables: Tables) -> list[Figure]:
    """The figures of a fidelity run in the order of a page."""
    figures = [
        ("profiles", PROFILES, profile_figure, tables["profiles"]),
        ("taylor", TAYLOR, taylor_figure, tables["taylor_histogram"]),
        *(
            (f"distances-{str(source).replace(' ', '-')}", f"{DISTANCES}: {source}.", distance_figure, rows)
            for source, rows in tables["distances"].groupby("source", sort=False)
        ),
        ("margins", MARGINS, margin_figure, tables["margins"]),
    ]
    return [Figure(name, caption, (rows,), partial(draw, rows)) for name, caption, draw, rows in figures]


def largest_std(mean: float, maximum: float) -> float:
    """The largest standard deviation that values in [0, maximum] with this mean can have (Bhatia and Davis 2000)."""
    return math.sqrt(max(mean * (maximum - mean), 0.0))


def _profiles(profiles: pd.DataFrame) -> str:
    chosen = profiles[profiles["angle"].isin([60, 90, 120, 180])]
    table = chosen.pivot(index=["norm", "kernel"], columns="angle", values="value").reset_index()
    rows = [[f"{row[0]:.3g}", *row[1:]] for row in table.itertuples(index=False)]
    headers = ("length", "kernel", "60 deg", "90 deg", "120 deg", "180 deg")
    return (
        "Weight of a key at an angle to the query over that of a key in the query's direction; all vectors of one "
        "length, mean over random directions (the spread is in profiles.csv).\n\n" + _markdown(rows, headers, ".3f")
    )


def _taylor(errors: pd.DataFrame) -> str:
    names = ["source", "qk_norm", "x_std", "x_max", "share_within", "error_mean", "error_std", "error_max"]
    names += ["error2_mean", "margin"]
    bound = 1 / math.sqrt(PAPER_DIM)
    most = math.expm1(bound) - bound
    possible = largest_std(min(STATED_MEAN, most / 2), most)
    return (
        _markdown(errors[names].to_numpy().tolist(), names, ".4g")
        + f"\n\nThe paper states a mean error of {STATED_MEAN}, std {STATED_STD}, and over 98 % of x in "
        f"[-{STATED_RANGE}, {STATED_RANGE}]. "
        f"With unit vectors, d = {PAPER_DIM} and gamma = 1 / (2 sqrt(d)), |x| <= 1 / sqrt(d) = {bound:.3f} always, so "
        f"the share is 100 %, and no error exceeds {most:.4f}. Values in [0, {most:.4f}] with mean {STATED_MEAN} have "
        f"a standard deviation of at most {possible:.4f}, so the stated std {STATED_STD} cannot come from unit vectors "
        "at this gamma."
    )


def _distances(distances: pd.DataFrame) -> str:
    measures = ["output_error", "uniform_output_error", "matrix_error", "kl", "uniform_kl", "rank_correlation"]
    measures += ["effective_rank", "softmax_effective_rank", "entropy", "softmax_entropy"]
    parts = [
        "Same temperature: softmax of the very vectors and scale the kernel uses (gaussian_rbf and exact_rbf: "
        "normalised as they do, 2 gamma / sqrt(d); taylor: unit vectors, scale 1; others: as given, 1 / sqrt(d)); "
        "phi(K) is not part of it, and adds to the distance where keys are not normalised. Softmax attention: always q "
        "and k as given, 1 / sqrt(d). uniform_*: plain averaging against the same softmax; softmax_*: the softmax "
        "itself. An empty cell: weights that are no distributions, or constant rows."
    ]
    for reference, rows in distances[distances["source"] == "random"].groupby("reference", sort=False):
        table = rows[["kernel", *measures]].to_numpy().tolist()
        parts.append(f"### Random tokens, against {reference}\n\n" + _markdown(table, ["kernel", *measures], ".3g"))
    layers = distances[distances["source"] != "random"]
    for reference, rows in layers.groupby("reference", sort=False):
        parts.append(f"### Layers, output_error against {reference} (uniform's in brackets)\n\n" + _layers(rows))
    return "\n\n".join(parts)


def _layers(rows: pd.DataFrame) -> str:
    """A row per kernel, a column per layer; all measures are in distances.csv."""
    cells = [f"{row.output_error:.3g} ({row.uniform_output_error:.3g})" for row in rows.itertuples()]
    table = rows.assign(cell=cells).pivot(index="kernel", columns="source", values="cell")
    table = table.loc[rows["kernel"].unique(), rows["source"].unique()].reset_index()
    return _markdown(table.to_numpy().tolist(), list(table.columns), "")


def _margins(margins: pd.DataFrame) -> str:
    rows = []
    for dtype, chosen in margins.groupby("dtype", sort=False):
        for column, how in (("margin", "every step"), ("kernel_margin", "inputs; sums in float32")):
            error = (chosen[column] - chosen["exact"]).abs() / chosen["exact"].abs().clip(lower=1)
            flips = ((chosen[column] <= 0) != (chosen["exact"] <= 0)).sum()
            rows.append((dtype, how, len(chosen), chosen[column].isna().sum(), error.max(), flips))
    headers = ("dtype", "used in", "settings", "NaN", "largest error of the margin", "sign differs from float64")
    below = margins[margins["dtype"] == "float32"].groupby("qk_norm", sort=False)
    counts = [(n, len(g), int((g["margin"] <= 0).sum()), g["margin"].min(), g["bound"].min()) for n, g in below]
    return (
        "Smallest denominator of Eq. 12 over the queries, as a phi-weighted mean over keys (1: far from trouble), for "
        "gamma sqrt(d) from 1/16 to 2, token lengths from 0.5 to 8, keys in random directions or with mean cosine 0.5. "
        "The bound is the least that any vectors of such lengths can give.\n\n"
        + _markdown(counts, ("qk_norm", "settings", "at or below 0", "least margin", "least bound"), ".3f")
        + "\n\n"
        + _markdown(rows, headers, ".2g")
    )


def _markdown(rows: Sequence[Sequence[object]], headers: Sequence[str], floats: str) -> str:
    plain = [["" if isinstance(cell, float) and math.isnan(cell) else cell for cell in row] for row in rows]
    return str(tabulate(plain, headers, tablefmt="github", floatfmt=floats))
