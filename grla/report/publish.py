"""Writing a study's tables and figures into its folder."""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from PIL import Image

from grla.files import write_text
from grla.report.canvas import save
from grla.report.crops import CropRow, Tile, crops_figure, sharpest_crop
from grla.report.figures import cost_figure, curves_figure
from grla.report.gradients import gradient_data, gradients_figure
from grla.report.layout import BASE
from grla.report.levels import gain_figure, levels_figure
from grla.report.load import Results, load_results
from grla.report.published import load_published
from grla.report.recall import has_recall, recall_figure
from grla.report.summary import summary_markdown
from grla.report.tables import baseline_rows, trained_rows

CROP_SIZE = 96  # HR pixels a side


def publish(storage: Path | str, study_name: str, folder: Path, published: Path | None = None) -> Results:
    """Write cells.csv, images.csv, curves.csv, summary.md and the figures of a study; return what was loaded.

    `storage` is a SQLite file or a URL. `published` is the CSV of the paper's numbers (see `grla.report.published`);
    the study's are then quoted at the end of the summary. Figures that need finished cells are left out while there
    are none. Raises InputError as `load_results` and `load_published` do and when `folder` cannot be written.
    """
    # Matplotlib speaks of fonts at INFO level while it looks for them.
    logging.getLogger("matplotlib").setLevel(logging.WARNING)
    results = load_results(storage, study_name)
    layout, cells, images = results.layout, results.cells, results.images
    quoted = None if published is None else load_published(published, layout.study)
    for name in ("cells", "images", "curves"):
        write_text(folder / f"{name}.csv", getattr(results, name).to_csv(index=False))
    budget, notes = describe(results, folder)
    write_text(folder / "summary.md", summary_markdown(layout, cells, images, budget, notes, quoted))
    if (cells["outcome"] == "ok").any():
        draw(results, folder)
    return results


def draw(results: Results, folder: Path) -> None:
    """Write all figures as PNG and SVG."""
    layout, cells, images = results.layout, results.cells, results.images
    save(levels_figure(layout, cells, images), folder / "psnr")
    save(gain_figure(layout, cells, images), folder / "difference")
    save(cost_figure(layout, cells, results.base["cost"]), folder / "cost")
    save(curves_figure(layout, results.curves), folder / "curves")
    if not gradient_data(layout, results.curves).empty:
        save(gradients_figure(layout, results.curves), folder / "gradients")
    if has_recall(images):
        base = next(group for group in layout.groups() if group.base == BASE)
        save(recall_figure(base, cells, images), folder / "recall")
    rows = crop_rows(results, folder / "images")
    if rows:
        save(crops_figure(rows), folder / "crops")


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
    workers = results.cells["workers"].fillna(1).max()
    if workers > 1:
        notes.append(f"Latencies and training times are those of up to {workers:.0f} cells at once on one machine")
    ways = sorted(set(results.cells["execution"].fillna("")) - {""})
    if ways:
        notes.append(f"Some or all cells were trained with {'; '.join(ways)}: see the column execution in cells.csv")
    provenance = folder / "provenance.json"
    if provenance.is_file():
        machine = json.loads(provenance.read_text(encoding="utf-8"))["machine"]
        threads = f"{machine['torch_threads']} threads of {machine['processor']}"
        device = machine["gpu"] if set(results.cells["device"]) == {"cuda"} else threads
        notes.append(f"Machine: {device}; code {', '.join(sorted(set(results.cells['code_version'])))}")
    return budget, notes


def crop_rows(results: Results, folder: Path) -> list[CropRow]:
    """HR, baselines and the levels of the first factor, at each kept image's sharpest place; the first seed's results.

    Of panels it is the one that holds the study's base, whose HR and baselines are those that were kept.
    """
    group = next(group for group in results.layout.groups() if group.base == BASE)
    seed = results.cells["seed"].min()
    first = results.cells[(results.cells["seed"] == seed) & (results.cells["outcome"] == "ok")]
    hashes = dict(zip(first["variant"], first["cell_hash"], strict=True))
    baselines = baseline_rows(results.images, group)
    sources = {"HR": "hr"} | {name: name for name in baselines["variant"].unique()}
    sources |= {group.name(label, variant): hashes[variant] for label, variant in group.rows if variant in hashes}
    scores = pd.concat([trained_rows(results.images), baselines])
    rows = []
    for path in sorted((folder / "hr").glob("*.png")):
        hr = read(path)
        size = min(CROP_SIZE, *hr.shape[:2])
        top, left = sharpest_crop(hr, size)
        tiles = [
            Tile(
                name,
                read(folder / source / path.name)[top : top + size, left : left + size],
                _psnr(scores, source, path),
            )
            for name, source in sources.items()
            if (folder / source / path.name).is_file()
        ]
        rows.append(CropRow(path.stem, tuple(tiles)))
    return rows


def read(path: Path) -> NDArray[np.uint8]:
    """A PNG that a run wrote, as uint8."""
    with Image.open(path) as image:
        return np.asarray(image)


def _network(model: Mapping[str, Any]) -> str:
    """A model spec in words."""
    if "dim" not in model:
        return ", ".join(f"{name} {value}" for name, value in model.items())
    width = f"{model['dim']} channels, {model['depth']} blocks, windows of {model['window_size']}"
    return f"GRLASR x{model['upscale']}, {width} (the paper's has 55 channels, 6 blocks, windows of 16)"


def _psnr(images: pd.DataFrame, cell_hash: str, path: Path) -> float | None:
    names = images["test_set"] + "-" + images["image"].str.replace("/", "_")
    found: Sequence[float] = images.loc[(images["cell_hash"] == cell_hash) & (names == path.stem), "psnr_y"].tolist()
    return found[0] if found else None
