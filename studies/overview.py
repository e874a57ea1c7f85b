"""What can be run, what it would cost, how far it is: looking at studies and searches without running anything."""

from __future__ import annotations

import re
from collections.abc import Sequence

from tabulate import tabulate

from grla.cost import Counts
from grla.engine import StudyRun, duration, forecast
from grla.study import COMPARE, load_search, load_study, rates_study, search_names, shorter, study_names


def show_studies(default: str) -> None:
    """Print the studies with question, source, and cells by profile; the paper's first, in its order.

    Times to expect are those of the study called `default`.
    """
    studies = [load_study(name) for name in study_names()]
    beyond = [study for study in studies if not study.source.startswith("GRLA paper")]
    of_the_paper = sorted((study for study in studies if study not in beyond), key=lambda study: _place(study.source))
    for title, group in (("Tables and figures of the paper", of_the_paper), ("Beyond the paper", beyond)):
        print(f"{title}\n{'=' * len(title)}\n")
        for study in group:
            sizes = [f"{name} {len(study.cells(name, {}))}" for name in study.profiles]
            print(f"{study.name}\n  {study.question}\n  Source: {study.source}\n  Cells: {', '.join(sizes)}")
    print(f"{COMPARE} package.module:factory ...\n  Networks of your own beside GRLASR; no file is needed.")
    print("\nTime to expect, by --profile:")
    for name, profile in load_study(default).profiles.items():
        print(f"  {name:9s} {profile.expected_time}")


def show_searches() -> None:
    """Print the searches with question, source, aim, parameters by profile, and the time to expect."""
    for search in (load_search(name) for name in search_names()):
        aims = ", ".join(["validation PSNR-Y", *(f"against {cost}" for cost in search.minimise)])
        print(f"{search.name}\n  {search.question}\n  Source: {search.source}\n  Aim: {aims}")
        print(f"  Parameters: {', '.join(parameter.name for parameter in search.parameters)}")
        for name, profile in search.profiles.items():
            print(f"  {name:9s} {profile.trials} trials, {profile.expected_time}")


def show_costs(runs: Sequence[tuple[StudyRun, Sequence[float]]]) -> None:
    """Print each run's cells with their counts and estimated training time, and what choosing among its rates takes."""
    for run, rates in runs:
        _show_cost(run, rates)


def _show_cost(run: StudyRun, rates: Sequence[float]) -> None:
    cells, settings = run.cells(), run.settings
    expected = forecast(cells, settings.device, settings.workers, settings.threads)
    rows = [
        (
            one.cell.variant,
            one.cell.spec.seed,
            *_in_units(one.counts),
            "-" if one.seconds is None else duration(one.seconds),
        )
        for one in expected.estimates
    ]
    headers = ("variant", "seed", "params K", "MACs G", "hook_flops G", "training")
    print(tabulate(rows, headers, floatfmt=".2f", missingval="-"))
    time = f"about {duration(expected.seconds)} of training on this machine, {expected.arrangement}"
    print(f"\n{run.study.name}: {len(rows)} cells, {time}; measuring and scoring not included.\n")
    for variant, reason in {one.cell.variant: one.reason for one in expected.estimates if one.reason}.items():
        print(f"{variant}: {reason}")
    if rates:
        base = cells[0].spec
        budget = shorter(base.train.budget, run.study.profile(run.profile).rate_share)
        trying = rates_study(run.study, run.profile, base, rates).cells(
            run.profile, {**run.changes, "train.budget": budget}, seeds=1
        )
        before = duration(forecast(trying, settings.device, settings.workers, settings.threads).seconds)
        print(
            f"Before them at least {len(trying)} runs of {budget.words} each, about {before} of training, choose a "
            "learning rate for each variant."
        )


def _in_units(counts: Counts | None) -> tuple[float | None, ...]:
    """Thousands of parameters, billions of multiply-adds and of hook_flops."""
    return (counts.num_params / 1e3, counts.macs / 1e9, counts.hook_flops / 1e9) if counts else (None, None, None)


def _place(source: str) -> tuple[str, int]:
    """Orders "... table 2 ..." before "... table 11 ..." and tables after figures."""
    match = re.search(r"(table|figure) (\d+)", source)
    return (match[1], int(match[2])) if match else ("", 0)
