"""The report of a study: verdicts, how it was measured, tables, figures, and what they cannot tell."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from grla.errors import InputError
from grla.provenance import BUSY, DISTURBED
from grla.report.document import Document, Link, Number, Picture, Section, Strong, Table, Text
from grla.report.folder import document_faults, write_document
from grla.report.kinds.each_set import each_set_blocks
from grla.report.kinds.interventions import intervention_faults, intervention_sections
from grla.report.kinds.main_effects import main_effects_section
from grla.report.kinds.study_figures import study_figures
from grla.report.kinds.visibility import limits_section, visibility_section
from grla.report.machines import machines_of, mixed_cards
from grla.report.published import load_published, published_section
from grla.report.results import (
    DEFINITION,
    PROVENANCE,
    Results,
    folders_of,
    load_results,
    own_storage,
    read_json,
    read_rows,
    study_results,
    write_rows,
)
from grla.report.tables import batches, interval, provenance_table, study_tables, verdict
from grla.report.verify import identity_faults, recorded_study, row_faults
from grla.study import MOSTLY_ELEMENTWISE, Layout

TITLE = "Studies"
COUNTING = """\
How to read the tables: PSNR-Y and SSIM-Y on the Y channel, mean over images, then mean ± sd over seeds. The difference
to the base is paired by image and seed; its 95 % interval (hierarchical bootstrap over seeds and images, corrected for
few of either) covers other seeds and other images of the same kind. Where it covers 0 the two are not distinguishable;
where it does not, they may still not be once the verdict is corrected for all comparisons of the study (Holm).
Equality within the study's margin is tested (two one-sided tests at the study's level), and not settled while either
side gains more than the margin by twice the steps.
MACs: every multiply-add{among}. hook_flops: the paper's rule, which leaves out the matrix products inside attention;
not comparable with MACs. FLOPs would be 2 x MACs. Cost columns are means over cells."""

PROBE = """\
The images are a probe: PSNR-Y and MSE (RGB, of [0, 1]) are those of the blanked pixels, "outside" is the rest. The
baselines are exact: "no look" guesses the mean of all values there can be, "best guess that ignores keys" ("mean of
values" in older records) that of the values in the image, "LR copied" knows the missing LR pixels and nothing finer.
Perfect recall has no error; the others do not bound what a network of several layers can reach."""


def folders(root: Path) -> list[Path]:
    """The studies' folders at, in and two below `root`, in alphabetical order."""
    return folders_of("study", root)


def write(folder: Path) -> None:
    """Write a study's rows where there is a storage, and its report."""
    storage = own_storage(folder)
    if storage is not None:
        publish(*storage, folder)
    else:
        write_document(study_document(read_rows(folder), folder), folder)


def publish(storage: Path | str, study_name: str, folder: Path) -> Results:
    """Write the rows and the report of a study that was just run; returns what was loaded.

    `storage` is a SQLite file or a URL. Raises InputError as `load_results` does and when `folder` cannot be written.
    """
    results = load_results(storage, study_name)
    write_rows(results, folder)
    write_document(study_document(results, folder), folder)
    return results


def document(folder: Path) -> Document:
    """The report of the study in `folder`, made now from its rows."""
    return study_document(study_results(folder), folder)


def link(folder: Path, address: str) -> Link:
    """A study's line in an index."""
    results = study_results(folder)
    layout, cells = results.layout, results.cells
    finished = int((cells["outcome"] == "ok").sum())
    tested, seeds = ", ".join(results.images["test_set"].unique()), _count(cells["seed"].nunique(), "seed")
    about = f"{layout.question} {finished} of {_count(len(cells), 'cell')}, {seeds}; tested on {tested}."
    return Link(address, f"{layout.study}, {layout.profile}", about)


def faults(folder: Path) -> list[str]:
    """What does not match in a study's folder, one line each: study's file, hashes, rows, tables, figures."""
    results = read_rows(folder)
    try:
        study = recorded_study(folder)
    except InputError as error:
        return [str(error)]
    found = identity_faults(study, read_json(folder / DEFINITION), read_json(folder / PROVENANCE), results.cells)
    found += row_faults(folder) + intervention_faults(folder)
    return found + document_faults(study_document(results, folder), folder)


def study_document(results: Results, folder: Path) -> Document:
    """The report of a study's `results`, with what lies in its `folder` besides: provenance, pictures."""
    layout, cells = results.layout, results.cells
    path = folder / PROVENANCE
    about = read_json(path) if path.is_file() else {}
    figures = study_figures(results, folder)
    warnings = [Text(text) for text in (mixed_code(cells), mixed_cards(cells), trained_on(about)) if text]
    alone = each_set_blocks(results)
    probe = [Text(PROBE)] if "mse" in results.images and results.images["mse"].notna().any() else []
    sections = (
        Section("Verdicts", (*warnings, Text(verdict_lines(results))), summary=False),
        Section(
            "Method",
            (*warnings, Text(measured(results, about)), Text(COUNTING.format(among=mostly_elementwise(cells))), *probe),
        ),
        *(Section(group.title, (table, *alone.get(group.title, ()))) for group, table in study_tables(results)),
        main_effects_section(results),
        *intervention_sections(folder),
        Section("Figures", (*figures, *_other_pictures(folder, {figure.name for figure in figures}))),
        _unfinished(cells),
        visibility_section(results.differences),
        limits_section(cells, results.differences),
        published_section(load_published(layout.study), layout.study),
        Section("Provenance", _provenance(about, cells), summary=False),
    )
    title = f"{layout.study}, profile {layout.profile}"
    return Document(title, layout.question, sections, f"{layout.study}: {layout.question}")


def trained_on(about: Mapping[str, Any]) -> str:
    """A warning where test images were trained on, else ""; `about` is the study's provenance.json."""
    names = about.get("trained_on", [])
    was = "test image was" if len(names) == 1 else "test images were"
    words = f"Overlap: {len(names)} {was} trained or validated on, so their scores say little of other images: "
    return f"{words}{', '.join(names)}." if names else ""


def mixed_code(cells: pd.DataFrame) -> str:
    """A warning where the cells of a study were computed by several versions of the code, else "".

    Commits tell them apart only where rows have no source: those of before it was recorded.
    """
    unknown = cells[cells["source"].fillna("") == ""] if "source" in cells else cells
    versions = sorted(set(unknown["code_version"]))
    return f"Mixed code: cells were computed at commits {', '.join(versions)}." if len(versions) > 1 else ""


def mostly_elementwise(cells: pd.DataFrame) -> str:
    """Of which variants MACs are not every multiply-add, in words that follow "every multiply-add"; "" if of none."""
    if not {"elementwise_ops", "macs"} <= set(cells):
        return ""
    shares = (pd.to_numeric(cells["elementwise_ops"]) / pd.to_numeric(cells["macs"])).groupby(cells["variant"]).max()
    found = shares[shares > MOSTLY_ELEMENTWISE]
    if found.empty:
        return ""
    named = ", ".join(f"{variant} ({share:.0%})" for variant, share in found.items())
    return (
        " of a matrix product or convolution, but not of products that are written elementwise, of which there may be "
        f"many where elementwise operations are a large part of the MACs: {named}"
    )


def verdict_lines(results: Results) -> str:
    """Markdown: per group its base, and the variants by verdict with their differences."""
    lines = []
    for group in results.layout.groups():
        base = next((label for label, variant in group.rows if variant == group.base), group.base)
        lines.append(f"\n**{group.title}**, compared with {base}:\n")
        by_verdict: dict[str | Strong, list[str]] = {}
        for label, variant in group.rows:
            if variant in results.differences:
                difference = results.differences[variant]
                shown = interval(difference)
                named = f"{label} ({shown} dB)" if shown.fields() else label
                by_verdict.setdefault(verdict(difference), []).append(named)
        for words, names in by_verdict.items():
            lines.append(f"- {words.markdown() if isinstance(words, Strong) else words}: {', '.join(names)}")
    return "\n".join(lines)


def measured(results: Results, about: Mapping[str, Any]) -> str:
    """How a study was measured, as a list; `about` is its provenance.json, empty where there is none."""
    layout, cells, base = results.layout, results.cells, results.base
    train, data, cost = base["train"], base["data"], base["cost"]
    unit = "minutes" if train["budget"]["unit"] == "min" else "steps"
    counts = results.images.drop_duplicates(["test_set", "image"]).groupby("test_set", sort=False).size()
    sets = [f"{name} ({_count(n, 'image')})" for name, n in counts.items()]
    sizes = [f"{high}x{wide}" for high, wide in (cost["count_output"], cost["latency_input"])]
    finished = int((cells["outcome"] == "ok").sum())
    lines = [
        f"Source: {layout.source}",
        f"Profile: {layout.profile}; budget of every cell: {train['budget']['amount']:g} {unit} of {batches(data)}",
        _rates(layout, train["learning_rate"]),
        f"Cells: {finished} of {len(cells)} finished; {_count(cells['seed'].nunique(), 'seed')}",
        f"Test images: {', '.join(sets)}",
        f"Base network: {_network(base['model'])}",
        f"Counts are for an output of {sizes[0]} pixels; latency and memory for an LR input of {sizes[1]}",
        *_not_counted(cells),
        *_circumstances(cells, about),
    ]
    lines += _exact(results.images)
    if train.get("init_from"):
        lines.append("Training starts from given weights, where they fit, not from the seed alone")
    if layout.design == "panels":
        name = layout.factors[0].name
        lines.append(f"Compare only within one {name}: each {name} has its own base and its own baselines")
    return "\n".join(f"- {line}" for line in lines)


def _rates(layout: Layout, base: float) -> str:
    """Whether each variant trained at a learning rate that suits it."""
    if layout.rates:
        return (
            "Learning rates: each variant's own (in the table), the best by validation images of shorter runs of one "
            "seed, a study of its own, which says how short"
        )
    return (
        f"Learning rate: {base:g} for all variants; none was given one of its own (`--rates` does that): variants that "
        "another suits better may gain by it"
    )


def _exact(images: pd.DataFrame) -> list[str]:
    """The images without PSNR, by who enlarged them exactly."""
    exact = images[images["psnr_y"].isna()].drop_duplicates(["variant", "test_set", "image"])
    return [
        f"{variant} enlarges exactly, with infinite PSNR, which is in no mean: "
        + ", ".join(f"{row.image} of {row.test_set}" for row in rows.itertuples())
        for variant, rows in exact.groupby("variant", sort=False)
    ]


def _not_counted(cells: pd.DataFrame) -> list[str]:
    """Finished cells without counts, and why they have none."""
    told = cells[(cells["outcome"] == "ok") & (cells["reason"].fillna("") != "")]
    return [
        f"{variant}: {reason}" for variant, reason in dict(zip(told["variant"], told["reason"], strict=True)).items()
    ]


def _circumstances(cells: pd.DataFrame, about: Mapping[str, Any]) -> list[str]:
    """How costs were measured and cells trained, how many at once, on which machine."""
    lines = []
    # Rows of older results lack the columns of these; their costs were measured for each cell, beside all others.
    workers, threads, timed, others, share = (
        cells.get(name, pd.Series(dtype=float)).dropna()
        for name in ("workers", "threads", "latency_threads", "others_share", "processor_share")
    )
    if len(timed):
        at_once = f"up to {workers.max():.0f} at once with {_number_of(threads, 'thread')} each"
        lines.append(
            f"Costs were measured once for each variant, with no cell of this study running, latency with "
            f"{_number_of(timed, 'thread')}; cells were trained {at_once}"
        )
    elif workers.max() > 1:
        lines.append(
            f"Latencies and training times are those of up to {workers.max():.0f} cells at once on one machine"
        )
    if others.max() > DISTURBED:
        lines.append(
            f"Other work kept up to {others.max():.0%} of the machine's processors busy while costs were measured: "
            "latencies are too high, and those of one variant more than another's"
        )
    if share.min() < BUSY:
        lines.append(
            f"The machine was busy: cells got {share.min():.0%} to {share.max():.0%} of the processor time they could "
            "use, so their training times say little; scores do not depend on it"
        )
    ways = sorted(set(cells.get("execution", pd.Series(dtype=str)).fillna("")) - {""})
    if ways:
        lines.append(f"Some or all cells were trained with {'; '.join(ways)}: see the column execution in cells.csv")
    if about:
        lines.append(
            f"Machine: {machines_of(cells, about['machine'])}; code {', '.join(sorted(set(cells['code_version'])))}"
        )
    return lines


def _number_of(values: pd.Series, thing: str) -> str:
    """What is equal in all cells, or differs, as "1 thread" or "1 to 4 threads"."""
    least, most = int(values.min()), int(values.max())
    count = str(most) if least == most else f"{least} to {most}"
    return f"{count} {thing}" if most == 1 else f"{count} {thing}s"


def _network(model: Mapping[str, Any]) -> str:
    """A model spec in words."""
    if "dim" not in model:
        return ", ".join(f"{name} {value}" for name, value in model.items())
    windows = f", windows of {model['window_size']}" if "window" in model.get("layers", ("window",)) else ", no windows"
    width = f"{model['dim']} channels, {_count(model['depth'], 'block')}{windows}"
    return f"GRLASR x{model['upscale']}, {width} (the paper's has 55 channels, 6 blocks, windows of 16)"


def _unfinished(cells: pd.DataFrame) -> Section:
    failed = cells[cells["outcome"] != "ok"]
    columns = {name: failed[name].tolist() for name in ("variant", "seed", "outcome")}
    columns["step"] = [Number(step, ".0f") for step in pd.to_numeric(failed["steps"])]
    table = pd.DataFrame(columns | {"reason": failed["reason"].tolist()})
    blocks = (Table(table, left=("variant", "outcome", "reason")),) if len(failed) else ()
    return Section("Cells that did not finish", blocks)


def _other_pictures(folder: Path, drawn: set[str]) -> list[Picture]:
    """The PNG files of `folder` that are not `drawn` from rows: crops and maps need the networks' outputs."""
    words = "as drawn when the networks were at hand; it cannot be drawn again from the rows alone."
    paths = [path for path in sorted(folder.glob("*.png")) if path.stem not in drawn]
    return [Picture(path, f"{path.stem.replace('_', ' ')}, {words}") for path in paths]


def _provenance(about: Mapping[str, Any], cells: pd.DataFrame) -> tuple[Table, ...]:
    if not about:
        return ()
    versions = ", ".join(sorted(set(cells["code_version"])))
    further = {"code of the cells": versions, "study": about["optuna_study"], "device": about["device"]}
    for number, other in enumerate(about.get("merged", []), start=2):
        further[f"run {number}"] = f"{other['command_line']}, on {other['machine']['processor']}"
    names = ["variant", "seed", "cell_hash", "outcome", "code_version", "device"]
    return (
        provenance_table(about, further),
        Table(cells[names], "Every cell; its hash names spec, images, protocol, device and source.", names),
    )


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"
