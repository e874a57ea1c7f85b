"""Run an ablation study and write its tables and figures.

    python studies/run_ablation.py                         the default study on bundled photos, profile quick
    python studies/run_ablation.py --list                  what can be asked
    python studies/run_ablation.py attention --dry-run     what it would cost
    python studies/run_ablation.py attention --status      how far it is, and who is at work
    python studies/run_ablation.py compare my_package.network:build --train-data DIR    a network of your own, no file
    python studies/run_ablation.py recall --rates 1e-3 3e-3 1e-2 --until-flat 0.1    each at its own rate, to the end
    torchrun --nproc-per-node 2 studies/run_ablation.py    each cell trained by 2 processes, on a GPU each if there are

Run it again to go on: finished cells are kept, unfinished ones resume. `--workers`, `--storage` and `--join` let
many processes and machines work on one study.
"""

from __future__ import annotations

import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Annotated, Any, Literal

import tyro

from command import command

from grla.devices import choose_device
from grla.engine import (
    GRACE_SECONDS,
    KEPT_DIMS,
    Execution,
    Matching,
    RunSettings,
    StudyRun,
    describe_status,
    latest_name,
    match_study,
    require_new_layout,
    run_study,
    torchrun,
)
from grla.errors import InputError, require
from grla.files import write_text
from grla.provenance import without_password
from grla.report import CELL_FILES, DEFINITION, Results, beside, export, publish, read_json
from grla.spec import Budget, DataSpec, ModelSpec, OutsideSpec
from grla.study import COMPARE, Study, compared_study, layout_from_json, load_study, read_base
from overview import show_costs, show_studies
from rounds import run_until_clear, run_until_flat, with_own_rates

PICTURES = {"data.train": "--train-data", "data.test": "--test-data", "data.allow_overlap": "--allow-overlap"}
"""The options about folders of pictures, by the spec field that each changes."""

NEXT = """\
recall: PSNR-Y of glyphs that stand elsewhere in the image, after a training of minutes: who has not begun by then may
begin later. What next?
  your own photographs   python studies/run_ablation.py --train-data DIR --test-data DIR
  your own kernel        notebooks/your_kernel.ipynb
  more seeds             python studies/run_ablation.py --until-clear 0.05
  recall for longer      python studies/run_ablation.py recall_steps (an hour; each kernel at its own learning rate)
"""


@dataclass(frozen=True)
class Arguments:
    """Run an ablation study: train every cell, measure it, and write tables and figures. Run it again to go on."""

    study: tyro.conf.Positional[str] = "attention"
    """Name of a study, a file in studies/ablations/ (see --list), or "compare"."""
    models: tyro.conf.Positional[tuple[str, ...]] = ()
    """With "compare": networks of your own, each as package.module:factory, to train and measure beside GRLASR."""
    profile: Literal["smoke", "quick", "standard", "paper"] = "quick"
    """How large to run it; --list shows the time to expect."""
    seeds: int | None = None
    """Number of seeds per variant; by default the profile's."""
    budget: str | None = None
    """Training of each cell, as 600steps or 5min; by default the profile's."""
    train_data: tuple[Path, ...] = ()
    """Folders of HR training images, searched recursively; by default photos shipped with the installed packages."""
    test_data: tuple[Path, ...] = ()
    """Folders of HR test images, with LR beside them or not (docs/data.md); by default photos of installed packages."""
    allow_overlap: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Score test images that are trained on as well; the summary says which. Without this they are an error."""
    init_from: Path | None = None
    """File of weights to start training from, a study's weights.pt or a state dict; those that do not fit by name and
    shape are listed."""
    base: Path | None = None
    """File of spec fields to change the base by, as the winner.json of run_tuning.py."""
    match: Literal["params", "macs", "latency"] | None = None
    """Choose each variant's dim so that it costs what the base costs; the tables say how nearly."""
    until_clear: float | None = None
    """Give more seeds to the variants whose difference to the base is neither better nor worse nor known to this many
    dB; verdicts are then corrected for looking again. Begins with --seeds, at least 2."""
    max_seeds: int = 10
    """With --until-clear: the most seeds of a variant."""
    until_flat: float | None = None
    """Double the steps of all cells, which go on where they stopped, until no variant gains more than this many dB by
    it. Trains at a constant rate that falls over the last fifth of the steps."""
    max_steps: int = 16_000
    """With --until-flat: the most steps of a cell."""
    rates: tuple[float, ...] = ()
    """Learning rates to try for each variant in shorter runs first; each then trains at its own, chosen by validation
    images. By default those of the profile, which for smoke and quick are none: all variants train at one rate."""
    device: str = "auto"
    """Where to train and measure: auto (a GPU if there is one), cpu, cuda, cuda:1 (the second GPU) or mps (Apple's);
    with --workers 0 another machine may have it."""
    precision: Literal["fp32", "tf32", "bf16", "fp16"] | None = None
    """In what a GPU trains, by default the profile's: bf16 in standard, else fp32. tf32 and bf16 need compute
    capability 8.0; scores and costs are in float32 either way."""
    checkpoint_activations: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Train GRLASR in less memory and more time, to the same numbers: each block is computed twice."""
    compile: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Train through torch.compile: minutes of compiling, then faster steps; numbers differ by rounding."""
    step_graph: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Have a GPU replay each training step as a CUDA graph, which spares its launches; not tried on a GPU yet."""
    out: Path = Path("results")
    """Folder for storage, cells, tables and figures."""
    list: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Show the studies with their questions and profiles, and stop."""
    dry_run: Annotated[bool, tyro.conf.FlagCreatePairsOff] = False
    """Show the cells, their cost and an estimate of the time, and stop."""
    workers: int | None = None
    """Cells at a time on this machine; 0 only plans them. By default one for each core, and one on a GPU."""
    threads: int | None = None
    """Threads of each worker; by default 1, so that results do not depend on the number of cores, and all on a GPU."""
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
    """Look at studies where that is asked for, else run one; write and show its results, or say what comes next."""
    if arguments.list:
        return show_studies(Arguments.study)
    run = study_run(arguments)
    rates = arguments.rates or run.study.profile(run.profile).rates
    if arguments.dry_run:
        return show_costs([(run, rates), *((probe, ()) for probe in probes_beside(run))])
    if arguments.status:
        return print(describe_status(run))
    if arguments.export is not None:
        return export(run.settings.storage_url, latest_name(run), arguments.export)
    tell_replaced(run)
    tell_order(run)
    with torchrun(run) as leading:
        if not leading:
            return None
        if rates:
            run = with_own_rates(run, rates)
        run, name = run_in_rounds(arguments, run)
        done = [] if run.join or run.settings.workers == 0 else [(run, show_table(run, name))]
        for probe in probes_beside(run):
            print(f"{run.study.name} is done; {probe.study.name} follows.", file=sys.stderr, flush=True)
            of_probe = run_study(probe)
            if done:
                done.append((probe, show_table(probe, of_probe)))
    if run.join:
        print(f"All cells of {name} have ended. Tables and figures: the same command without --join.")
    elif run.settings.workers == 0:
        print(f"Planned {name}; now run workers: the same command with --join.")
    else:
        show_what_next(done)
    return None


def run_in_rounds(arguments: Arguments, run: StudyRun) -> tuple[StudyRun, str]:
    """Run the study once, or as often as --until-flat or --until-clear takes; return what ran last, and its name."""
    if arguments.until_flat is not None:
        return run_until_flat(run, arguments.until_flat, arguments.max_steps)
    if arguments.until_clear is not None:
        return run, run_until_clear(run, arguments.until_clear, arguments.max_seeds)
    return run, run_study(run)


def probes_beside(run: StudyRun) -> list[StudyRun]:
    """The study beside that of `run`, if it has one, in the same profile, with images, budget and seeds of its own."""
    if not run.study.beside:
        return []
    return [replace(run, study=load_study(run.study.beside), changes={}, seeds=None, stopped={}, num_looks=1)]


def tell_order(run: StudyRun) -> None:
    """Say on stderr which studies follow that of `run`: the time left, which is shown, is of one at a time."""
    names = [run.study.name, *(probe.study.name for probe in probes_beside(run))]
    if len(names) > 1:
        print(f"{', then '.join(names)}: the time left is of each by itself.", file=sys.stderr)


def tell_replaced(run: StudyRun) -> None:
    """Say on stderr which networks' tables `compare` finds in its folder, where they are others than its own."""
    if run.study.name != COMPARE or not (run.folder / DEFINITION).is_file():
        return
    recorded = layout_from_json(read_json(run.folder / DEFINITION)).factors[0].levels
    if set(recorded) != set(run.study.factors[0].levels):
        models = ", ".join(recorded)
        print(f"{run.folder} holds tables of {models}: they are replaced; cells stay.", file=sys.stderr)


def show_table(run: StudyRun, name: str) -> Results:
    """Write tables and figures of a finished study and print its summary."""
    results = publish(run.settings.storage_url, name, run.folder)
    print((run.folder / "summary.md").read_text(encoding="utf-8"), flush=True)
    return results


def show_what_next(done: Sequence[tuple[StudyRun, Results]]) -> None:
    """Print the table of a study and its probe, and where to look; exit with an error if cells failed."""
    if len(done) > 1:
        both = f"## Both\n\n{beside(done[0][1], done[1][1], ('photographs', 'recall')).markdown()}\n"
        write_text(done[0][0].folder / "both.md", both)
        print(f"{both}\n{NEXT}")
    for run, _ in done:
        print(f"Tables and figures: {run.folder}")
        print(f"The same as a page: {shlex.join(['python', 'studies/report.py', str(run.folder), '--html', 'pages'])}")
        print(f"Learning curves:    {shlex.join(['tensorboard', '--logdir', str(run.folder / 'cells')])}")
    settings = done[0][0].settings
    url, files = without_password(settings.storage_url), str(settings.shown_files)
    print(f"Dashboard:          {shlex.join(['optuna-dashboard', url, '--artifact-dir', files])}")
    for run, results in done:
        failed = int((results.cells["outcome"] == "error").sum())
        if failed:
            sys.exit(f"error: {failed} cells failed, see above and {run.folder / 'cells.csv'}; run again to retry them")


def study_run(arguments: Arguments) -> StudyRun:
    """What is to be run, where and by whom."""
    require_new_layout(arguments.out)
    settings = RunSettings(
        arguments.out,
        choose_device(arguments.device, here=not plans_only(arguments)),
        arguments.workers,
        arguments.threads,
        arguments.storage,
        arguments.artifacts,
        arguments.grace,
        Execution(arguments.checkpoint_activations, arguments.compile, arguments.step_graph),
    )
    changes = spec_changes(arguments)
    study = asked_study(arguments, changes)
    require_pictures(study, changes)
    if arguments.match:
        kept = None if arguments.dry_run else arguments.out / KEPT_DIMS
        study = match_study(study, arguments.profile, changes, Matching(arguments.match, settings.device, kept))
    return StudyRun(
        study,
        arguments.profile,
        settings,
        changes,
        arguments.seeds,
        arguments.join,
        arguments.retry_failed,
        cell_files=CELL_FILES,
    )


def asked_study(arguments: Arguments, changes: Mapping[str, object]) -> Study:
    """The study of that name, or the models beside GRLASR, at the upscale factor of the base."""
    if arguments.study == COMPARE:
        upscale: Any = changes.get("model.upscale", ModelSpec.upscale)
        return compared_study([OutsideSpec(name, upscale) for name in arguments.models])
    require(not arguments.models, "models", f"must be left out but for {COMPARE!r}", arguments.models)
    return load_study(arguments.study)


def require_pictures(study: Study, changes: Mapping[str, object]) -> None:
    """Raise InputError where a probe, which makes its own images, is given folders of others."""
    given = [option for path, option in PICTURES.items() if path in changes]
    if given and not isinstance(study.base.data, DataSpec):
        raise InputError(f"{study.name} is a probe, which makes its own images; leave out {', '.join(given)}")


def plans_only(arguments: Arguments) -> bool:
    """Whether nothing is computed here: cells are for other machines."""
    return arguments.workers == 0 and not arguments.dry_run and arguments.match != "latency"


def spec_changes(arguments: Arguments) -> dict[str, object]:
    """The arguments that change what is run, by spec field."""
    changes: dict[str, object] = {} if arguments.base is None else read_base(arguments.base)
    if arguments.budget is not None:
        changes["train.budget"] = Budget.parse(arguments.budget)
    if arguments.train_data:
        changes["data.train"] = tuple(map(str, arguments.train_data))
    if arguments.test_data:
        changes["data.test"] = tuple(map(str, arguments.test_data))
    if arguments.init_from is not None:
        changes["train.init_from"] = str(arguments.init_from)
    if arguments.precision is not None:
        changes["train.precision"] = arguments.precision
    if arguments.allow_overlap:
        changes["data.allow_overlap"] = True
    return changes


if __name__ == "__main__":
    command(main, Arguments, clear="until_clear", flat="until_flat", path="export", factory="models")
