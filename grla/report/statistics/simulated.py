"""Studies with a known truth, to check what `grla.report` says of real ones: coverage, false positives, power.

The differences of a simulated study are normal: a true mean plus effects of seeds and of images plus noise, of known
standard deviations. Its variants share a base, as real ones do, so their differences to it are correlated by a half.
`studies/check_statistics.py` runs all of it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from grla.report.statistics.bootstrap import Floats, crossed_interval
from grla.report.statistics.power import Variance, smallest_visible
from grla.report.statistics.sequential import look_seeds, until_clear
from grla.report.statistics.verdicts import LEVEL, Difference, corrected, difference_of

MIXTURES = {
    "seeds only": (0.03, 0.0, 0.0),
    "images only": (0.0, 0.03, 0.0),
    "noise only": (0.0, 0.0, 0.03),
    "seeds and images alike": (0.02, 0.02, 0.0),
    "all alike": (0.02, 0.02, 0.02),
    "mostly seeds": (0.03, 0.01, 0.01),
    "mostly images": (0.01, 0.03, 0.01),
}
SIZES = ((2, 3), (2, 19), (3, 5), (3, 19), (5, 19), (5, 119))
LOOKS = look_seeds(2, 10)


@dataclass(frozen=True)
class Design:
    """Numbers of seeds and images, and the standard deviations (dB) of a difference's seed, image and noise parts."""

    num_seeds: int
    num_images: int
    seed_sd: float
    image_sd: float
    noise_sd: float

    @property
    def variance(self) -> Variance:
        """The true parts of a difference's variance."""
        return Variance(self.seed_sd**2, self.image_sd**2, self.noise_sd**2)


def simulate(design: Design, means: Sequence[float], generator: np.random.Generator) -> dict[str, Floats]:
    """The differences, (num_seeds, num_images) in dB, of a study's variants "0", "1" ... with these true `means`."""
    networks, size = len(means) + 1, (design.num_seeds, design.num_images)
    seeds = generator.normal(0, design.seed_sd, (networks, size[0], 1))
    images = generator.normal(0, design.image_sd, (networks, 1, size[1]))
    scores = (seeds + images + generator.normal(0, design.noise_sd, (networks, *size))) / np.sqrt(2)
    return {str(number): mean + scores[number + 1] - scores[0] for number, mean in enumerate(means)}


def study_of(tables: Mapping[str, Floats], num_looks: int = 1) -> dict[str, Difference]:
    """The corrected differences of a study, from each variant's (num_seeds, num_images)."""
    return corrected({variant: difference_of(table) for variant, table in tables.items()}, num_looks)


def check(design: Design, num_studies: int, num_variants: int) -> dict[str, float]:
    """What simulated studies of a design show, in percent of `num_studies`.

    "covered": 95 % intervals of a null difference that hold 0. "false alarms": studies of `num_variants` null variants
    that call at least one real. "seen": single variants called better at the true difference that `smallest_visible`
    gives for the true variances, which should be 80.
    """
    generator = np.random.default_rng(0)
    visible = smallest_visible(design.variance, design.num_seeds, design.num_images, LEVEL)
    counts = np.zeros(3)
    for _ in range(num_studies):
        null = study_of(simulate(design, [0.0] * num_variants, generator))
        low, _ = crossed_interval(simulate(design, [visible], generator)["0"], 1 - LEVEL)
        counts += (null["0"].low <= 0 <= null["0"].high, any_real(null), low > 0)
    return dict(zip(("covered", "false alarms", "seen"), 100 * counts / num_studies, strict=True))


def any_real(found: Mapping[str, Difference]) -> bool:
    """Whether a study calls any difference real."""
    return any(difference.verdict in ("better", "worse") for difference in found.values())


def look_again(tables: Mapping[str, Floats], seeds: Sequence[int], clear: float, num_looks: int) -> bool:
    """Whether a study called any difference real at any look; `tables` hold the most seeds there can be."""
    alarms = []

    def look(number: int, stopped: Mapping[str, int]) -> dict[str, Difference]:
        found = study_of({name: table[: stopped.get(name, number)] for name, table in tables.items()}, num_looks)
        alarms.append(any_real(found))
        return found

    until_clear(look, seeds, clear)
    return any(alarms)


def check_all(num_studies: int, num_variants: int) -> pd.DataFrame:
    """`check` of all SIZES and MIXTURES, a row each."""
    rows = [
        {"seeds": seeds, "images": images, "what varies": name}
        | check(Design(seeds, images, *MIXTURES[name]), num_studies, num_variants)
        for seeds, images in SIZES
        for name in MIXTURES
    ]
    return pd.DataFrame(rows).round(1)


def check_looks(num_studies: int, num_variants: int) -> pd.DataFrame:
    """Studies of null variants that called one real at any of LOOKS, in percent, with the correction and without."""
    rows = []
    for name, sd in MIXTURES.items():
        generator, counts = np.random.default_rng(0), np.zeros(2)
        for _ in range(num_studies):
            tables = simulate(Design(max(LOOKS), 5, *sd), [0.0] * num_variants, generator)
            counts += [look_again(tables, LOOKS, 0.001, num_looks) for num_looks in (len(LOOKS), 1)]
        corrected_share, plain_share = 100 * counts / num_studies
        rows.append({"what varies": name, "false alarms": corrected_share, "uncorrected": plain_share})
    return pd.DataFrame(rows).round(1)
