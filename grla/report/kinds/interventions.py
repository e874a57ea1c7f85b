"""What interventions on a study's trained networks showed, from their rows, which lie beside the study's own."""

from __future__ import annotations

from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from grla.report.document import Figure, Number, Section, Table, Text
from grla.report.figures.interventions import SCORE, intervals_table, interventions_figure, other_tests_figure
from grla.report.results import read_json
from grla.report.verify import code_faults

INTERVENTIONS, ABOUT_INTERVENTIONS = "interventions.csv", "interventions.json"
"""The rows (`run_interventions.py`), and by which code and command they were measured."""

EXPLAINED = """\
Of trained networks, each mean over seeds and images with its own 95 % interval: of so many about one in twenty leaves
the true value out. An intact value is swapped for another: of the change, how much comes out at the blanked copies of
its key ("follows the swapped value"; recall gives 1), and how much at those of other keys (recall gives 0)? Averaging
over n keys gives 1/n at both, so that what it follows more than at other keys tells looking up from averaging. Networks
that only average (`uniform`) may do so a little all the same: what others do beyond that is given seed by seed. And
what is lost once a layer weighs all tokens alike, """
KEPT, SUM_OF_ONE = "each query's weights keeping their sum.", "with weights that sum to one."
"""What even weights are; those of rows without a record of their code are of the second kind."""


def intervention_sections(folder: Path) -> tuple[Section, ...]:
    """The tables of the interventions whose rows lie in `folder`; none without rows."""
    path = folder / INTERVENTIONS
    if not path.is_file():
        return ()
    means = intervals_table(pd.read_csv(path, dtype={"image": str}))
    scores = means["what"].str.startswith(SCORE)
    about = folder / ABOUT_INTERVENTIONS
    recorded = about.is_file()
    words = f"code {read_json(about)['code_version']}" if recorded else "code that was not recorded"
    explained = EXPLAINED + (KEPT if recorded else SUM_OF_ONE)
    tables = [
        Table(_by_set(rows), caption, left=("network", "what"), file=name)
        for name, caption, rows in (
            ("interventions", "What networks do when something is changed.", means[~scores]),
            ("other_tests", "PSNR-Y (dB) on other tests of the probe.", means[scores]),
        )
        if len(rows)
    ]
    return (Section("Interventions", (Text(f"{explained} Measured by {words}."), *tables)),)


def intervention_figures(folder: Path) -> list[Figure]:
    """The figures of the interventions whose rows lie in `folder`; none without rows."""
    path = folder / INTERVENTIONS
    if not path.is_file():
        return []
    rows = pd.read_csv(path, dtype={"image": str})
    caption = "What networks do when a value is swapped, and what they lose when a layer weighs all tokens alike."
    figures = [Figure("interventions", caption, (intervals_table(rows),), partial(interventions_figure, rows))]
    scores = rows[rows["what"].str.startswith(SCORE)]
    if len(scores):
        caption = "PSNR-Y on tests of the probe that differ from what was trained on, by number of pairs."
        draw = partial(other_tests_figure, rows)
        figures.append(Figure("other_tests", caption, (intervals_table(scores),), draw))
    return figures


def intervention_faults(folder: Path) -> list[str]:
    """What does not match of the code that measured the interventions in `folder`."""
    path = folder / ABOUT_INTERVENTIONS
    return code_faults({read_json(path)["code_version"]}) if path.is_file() else []


def _by_set(means: pd.DataFrame) -> pd.DataFrame:
    """A row per network and thing measured, a column per test set."""
    sets = list(means["test_set"].unique())
    rows = []
    for (network, what), mine in means.groupby(["network", "what"], sort=False):
        numbers = mine[["mean", "low", "high"]].to_numpy(np.float64).tolist()
        shown = [Number(mean, "+.3f", interval=(low, high)) for mean, low, high in numbers]
        cells = dict(zip(mine["test_set"], shown, strict=True))
        rows.append({"network": network, "what": what} | {name: cells.get(name) for name in sets})
    return pd.DataFrame(rows, dtype=object)
