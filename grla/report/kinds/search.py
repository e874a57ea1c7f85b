"""The report of a search: what was found, how far to trust it, how the search went."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import matplotlib.figure
import pandas as pd

from grla.errors import InputError
from grla.files import write_text
from grla.report.document import Block, Document, Figure, Link, Number, Section, Table, Text
from grla.report.figures.search import front_figure, history_figure, importances_figure, parallel_figure
from grla.report.folder import document_faults, write_document
from grla.report.results import (
    CONFIRMATION,
    PROVENANCE,
    TuningResults,
    folders_of,
    load_tuning,
    own_storage,
    read_confirmation,
    read_json,
    read_search_rows,
    search_results,
    write_search_rows,
)
from grla.report.search import NAMES, best, confirmed_gain, front, history, trained, winner
from grla.report.tables import COSTS, DIFFERENCE, batches, provenance_table
from grla.report.verify import search_identity_faults
from grla.study import load_search

TITLE = "Searches"
BEST_SHOWN = 5
OUTCOMES = {
    "ok": "trained to the end",
    "pruned": "stopped, their validation curves being hopeless beside trials of about their cost",
    "diverged": "diverged",
    "out_of_memory": "ran out of memory",
    "error": "failed",
    "over_limit": "not trained: over a limit",
    "dominated": "not trained: trials of about their cost were all beaten by one of at most half of it",
    "invalid": "not trained: no valid network",
}
CAPTIONS = {
    "front": "PSNR-Y on the validation images against what it costs. On the front nothing is as good for less.",
    "history": "PSNR-Y on the validation images, trial by trial, and the best so far.",
    "parallel": "Every trial that was trained to the end, over its parameters; bright lines are good ones.",
    "importances": "How much each parameter tells the best trials from the others.",
}
"""By the name of a figure, in the order of a page."""


def folders(root: Path) -> list[Path]:
    """The searches' folders at, in and two below `root`, in alphabetical order."""
    return folders_of("search", root)


def write(folder: Path) -> None:
    """Write a search's rows where there is a storage, and its report."""
    storage = own_storage(folder)
    if storage is not None:
        write_search_rows(load_tuning(*storage), folder)
    write_document(search_document(read_search_rows(folder), folder), folder)


def publish_tuning(
    storage: Path | str, study_name: str, folder: Path, confirmed: pd.DataFrame | None = None
) -> TuningResults:
    """Write the rows and the report of a search that was just run; returns what was loaded.

    `confirmed` is what `confirmation` found, if the best were confirmed; it is then written, too.
    Raises InputError as `load_tuning` does and when `folder` cannot be written.
    """
    results = load_tuning(storage, study_name)
    write_search_rows(results, folder)
    if confirmed is not None:
        write_text(folder / CONFIRMATION, confirmed.to_csv(index=False))
    write_document(search_document(read_search_rows(folder), folder), folder)
    return results


def document(folder: Path) -> Document:
    """The report of the search in `folder`, made now from its rows."""
    return search_document(search_results(folder), folder)


def link(folder: Path, address: str) -> Link:
    """A search's line in an index."""
    results, about = search_results(folder), read_json(folder / PROVENANCE)
    text = f"{results.about['question']} {len(results.trials)} trials, {len(trained(results))} trained to the end."
    return Link(address, f"{about['search']}, {about['profile']}", text)


def faults(folder: Path) -> list[str]:
    """What does not match in a search's folder, one line each: search's file, hashes, tables, figures."""
    results, about = read_search_rows(folder), read_json(folder / PROVENANCE)
    try:
        search = load_search(str(about["search"]))
    except InputError as error:
        return [str(error)]
    found = search_identity_faults(search, results, about)
    return found + document_faults(search_document(results, folder), folder)


def search_document(results: TuningResults, folder: Path) -> Document:
    """The report of a search's `results`, with what lies in its `folder` besides: provenance, confirmation."""
    about, confirmed = read_json(folder / PROVENANCE), read_confirmation(folder)
    search, question = results.about["search"], results.about["question"]
    method, found = Text(measured(results)), Text(found_text(results, confirmed))
    sections = (
        Section("", (method, found), page=False),
        Section("Found", (found,), summary=False),
        Section("Method", (method,), summary=False),
        _front(results),
        _confirmation(confirmed),
        _importances(results),
        Section("Figures", tuple(search_figures(results))),
        _ended(results),
        _limits(results),
        Section("Provenance", _provenance(results, about), summary=False),
    )
    texts = {"front.csv": front(results).to_csv(index=False)}
    chosen = winner(results, confirmed)
    if chosen is not None:
        texts["winner.json"] = _winner(results, *chosen, about["optuna_study"])
    title = f"{search}, profile {results.about['profile']}"
    return Document(title, question, sections, f"{search}: {question}", texts)


def search_figures(results: TuningResults) -> list[Figure]:
    """The figures of a search in the order of a page; none while no trial has been trained to the end."""
    if trained(results).empty:
        return []
    costs = results.about["minimise"]
    trials = results.trials[["trial", "base", "outcome", "val_psnr_y", *costs]].astype({"base": str})
    parameters = [parameter["name"] for parameter in results.about["parameters"]]
    found: dict[str, tuple[Callable[[TuningResults], matplotlib.figure.Figure], *tuple[pd.DataFrame, ...]]] = {
        "front": (front_figure, trials, front(results)[["trial"]]),
        "history": (history_figure, history(results)),
        "parallel": (parallel_figure, trained(results)[["trial", *parameters, "val_psnr_y"]]),
        "importances": (importances_figure, results.importances),
    }
    if not costs:
        del found["front"]
    if results.importances.empty:
        del found["importances"]
    return [Figure(name, CAPTIONS[name], tuple(data), partial(draw, results)) for name, (draw, *data) in found.items()]


def described(results: TuningResults, trial: int) -> str:
    """A trial's configuration in words; parameters that it does not have are left out."""
    row = results.trials[results.trials["trial"] == trial].iloc[0]
    values = {one["name"]: row[one["name"]] for one in results.about["parameters"]}
    return ", ".join(f"{name} {_short(value)}" for name, value in values.items() if not pd.isna(value))


def measured(results: TuningResults) -> str:
    """What was searched, at what budget and with what aim, as a Markdown list."""
    about, outcomes = results.about, results.trials["outcome"]
    train, data = about["base"]["train"], about["base"]["data"]
    budget = f"{train['budget']['amount']:g} {'minutes' if train['budget']['unit'] == 'min' else 'steps'}"
    counts = [f"{int((outcomes == name).sum())} {text}" for name, text in OUTCOMES.items() if (outcomes == name).any()]
    aims = ["the highest PSNR-Y on the validation images", *(f"the least {NAMES[cost]}" for cost in about["minimise"])]
    lines = [
        f"Source: {about['source']}",
        f"Profile: {about['profile']}; budget of every trial: {budget}; the base takes {batches(data)}",
        f"Aim: {', '.join(aims)}; no test image was read",
        *(f"Limit: {limit['cost']} at most {limit['at_most']:,.0f}" for limit in about["limits"]),
        f"Trials: {'; '.join(counts)}",
        *(f"Searched: {one['name']} (`{one['path']}`): {_values(one)}" for one in about["parameters"]),
    ]
    return "\n".join(f"- {line}" for line in lines)


def found_text(results: TuningResults, confirmed: pd.DataFrame | None) -> str:
    """The winner, how it compares with the base, and how far it is to be trusted."""
    chosen = winner(results, confirmed)
    if chosen is None:
        return "No trial was trained to the end."
    trial, trust = chosen
    rows = results.trials.set_index("trial")
    gain = "the base itself"
    base = rows[rows["base"] & (rows["outcome"] == "ok")]
    if len(base) and not rows.loc[trial, "base"]:
        difference = float(rows.loc[trial, "val_psnr_y"]) - float(base["val_psnr_y"].iloc[0])  # type: ignore[arg-type]
        gain = f"{difference:+.3f} dB to the base on the validation images"
    return f"**Trial {trial}** ({gain}; {trust}): {described(results, trial)}. `winner.json` holds it."


def _front(results: TuningResults) -> Section:
    """The front, or the best trials, with the base at the end if it is not among them."""
    several, every = bool(results.about["minimise"]), trained(results)
    rows = front(results) if several else best(results)[:BEST_SHOWN]
    base = every[every["base"] & ~every["trial"].isin(rows["trial"])]
    rows = pd.concat([rows, base]) if len(base) else rows
    named = [f"{row.trial} (base)" if row.base else str(row.trial) for row in rows.itertuples()]
    table: dict[str, object] = {"trial": named, "validation PSNR-Y dB": [Number(x, ".3f") for x in rows["val_psnr_y"]]}
    for heading, (column, shown) in COSTS.items():
        if column in rows and rows[column].notna().any():
            table[heading] = [Number(float(x) * shown.factor, shown.format) for x in rows[column].astype(float)]
    table["configuration"] = [described(results, int(trial)) for trial in rows["trial"]]
    title = "The front" if several else f"The {BEST_SHOWN} best"
    return Section(title, (Table(pd.DataFrame(table), left=("trial", "configuration")),) if len(every) else ())


def _confirmation(confirmed: pd.DataFrame | None) -> Section:
    if confirmed is None:
        return Section("Confirmation", ())
    rows = [(row["trial"], confirmed_gain(row), row["verdict"]) for _, row in confirmed.iterrows()]
    table = pd.DataFrame(rows, columns=["trial", DIFFERENCE, "verdict"])
    how = "Trained anew beside the base, on seeds that no trial had, and scored on the test images."
    return Section("Confirmation", (Text(how), Table(table, left=("verdict",))))


def _importances(results: TuningResults) -> Section:
    """A row per parameter, a column per objective."""
    objectives = list(results.importances["objective"].unique())
    if not objectives:
        return Section("Importances", ())
    table = results.importances.pivot(index="parameter", columns="objective", values="importance")
    table = table[objectives].sort_values("val_psnr_y", ascending=False).map(lambda share: Number(share, ".2f"))
    table.columns = [f"for {NAMES[name]}" for name in objectives]
    return Section("Importances", (Table(table.reset_index(), left=("parameter",)),))


def _ended(results: TuningResults) -> Section:
    """The trials that were not trained to the end; only a page lists them."""
    ended = results.trials.loc[results.trials["outcome"] != "ok", ["trial", "outcome", "reason"]]
    blocks: tuple[Block, ...] = (Table(ended, "How each ended, and why.", ("outcome", "reason")),) if len(ended) else ()
    return Section("Not trained to the end", blocks, summary=False)


def _limits(results: TuningResults) -> Section:
    lines = [
        "Each trial is one training from one seed, scored on a few validation images: the best of many is in part the "
        "luckiest of them. Only training the best anew, on other seeds and scored on the test images, confirms them.",
        "A front is what these trials found, not what there is; parts that were stopped or refused early stay unknown.",
        "What is best for a small budget need not be best for a large one.",
    ]
    if len(results.importances):
        lines.append(
            "Importances are of the trials that were trained to the end, which the sampler chose: a parameter that it "
            "soon settled seems to matter less than it does. Parameters that not every trial has are not rated."
        )
    return Section("What this search cannot tell", (Text("\n".join(f"- {line}" for line in lines)),))


def _winner(results: TuningResults, trial: int, trust: str, optuna_study: str) -> str:
    """The winner as a file that `grla.study.read_base` reads: its spec fields, and where they come from."""
    row = results.trials[results.trials["trial"] == trial].iloc[0]
    about = {name: results.about[name] for name in ("search", "profile")} | {"optuna_study": optuna_study}
    about |= {"trial": trial, "cell_hash": row["cell_hash"], "trust": trust, "val_psnr_y": float(row["val_psnr_y"])}
    return json.dumps({"about": about, "changes": results.changes[trial]}, indent=2) + "\n"


def _provenance(results: TuningResults, about: Mapping[str, Any]) -> tuple[Table, ...]:
    versions = ", ".join(sorted(set(results.trials["code_version"]) - {""}))
    further = {"code of the trials": versions, "study": about["optuna_study"], "device": about["device"]}
    names = ["trial", "cell_hash", "outcome", "code_version"]
    return (
        provenance_table(about, further),
        Table(results.trials[names], "Every trial and the hash of its run.", names[1:]),
    )


def _values(parameter: Mapping[str, Any]) -> str:
    if parameter["kind"] == "Choice":
        text = ", ".join(map(str, parameter["choices"]))
    else:
        text = f"{parameter['low']:g} to {parameter['high']:g}{' (logarithmic)' if parameter.get('log') else ''}"
    when = parameter["when"]
    return text + (f"; only where {when['parameter']} is {' or '.join(map(str, when['values']))}" if when else "")


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
