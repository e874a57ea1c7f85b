"""What a study of paired differences can see: the parts of their variance, the effect size, and power.

The model is that of `grla.report.statistics.bootstrap`: differences of shape (num_seeds, num_images) are a mean plus
effects of seeds and of images plus noise. Power is that of its intervals, whose half-width for known variances is

    sqrt((t_seeds * se_seeds)^2 + (t_images * se_images)^2)

with Student's quantiles of num_seeds - 1 and num_images - 1 degrees of freedom and the two parts of the mean's standard
error (noise goes with the seeds). The mean over that half-width is taken to follow a noncentral t distribution with
Satterthwaite's degrees of freedom, which is exact where only one part varies. In simulated studies the difference that
80 % should see is seen by 77.5 to 82.6 % (`studies/check_statistics.py`, error 1.3 %). All of it rests on variances
estimated from few seeds, so these are rough numbers for planning.
"""

from __future__ import annotations

import bisect
from dataclasses import dataclass

import numpy as np
from scipy import special, stats

from grla.report.statistics.bootstrap import Floats

POWER = 0.8  # the usual convention: four of five such studies see the difference
MOST_SEEDS = 1000
ROUNDING = 1e-9  # of a mean: a smaller sd is float64's rounding


@dataclass(frozen=True)
class Variance:
    """Variances of paired differences, in the metric's unit squared: effects of seeds and of images, noise."""

    seed: float
    image: float
    noise: float


def variance_parts(differences: Floats) -> Variance:
    """The parts by the method of moments for two crossed random factors, negative ones set to 0.

    From the mean squares of seeds, images and rest (Searle, Casella & McCulloch, Variance Components, 1992, chapter 4).
    NaN for one seed or one image.
    """
    num_seeds, num_images = differences.shape
    if min(num_seeds, num_images) < 2:
        return Variance(np.nan, np.nan, np.nan)
    seeds, images = differences.mean(axis=1), differences.mean(axis=0)
    rest = differences - seeds[:, None] - images + differences.mean()
    noise = float(np.square(rest).sum()) / ((num_seeds - 1) * (num_images - 1))
    seed = max(0.0, float(seeds.var(ddof=1)) - noise / num_images)
    return Variance(seed, max(0.0, float(images.var(ddof=1)) - noise / num_seeds), noise)


def effect_size(mean: float, variance: Variance) -> float:
    """The mean over the standard deviation of one image's difference from one seed: d of a crossed design.

    Westfall, Kenny & Judd 2014, J. Exp. Psychol. Gen. 143, 2020-2045; of the paired differences, like Cohen's d_z.
    It does not depend on how many seeds and images there are: at d = 1 the variant beats the base on about 84 % of
    (seed, image) pairs. NaN where the variance is unknown or nothing varies.
    """
    sd = float(np.sqrt(variance.seed + variance.image + variance.noise))
    return mean / sd if sd > ROUNDING * abs(mean) else np.nan


def power(difference: float, variance: Variance, num_seeds: int, num_images: int, level: float) -> float:
    """The probability that such a study calls a true `difference` > 0 real at `level`; both numbers at least 2."""
    error, freedom, critical = _test(variance, num_seeds, num_images, level)
    if error == 0:
        return 1.0
    return float(stats.nct.sf(critical, freedom, difference / error))


def smallest_visible(variance: Variance, num_seeds: int, num_images: int, level: float) -> float:
    """The true difference that such a study calls real at `level` with probability POWER; NaN if not known."""
    if np.isnan(variance.noise):
        return np.nan
    error, freedom, critical = _test(variance, num_seeds, num_images, level)
    return error * float(special.nctdtrinc(freedom, 1 - POWER, critical)) if error > 0 else 0.0


def seeds_needed(difference: float, variance: Variance, num_images: int, level: float) -> float:
    """The fewest seeds with which a true `difference` > 0 is seen with POWER on so many images.

    Infinite if MOST_SEEDS are too few (more images are the usual remedy); NaN if a variance is unknown.
    """
    if np.isnan(variance.noise):
        return np.nan
    choices = range(2, MOST_SEEDS + 1)
    found = bisect.bisect_left(choices, POWER, key=lambda seeds: power(difference, variance, seeds, num_images, level))
    return float(choices[found]) if found < len(choices) else np.inf


def _test(variance: Variance, num_seeds: int, num_images: int, level: float) -> tuple[float, float, float]:
    """The mean's standard error, its degrees of freedom, and the interval's half-width in standard errors."""
    parts = np.array([(variance.seed + variance.noise / num_images) / num_seeds, variance.image / num_images])
    freedom = np.array([num_seeds - 1, num_images - 1])
    error = np.sqrt(parts.sum())
    if error == 0:
        return 0.0, np.inf, np.inf
    half_width = np.sqrt((stats.t.ppf(1 - level / 2, freedom) ** 2 * parts).sum())
    return float(error), float(parts.sum() ** 2 / (parts**2 / freedom).sum()), float(half_width / error)
