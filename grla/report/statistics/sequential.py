"""More seeds only where a study is still open, with a correction for looking more than once.

A study is looked at after numbers of seeds that are fixed beforehand (`look_seeds`). After each look a comparison is
settled when its verdict is, or when its 95 % interval is narrow enough for whoever asks; the others get more seeds.
Who looks K times has K chances to be wrong, so every look judges at a K-th of the level (Bonferroni), with Holm's
method over the comparisons on top: at most 5 % of studies without a real difference call one real at any of their
looks. A settled comparison keeps its seeds and so its verdict.

In 300 simulated studies each of seven mixtures (six null variants, 5 looks from 2 to 10 seeds, 5 images;
`studies/check_statistics.py`) 0 to 3.3 % raise a false alarm at any look; without the division by K up to 12.7 %.

The intervals stay those of one comparison at one look; that of a study which stops at a verdict leans to large values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from grla.errors import require, require_at_least
from grla.report.statistics.verdicts import Difference


def look_seeds(first: int, most: int) -> tuple[int, ...]:
    """The numbers of seeds at which to look: each half as many again as the one before, rounded up, `most` at last.

    Few looks keep the correction small, small steps keep it from training more than is needed. InputError where there
    are fewer than two seeds to begin with (one says nothing about others) or no room for more.
    """
    require_at_least("seeds to begin with", first, 2)
    require_at_least("--max-seeds", most, first)
    seeds = [first]
    while seeds[-1] < most:
        seeds.append(min(most, seeds[-1] + (seeds[-1] + 1) // 2))
    return tuple(seeds)


def is_open(difference: Difference, clear: float) -> bool:
    """Whether more seeds are wanted: no verdict yet (one seed gives none), half an interval wider than `clear` dB.

    What was never compared stays so: a network that diverges from every seed is not asked for another.
    """
    if difference.verdict == "not compared":
        return False
    undecided = difference.verdict == "not distinguishable" or difference.num_seeds == 1
    return undecided and not difference.half_width <= clear


def until_clear(
    look: Callable[[int, Mapping[str, int]], Mapping[str, Difference]], seeds: Sequence[int], clear: float
) -> None:
    """Look after each of `seeds` until nothing is open at `clear` dB.

    `look` is given the number of seeds, and by variant the smaller number after which one has stopped; it returns the
    corrected differences by variant. A base stops with the last of its variants.
    """
    require(clear > 0, "--until-clear", "must be above 0 dB", clear)
    stopped: dict[str, int] = {}
    for number in seeds:
        found = look(number, dict(stopped))
        still = {variant for variant, difference in found.items() if is_open(difference, clear)}
        if not still:
            return
        wanted = still | {found[variant].base for variant in still}
        for variant in {*found, *(difference.base for difference in found.values())} - wanted:
            stopped.setdefault(variant, number)
