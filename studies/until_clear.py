"""What `run_ablation.py --until-clear` does: a study run again and again, with more seeds where it is still open."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

from grla.engine import StudyRun, run_study
from grla.errors import require, require_at_least
from grla.report import Difference, is_open, load_results, look_seeds, study_differences, until_clear


def run_until_clear(
    run: StudyRun,
    clear: float,
    max_seeds: int,
    differences: Callable[..., dict[str, Difference]] = study_differences,
) -> str:
    """Run the study until each difference is settled, known to `clear` dB, or has `max_seeds` seeds; return its name.

    The rule and its correction are those of `grla.report.statistics.sequential`. Run again it comes to the same
    decisions, from the same cells. Raises what `run_study` does, and InputError for a number of seeds or dB that makes
    no sense, or for no worker. `differences` compares a layout's variants by their images' rows.
    """
    require(run.settings.workers != 0, "workers", "must be at least 1 with `until_clear`, which looks at results", 0)
    first = run.study.profile(run.profile).seeds if run.seeds is None else run.seeds
    require_at_least("seeds", first, 1)
    seeds = look_seeds(max(first, 2), max_seeds)
    names = []

    def look(number: int, stopped: Mapping[str, int]) -> dict[str, Difference]:
        names.append(run_study(replace(run, seeds=number, stopped=stopped, num_looks=len(seeds))))
        results = load_results(run.settings.storage_url, names[-1])
        mine = (results.images["seed"] < number).fillna(False)  # earlier runs may have left more
        found = differences(results.layout, results.images[mine])
        still = [variant for variant, difference in found.items() if is_open(difference, clear)]
        print(f"{number} seeds: {'; '.join(still) or 'nothing'} still open at {clear:g} dB.")
        return found

    until_clear(look, seeds, clear)
    return names[-1]
