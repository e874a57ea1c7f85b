"""Run an ablation study and write its tables and figures.

    python studies/run_ablation.py                         the default study on bundled photos, profile quick
    python studies/run_ablation.py --list                  what can be asked
    python studies/run_ablation.py attention --dry-run     what it would cost
    python studies/run_ablation.py attention --status      how far it is, and who is at work
    torchrun --nproc-per-node 2 studies/run_ablation.py    each cell trained by 2 processes, on a GPU each if there are

Run it again to go on: finished cells are taken over, unfinished ones resume. `--workers`, `--storage` and `--join` let
many processes and machines work on one study.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import tyro
from tabulate import tabulate

import project_root  # noqa: F401  it puts the project on the path

from grla.engine import (
    FILE_NAME,
    GRACE_SECONDS,
    KEPT_DIMS,
    Crew,
    Execution,
    Matching,
    StudyRun,
    choose_device,
    describe_status,
    duration,
    estimate,
    latest_name,
    match_study,
    run_study,
    run_together,
)
from grla.errors import InputError, Interrupted
from grla.provenance import without_password
from grla.report import CELL_FILES, export, publish
from grla.spec import Budget
from grla.study import load_study, read_base, study_names
from until_clear import run_until_clear


@dataclass(frozen=True)
class Arguments:
    """Run an ablation study: train every cell, measure it, and write tables and figures. Run it again to go on."""

    study: tyro.conf.Positional[str] = "attention"
    """Name of a study, a file in studies/; see --list."""
    profile: Literal["smoke", "quick", "standard", "paper"] = "quick"
    """How large to run it; --list shows the time to expect."""
    seeds: int | None = None
    """Number of seeds per variant; by default the profile's."""
    budget: str | None = None
    """Training of each cell, as 600steps or 5min; by default the profile's."""
    train_data: Path | None = None
    """Folder of HR training images, searched recursively; by default photos shipped with the installed packages."""
    test_data: tuple[Path, ...] = ()
    """Folders of HR test images, or of HR/ with LR_bicubic/X4/; by default photos shipped with installed packages."""
    base: Path | None = None
    """File of spec fields to change the base by, as the winner.json of run_tuning.py."""
    match: Literal["params", "macs", "latency"] | None = None
    """Choose each variant's dim so that it costs what the base costs; the tables say how nearly."""
    until_clear: float | None = None
    """Give more seeds to the variants whose difference to the base is neither better nor worse nor known to this many
    dB; verdicts are then corrected for looking again. Begins with --seeds, at least 2."""
    max_seeds: int = 10
    """With --until-clear: the most seeds of a variant."""
    device: Literal["auto", "cpu", "cuda"] = "auto"
    """Where to train and measure; auto takes a GPU if there is one."""
    checkpoint_activations: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Train GRLASR in less memory and more time, to the same numbers: each block is computed twice."""
    compile: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Train through torch.compile: minutes of compiling, then faster steps; numbers differ by rounding."""
    out: Path = Path("results")
    """Folder for storage, logs, checkpoints, tables and figures."""
    list: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Show the studies with their questions and profiles, and stop."""
    dry_run: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Show the cells, their cost and an estimate of the time, and stop."""
    workers: int = 1
    """Processes on this machine, sharing its threads and GPUs; 0 only plans the cells."""
    storage: str | None = None
    """URL of the database that machines share, postgresql://user@host/name; by default studies.db in --out."""
    join: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Only claim cells of the study as another process planned it, and write no tables."""
    artifacts: str | None = None
    """Folder or s3://bucket/prefix for checkpoints and pictures that machines share; by default those in --out."""
    grace: int = GRACE_SECONDS
    """Seconds after which the cell of a silent worker is given to another; the same for all workers."""
    retry_failed: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """With --join: queue cells that failed again. A run without --join always does."""
    status: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Show the study's cells by state, worker and age, and stop."""
    export: Path | None = None
    """Write the study's records to a .csv or, with those of images and validations, .jsonl file, and stop."""


def main(arguments: Arguments) -> None:
    """Do what the arguments say."""
    if arguments.list:
        return show_studies()
    run = study_run(arguments)
    if arguments.dry_run:
        return show_cost(run)
    if arguments.status:
        return print(describe_status(run))
    storage = run.out / FILE_NAME if arguments.storage is None else arguments.storage
    if arguments.export is not None:
        return export(storage, latest_name(run), arguments.export)
    until = arguments.until_clear
    try:
        name = run_together(
            run, lambda: run_study(run) if until is None else run_until_clear(run, until, arguments.max_seeds)
        )
    except Interrupted:
        print("\nStopped. Nothing is lost: run the same command again to go on.", file=sys.stderr)
        sys.exit(130)
    if name is None:  # a process of torchrun's that has helped the first one
        return
    if arguments.join:
        print(f"All cells of {name} have ended. Tables and figures: the same command without --join.")
    elif arguments.workers == 0:
        print(f"Planned {name}; now run workers: the same command with --join.")
    else:
        show_results(run, storage, name)


def show_results(run: StudyRun, storage: Path | str, name: str) -> None:
    """Write tables and figures, print the summary and where to look; exit with an error if cells failed."""
    results = publish(storage, name, run.folder)
    print((run.folder / "summary.md").read_text(encoding="utf-8"))
    print(f"Tables and figures: {run.folder}")
    print(f"Learning curves:    tensorboard --logdir {run.folder / 'tensorboard'}")
    url = storage if isinstance(storage, str) else f"sqlite:///{storage}"
    print(f"Dashboard:          optuna-dashboard {without_password(url)} --artifact-dir {run.artifacts}")
    failed = int((results.cells["outcome"] == "error").sum())
    if failed:
        sys.exit(f"error: {failed} cells failed, see above and {run.folder / 'cells.csv'}; run again to retry them")


def study_run(arguments: Arguments) -> StudyRun:
    """What is to be run, where and by whom."""
    device, changes = choose_device(arguments.device), spec_changes(arguments)
    study = load_study(arguments.study)
    if arguments.match:
        kept = None if arguments.dry_run else arguments.out / KEPT_DIMS
        study = match_study(study, arguments.profile, changes, Matching(arguments.match, device, kept))
    return StudyRun(
        study,
        arguments.profile,
        arguments.out,
        device,
        changes,
        arguments.seeds,
        crew(arguments),
        cell_files=CELL_FILES,
        execution=Execution(arguments.checkpoint_activations, arguments.compile),
    )


def crew(arguments: Arguments) -> Crew:
    """The arguments that say who works."""
    return Crew(
        arguments.workers,
        arguments.storage,
        arguments.artifacts,
        arguments.grace,
        arguments.join,
        arguments.retry_failed,
    )


def spec_changes(arguments: Arguments) -> dict[str, object]:
    """The arguments that change what is run, by spec field."""
    changes: dict[str, object] = {} if arguments.base is None else read_base(arguments.base)
    if arguments.budget is not None:
        changes["train.budget"] = Budget.parse(arguments.budget)
    if arguments.train_data is not None:
        changes["data.train"] = str(arguments.train_data)
    if arguments.test_data:
        changes["data.test"] = tuple(map(str, arguments.test_data))
    return changes


def show_studies() -> None:
    """Print the studies with question, source, and cells and time by profile; the paper's first, in its order."""
    studies = [load_study(name) for name in study_names()]
    beyond = [study for study in studies if not study.source.startswith("GRLA paper")]
    of_the_paper = sorted((study for study in studies if study not in beyond), key=lambda study: _place(study.source))
    for title, group in (("Tables and figures of the paper", of_the_paper), ("Beyond the paper", beyond)):
        print(f"{title}\n{'=' * len(title)}\n")
        for study in group:
            sizes = [f"{name} {len(study.cells(name, {}))}" for name in study.profiles]
            print(f"{study.name}\n  {study.question}\n  Source: {study.source}\n  Cells: {', '.join(sizes)}")
    print("\nTime to expect, by --profile:")
    for name, profile in load_study(Arguments.study).profiles.items():
        print(f"  {name:9s} {profile.expected_time}")


def _place(source: str) -> tuple[str, int]:
    """Orders "... table 2 ..." before "... table 11 ..." and tables after figures."""
    match = re.search(r"(table|figure) (\d+)", source)
    return (match[1], int(match[2])) if match else ("", 0)


def show_cost(run: StudyRun) -> None:
    """Print each cell with its counts and estimated training time."""
    estimates = estimate(run.cells(), run.device)
    rows = [
        (
            e.cell.variant,
            e.cell.spec.seed,
            e.counts.num_params / 1e3,
            e.counts.macs / 1e9,
            e.counts.hook_flops / 1e9,
            duration(e.seconds),
        )
        for e in estimates
    ]
    headers = ("variant", "seed", "params K", "macs G", "hook_flops G", "training")
    print(tabulate(rows, headers, floatfmt=".2f"))
    total = duration(sum(e.seconds for e in estimates))
    print(f"\n{len(rows)} cells, about {total} of training on this machine, measuring and scoring not included.")


if __name__ == "__main__":
    try:
        main(tyro.cli(Arguments))
    except InputError as error:
        sys.exit(f"error: {error}")
