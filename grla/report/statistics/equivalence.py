"""Whether two variants may be called equal: two one-sided tests against a margin that the study states beforehand.

That a difference is "not distinguishable" from 0 says nothing of equality: a small study finds nothing of anything.
Equality within a margin is shown where the interval at confidence 1 - 2 * level lies inside of it, which is when both
one-sided tests reject (Schuirmann 1987, J. Pharmacokinet. Biopharm. 15, 657-680); `level` is the study's, corrected for
its comparisons and looks. And it is a statement about what was trained: while either of the two still rises by more
than the margin with twice the steps, nothing is settled.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import pandas as pd

from grla.report.statistics.bootstrap import crossed_interval
from grla.report.statistics.verdicts import Difference

Equivalence = Literal[
    "equivalent", "different", "open", "not yet settled: still rising", "not yet settled: gain not known"
]


def equivalence(difference: Difference, margin: float, gains: Mapping[str, float], variant: str) -> Equivalence:
    """What the study says of equality within `margin` dB; `gains` are those of `gains_by_variant`.

    "different" is a difference that is real by the study's verdict and not shown to lie within the margin. One seed or
    one image shows no equality of any others.
    """
    if min(difference.num_seeds, difference.num_images) > 1:
        low, high = crossed_interval(difference.pairs, 1 - 2 * difference.level)
        if -margin < low and high < margin:
            both = [gains.get(name, np.nan) for name in (variant, difference.base)]
            if any(gain > margin for gain in both):
                return "not yet settled: still rising"
            return "not yet settled: gain not known" if np.isnan(both).any() else "equivalent"
    return "different" if difference.verdict in ("better", "worse") else "open"


def gains_by_variant(cells: pd.DataFrame) -> dict[str, float]:
    """By variant the largest gain, over its finished cells, of the last doubling of steps in dB; NaN if not known."""
    if "gain_db" not in cells:
        return {}
    finished = cells[cells["outcome"] == "ok"]
    gains = pd.to_numeric(finished["gain_db"]).groupby(finished["variant"])
    return {str(variant): float(gain.max(skipna=False)) for variant, gain in gains}


def is_rising(gain: float, margin: float) -> bool:
    """Whether a curve with this gain has not flattened to `margin` dB; what is not known has not."""
    return not gain <= margin
