"""Writing a search's tables, figures and winner into its folder."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pandas as pd

from grla.files import write_text
from grla.report.canvas import save
from grla.report.load import TuningResults, load_tuning
from grla.report.tuning import front, history, trained, winner
from grla.report.tuning_figures import front_figure, history_figure, importances_figure, parallel_figure
from grla.report.tuning_summary import tuning_markdown


def publish_tuning(
    storage: Path | str, study_name: str, folder: Path, confirmed: pd.DataFrame | None = None
) -> TuningResults:
    """Write trials.csv, front.csv, curves.csv, importances.csv, summary.md, winner.json and the figures of a search.

    `confirmed` is what `grla.report.tuning.confirmation` found, if the best were confirmed; it is then written, too.
    Figures that need finished trials are left out while there are none. Raises InputError as `load_tuning` does and
    when `folder` cannot be written.
    """
    logging.getLogger("matplotlib").setLevel(logging.WARNING)  # it speaks of fonts at INFO level
    results = load_tuning(storage, study_name)
    tables = {
        "trials": results.trials.assign(best_so_far=history(results)["best"]),
        "front": front(results),
        "curves": results.curves,
        "importances": results.importances,
        "confirmation": confirmed,
    }
    for name, table in tables.items():
        if table is not None:
            write_text(folder / f"{name}.csv", table.to_csv(index=False))
    write_text(folder / "summary.md", tuning_markdown(results, confirmed))
    if len(trained(results)):
        _draw(results, folder)
        write_text(folder / "winner.json", _winner(results, study_name, confirmed))
    return results


def _draw(results: TuningResults, folder: Path) -> None:
    if results.about["minimise"]:
        save(front_figure(results), folder / "front")
    save(history_figure(results), folder / "history")
    save(parallel_figure(results), folder / "parallel")
    if len(results.importances):
        save(importances_figure(results), folder / "importances")


def _winner(results: TuningResults, study_name: str, confirmed: pd.DataFrame | None) -> str:
    """The winner as a file that `run_ablation.py --base` takes: spec fields, after what they are and come from."""
    chosen = winner(results, confirmed)
    assert chosen is not None
    trial, trust = chosen
    row = results.trials[results.trials["trial"] == trial].iloc[0]
    about = {name: results.about[name] for name in ("search", "profile")} | {"optuna_study": study_name}
    about |= {"trial": trial, "cell_hash": row["cell_hash"], "trust": trust, "val_psnr_y": float(row["val_psnr_y"])}
    return json.dumps({"about": about, "changes": results.changes[trial]}, indent=2) + "\n"
