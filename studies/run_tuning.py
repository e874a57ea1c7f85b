"""Search for the best configuration, on validation images only, and write what was found.

    python studies/run_tuning.py                                   the default search on bundled photos, profile quick
    python studies/run_tuning.py --list                            what can be searched
    python studies/run_tuning.py search_recipe --then-confirm 2    and train the two best anew, on fresh seeds and tests

Run it again to go on: finished trials are kept, unfinished ones resume.
"""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro

from command import command

from grla.devices import choose_device
from grla.engine import GRACE_SECONDS, RunSettings, StudyRun, load_material, run_study
from grla.errors import InputError, require_at_least
from grla.provenance import without_password
from grla.report import TuningResults, confirmation, publish, publish_tuning, to_confirm
from grla.spec import Budget
from grla.study import CONFIRMING_SEEDS, confirming_study, load_search
from grla.tuning import TuningRun, run_tuning
from overview import show_searches


@dataclass(frozen=True)
class Arguments:
    """Search for the best configuration by validation PSNR-Y, and cost where asked. Run it again to go on."""

    search: tyro.conf.Positional[str] = "search_architecture"
    """Name of a search, a file in studies/searches/; see --list."""
    profile: Literal["smoke", "quick", "standard"] = "quick"
    """How large to run it; --list shows the time to expect."""
    trials: int | None = None
    """Number of trials to train, all in all; by default the profile's."""
    budget: str | None = None
    """Training of each trial, as 600steps or 5min; by default the profile's."""
    train_data: tuple[Path, ...] = ()
    """Folders of HR training images, searched recursively; by default photos shipped with the installed packages."""
    then_confirm: int = 0
    """Train so many of the best trials anew beside the base, on fresh seeds, and score them on the test images."""
    seeds: int = CONFIRMING_SEEDS
    """Number of seeds to confirm with."""
    test_data: tuple[Path, ...] = ()
    """Folders of HR test images to confirm on; the search itself never reads them. By default photos as above."""
    device: str = "auto"
    """Where to train and measure: auto (a GPU if there is one), cpu, cuda, cuda:1 (the second GPU) or mps (Apple's)."""
    out: Path = Path("results")
    """Folder for storage, cells, tables and figures."""
    workers: int = 1
    """Trials at a time on this machine; with more than one, what is tried next depends on which ends first."""
    threads: int | None = None
    """Threads of each worker; by default 1, so that results do not depend on the number of cores, and all on a GPU."""
    storage: str | None = None
    """URL of the database that machines share, postgresql://user@host/name; by default studies.db in --out."""
    grace: int = GRACE_SECONDS
    """Seconds after which the trial of a silent worker is given to another; the same for all workers."""
    list: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Show the searches with their questions, parameters and profiles, and stop."""


def main(arguments: Arguments) -> None:
    """Search, write what was found, and confirm it where that is asked for."""
    if arguments.list:
        return show_searches()
    require_at_least("then_confirm", arguments.then_confirm, 0)
    device = choose_device(arguments.device)
    settings = RunSettings(
        arguments.out, device, arguments.workers, arguments.threads, arguments.storage, grace=arguments.grace
    )
    search = load_search(arguments.search)
    run = TuningRun(search, arguments.profile, settings, spec_changes(arguments), arguments.trials)
    if arguments.then_confirm:  # what confirming would refuse is refused before anything is trained
        require_at_least("seeds", arguments.seeds, 1)
        base = search.space(run.profile, confirming_changes(run, arguments)).base
        load_material(base.data, base.model.upscale, settings.cache, device)
    name = run_tuning(run)
    results = publish_tuning(run.settings.storage_url, name, run.folder)
    if arguments.then_confirm:
        confirm(run, arguments, results, name)
    print((run.folder / "summary.md").read_text(encoding="utf-8"))
    print(f"Tables and figures: {run.folder}")
    print(f"Winner as a base:   python studies/run_ablation.py STUDY --base {run.folder / 'winner.json'}")
    url = without_password(run.settings.storage_url)
    print(f"Dashboard:          {shlex.join(['optuna-dashboard', url])}")


def confirm(run: TuningRun, arguments: Arguments, results: TuningResults, name: str) -> None:
    """Run the study of confirmation and write its verdicts into the search's summary as well."""
    chosen = to_confirm(results, arguments.then_confirm)
    if not chosen:
        raise InputError("nothing to confirm: no trial besides the base was trained to the end; run more --trials")
    study = confirming_study(run.search, run.profile, {trial: results.changes[trial] for trial in chosen})
    confirming = StudyRun(study, run.profile, run.settings, confirming_changes(run, arguments), arguments.seeds)
    print(f"Confirming trials {', '.join(map(str, chosen))} beside the base on {arguments.seeds} seeds.")
    storage = run.settings.storage_url
    found = publish(storage, run_study(confirming), confirming.folder)
    publish_tuning(storage, name, run.folder, confirmation(found, chosen))
    print(f"Confirmation:       {confirming.folder / 'summary.md'}")


def confirming_changes(run: TuningRun, arguments: Arguments) -> dict[str, object]:
    """Those of the search, and the test images to confirm on."""
    test = {"data.test": tuple(map(str, arguments.test_data))} if arguments.test_data else {}
    return {**run.changes, **test}


def spec_changes(arguments: Arguments) -> dict[str, object]:
    """The arguments that change what is trained, by spec field."""
    changes: dict[str, object] = {}
    if arguments.budget is not None:
        changes["train.budget"] = Budget.parse(arguments.budget)
    if arguments.train_data:
        changes["data.train"] = tuple(map(str, arguments.train_data))
    return changes


if __name__ == "__main__":
    command(main, Arguments)
