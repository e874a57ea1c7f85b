"""Two studies of the same variants in one table: photographs, say, and the recall probe."""

from __future__ import annotations

import pandas as pd

from grla.errors import require
from grla.report.document import Table
from grla.report.results import Results
from grla.report.tables import DIFFERENCE, group_table

SHOWN = {"PSNR-Y dB": "dB", DIFFERENCE: "difference dB", "verdict": "verdict"}


def beside(results: Results, probe: Results, names: tuple[str, str]) -> Table:
    """The one group of `probe` and the group of the same title in `results`: score, difference to the base, verdict.

    `names` are what the columns of either are called after; baselines are left out, each study has its own. Raises
    InputError where there is no such group.
    """
    (group,) = probe.layout.groups()
    twins = [one for one in results.layout.groups() if one.title == group.title]
    rule = f"must have a factor of {probe.layout.study}, {group.title!r}"
    require(len(twins) == 1, f"study {results.layout.study!r}", rule, [one.title for one in results.layout.groups()])
    frames = []
    for one, found, name in zip((*twins, group), (results, probe), names, strict=True):
        frame = group_table(one, found).set_index("variant")
        frame = frame.loc[[one.name(label, variant) for label, variant in one.rows], list(SHOWN)]
        frames.append(frame.rename(columns={column: f"{name} {shown}" for column, shown in SHOWN.items()}))
    frame = pd.concat(frames, axis=1).reset_index()
    return Table(frame, left=("variant", *(f"{name} verdict" for name in names)))
