"""Writing a search's rows, tables, figures and winner into its folder."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pandas as pd

from grla.files import write_text
from grla.report.figures.search import front_figure, history_figure, importances_figure, parallel_figure
from grla.report.figures.search_data import front, history, trained, winner
from grla.report.folder import PROVENANCE, read_json
from grla.report.kinds.tuning_summary import tuning_markdown
from grla.report.pictures import Picture, write_pictures
from grla.report.results import TuningResults, load_tuning
from grla.report.search_folder import CONFIRMATION, read_confirmation, read_search_rows, write_search_rows


def publish_tuning(
    storage: Path | str, study_name: str, folder: Path, confirmed: pd.DataFrame | None = None
) -> TuningResults:
    """Write the rows of a search (trials.csv, curves.csv, importances.csv, search.json), and what they give.

    `confirmed` is what `confirmation` found, if the best were confirmed; it is then written, too.
    Raises InputError as `load_tuning` does and when `folder` cannot be written.
    """
    results = load_tuning(storage, study_name)
    write_search_rows(results, folder)
    if confirmed is not None:
        write_text(folder / CONFIRMATION, confirmed.to_csv(index=False))
    publish_search_rows(folder)
    return results


def publish_search_rows(folder: Path) -> None:
    """Write summary.md, front.csv, winner.json and the figures that the rows in a search's `folder` give.

    Winner and figures are left out while no trial has been trained to the end.
    """
    logging.getLogger("matplotlib").setLevel(logging.WARNING)  # it speaks of fonts at INFO level
    results = read_search_rows(folder)
    for name, text in search_texts(results, folder).items():
        write_text(folder / name, text)
    write_pictures(search_pictures(results), folder)


def search_texts(results: TuningResults, folder: Path) -> dict[str, str]:
    """The content of summary.md, front.csv and winner.json by file name."""
    confirmed = read_confirmation(folder)
    texts = {"summary.md": tuning_markdown(results, confirmed), "front.csv": front(results).to_csv(index=False)}
    return texts | ({"winner.json": _winner(results, folder, confirmed)} if len(trained(results)) else {})


def search_pictures(results: TuningResults) -> list[Picture]:
    """The figures of a search in the order of a page; none while no trial has been trained to the end."""
    if trained(results).empty:
        return []
    costs, best = results.about["minimise"], front(results)
    trials = results.trials[["trial", "base", "outcome", "val_psnr_y", *costs]].astype({"base": str})
    parameters = [parameter["name"] for parameter in results.about["parameters"]]
    found = [
        Picture(
            "history",
            "PSNR-Y on the validation images, trial by trial, and the best so far.",
            (history(results),),
            lambda: history_figure(results),
        ),
        Picture(
            "parallel",
            "Every trial that was trained to the end, over its parameters; bright lines are good ones.",
            (trained(results)[["trial", *parameters, "val_psnr_y"]],),
            lambda: parallel_figure(results),
        ),
    ]
    if costs:
        words = "PSNR-Y on the validation images against what it costs. On the front nothing is as good for less."
        found.insert(0, Picture("front", words, (trials, best[["trial"]]), lambda: front_figure(results)))
    if len(results.importances):
        words = "How much each parameter tells the best trials from the others."
        found.append(Picture("importances", words, (results.importances,), lambda: importances_figure(results)))
    return found


def _winner(results: TuningResults, folder: Path, confirmed: pd.DataFrame | None) -> str:
    """The winner as a file that `run_ablation.py --base` takes: spec fields, after what they are and come from."""
    chosen = winner(results, confirmed)
    assert chosen is not None
    trial, trust = chosen
    row = results.trials[results.trials["trial"] == trial].iloc[0]
    about = {name: results.about[name] for name in ("search", "profile")}
    about |= {"optuna_study": read_json(folder / PROVENANCE)["optuna_study"]}
    about |= {"trial": trial, "cell_hash": row["cell_hash"], "trust": trust, "val_psnr_y": float(row["val_psnr_y"])}
    return json.dumps({"about": about, "changes": results.changes[trial]}, indent=2) + "\n"
