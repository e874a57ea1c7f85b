"""What a level of one factor changes, on average over all combinations of the others: the main effects of a grid.

A grid compares each variant with one base, and pays for it in comparisons. Its question is mostly another one: which
factor does it? Each combination of the others holds one pair that differs in this factor alone, and the mean of all
pairs is one comparison, in which every cell of the grid takes part (Fisher 1935, "The Design of Experiments"). Where
pairs differ much among each other the factors interact, and a mean over them says little of any: then it takes the same
at each level of another factor.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from grla.report.statistics.verdicts import Difference, corrected, difference_of, values_by_seed
from grla.study import Factor, Layout


@dataclass(frozen=True)
class MainEffect:
    """A level less the base level of its factor: the mean over `num_pairs` pairs, and the ends of what one pair shows.

    With `within` the pairs are those at this level of another factor, "depth=2". The verdict of `difference` is
    corrected for all effects that stand in one list.
    """

    factor: str
    level: str
    base: str
    difference: Difference
    lowest: float
    highest: float
    num_pairs: int
    within: str = ""


def main_effects(layout: Layout, images: pd.DataFrame, metric: str = "psnr_y") -> list[MainEffect]:
    """Those of a grid of two factors or more, in the order of its factors and levels; of other designs none.

    Of a pair of which a cell failed nothing is known, and it is left out; so are seeds and images that a pair lacks.
    """
    return _effects(layout, images, metric, [{}])


def effects_within(layout: Layout, images: pd.DataFrame, metric: str = "psnr_y") -> list[MainEffect]:
    """What each factor does at each level of each other one, of a grid of three factors or more; else none.

    With two these would be single comparisons of the grid.
    """
    if len(layout.factors) < 3:
        return []
    places = [{factor.name: level} for factor in layout.factors for level in factor.levels]
    return _effects(layout, images, metric, places)


def _effects(
    layout: Layout, images: pd.DataFrame, metric: str, places: Sequence[Mapping[str, str]]
) -> list[MainEffect]:
    """The effects of each factor in the part of the grid that each of `places` names, but of the factors it fixes."""
    if layout.design != "grid" or len(layout.factors) < 2:
        return []
    trained = images[images["seed"].notna()]
    values = {str(name): values_by_seed(rows, metric) for name, rows in trained.groupby("variant")}
    found = []
    for factor, place in itertools.product(layout.factors, places):
        for level in factor.levels:
            measured = [pair for pair in _pairs(layout, factor, level, place) if {*pair} <= values.keys()]
            if level != factor.base and factor.name not in place and measured:
                differences = [(values[mine] - values[theirs]).dropna(how="all") for mine, theirs in measured]
                effect = _effect(factor.name, level, factor.base, differences)
                found.append(replace(effect, within=", ".join(f"{name}={at}" for name, at in place.items())))
    verdicts = corrected({str(number): one.difference for number, one in enumerate(found)}, layout.num_looks)
    return [replace(one, difference=verdicts[str(number)]) for number, one in enumerate(found)]


def _pairs(layout: Layout, factor: Factor, level: str, place: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    """The variants of this level in `place`, each with the one that has the factor's base level instead."""
    others = [one for one in layout.factors if one.name != factor.name]
    for combination in itertools.product(*([place[o.name]] if o.name in place else o.levels for o in others)):
        around = dict(zip((one.name for one in others), combination, strict=True))
        yield layout.variant({**around, factor.name: level}), layout.variant({**around, factor.name: factor.base})


def _effect(factor: str, level: str, base: str, differences: list[pd.DataFrame]) -> MainEffect:
    stacked = pd.concat(differences, keys=range(len(differences))).replace([np.inf, -np.inf], np.nan)
    by_seed = stacked.swaplevel().sort_index()
    whole = [seed for seed, rows in by_seed.groupby(level=0) if len(rows) == len(differences)]
    known = by_seed.loc[whole].dropna(axis="columns")
    each = known.groupby(level=1).mean().mean(axis=1)
    mean = difference_of(known.groupby(level=0).mean().to_numpy(np.float64))
    return MainEffect(factor, level, base, mean, float(each.min()), float(each.max()), len(differences))
