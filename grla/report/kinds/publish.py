"""Writing a study's rows, tables and figures into its folder."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from grla.files import write_text
from grla.report.folder import PROVENANCE, write_rows
from grla.report.kinds.study_pictures import study_pictures
from grla.report.kinds.summary import summary_markdown
from grla.report.pictures import write_pictures
from grla.report.published import load_published
from grla.report.results import Results, load_results
from grla.report.table_files import table_texts


def publish(storage: Path | str, study_name: str, folder: Path, published: Path | None = None) -> Results:
    """Write the rows of a study (cells.csv, images.csv, curves.csv, study.json), and what `publish_rows` writes.

    `storage` is a SQLite file or a URL. Returns what was loaded. Raises InputError as `load_results` and
    `load_published` do and when `folder` cannot be written.
    """
    results = load_results(storage, study_name)
    write_rows(results, folder)
    publish_rows(results, folder, published)
    return results


def publish_rows(results: Results, folder: Path, published: Path | None = None) -> None:
    """Write summary.md, the tables and the figures of a study's `results` into its `folder`.

    `published` is the CSV of the paper's numbers (see `grla.report.published`); the study's are then quoted at the end
    of the summary. Figures are left out while no cell has finished.
    """
    # Matplotlib speaks of fonts at INFO level while it looks for them.
    logging.getLogger("matplotlib").setLevel(logging.WARNING)
    for name, text in study_texts(results, folder, published).items():
        write_text(folder / name, text)
    write_pictures(study_pictures(results, folder), folder)


def study_texts(results: Results, folder: Path, published: Path | None = None) -> dict[str, str]:
    """The content of summary.md and of all files of tables, by path in the study's `folder`."""
    layout = results.layout
    quoted = None if published is None else load_published(published, layout.study)
    budget, notes = describe(results, folder)
    summary = summary_markdown(layout, results.cells, results.images, budget, notes, quoted)
    return {"summary.md": summary, **table_texts(results, quoted)}


def describe(results: Results, folder: Path) -> tuple[str, list[str]]:
    """The budget of a cell in words, and notes on how it was measured."""
    base = results.base
    train, data, cost = base["train"], base["data"], base["cost"]
    unit = "minutes" if train["budget"]["unit"] == "min" else "steps"
    batch = f"{data['batch_size']} patches of {data['patch_size']}x{data['patch_size']} LR pixels"
    budget = f"{train['budget']['amount']:g} {unit} of {batch}"
    sizes = [f"{high}x{wide}" for high, wide in (cost["count_output"], cost["latency_input"])]
    notes = [
        f"Base network: {_network(base['model'])}",
        f"Counts are for an output of {sizes[0]} pixels; latency and memory for an LR input of {sizes[1]}",
    ]
    workers = results.cells.get("workers", pd.Series(dtype=float)).max()  # rows of older results have no such column
    if workers > 1:
        notes.append(f"Latencies and training times are those of up to {workers:.0f} cells at once on one machine")
    ways = sorted(set(results.cells.get("execution", pd.Series(dtype=str)).fillna("")) - {""})
    if ways:
        notes.append(f"Some or all cells were trained with {'; '.join(ways)}: see the column execution in cells.csv")
    provenance = folder / PROVENANCE
    if provenance.is_file():
        machine = json.loads(provenance.read_text(encoding="utf-8"))["machine"]
        threads = f"{machine['torch_threads']} threads of {machine['processor']}"
        device = machine["gpu"] if set(results.cells["device"]) == {"cuda"} else threads
        notes.append(f"Machine: {device}; code {', '.join(sorted(set(results.cells['code_version'])))}")
    return budget, notes


def _network(model: Mapping[str, Any]) -> str:
    """A model spec in words."""
    if "dim" not in model:
        return ", ".join(f"{name} {value}" for name, value in model.items())
    width = f"{model['dim']} channels, {model['depth']} blocks, windows of {model['window_size']}"
    return f"GRLASR x{model['upscale']}, {width} (the paper's has 55 channels, 6 blocks, windows of 16)"
