"""The page of a search: what was found, how far to trust it, how the search went."""

from __future__ import annotations

from pathlib import Path

from grla.report.document import Link, Page, Section, Shown, Table, Text, sections_of
from grla.report.figures.search_data import trained
from grla.report.folder import PROVENANCE, read_json
from grla.report.kinds.publish_tuning import search_pictures, search_texts
from grla.report.kinds.tuning_summary import LIMITS, measured
from grla.report.provenance import provenance_table
from grla.report.results import TuningResults
from grla.report.search_folder import search_results

REFUSED = ["trial", "outcome", "reason"]


def search_page(folder: Path) -> Page:
    """The page of the search in `folder`, made now from its rows."""
    results = search_results(folder)
    about = read_json(folder / PROVENANCE)
    parts = sections_of(search_texts(results, folder)["summary.md"])
    found = parts.pop("").removeprefix(measured(results))
    limits = parts.pop(LIMITS)
    ended = results.trials[results.trials["outcome"] != "ok"]
    failed = Table(ended[REFUSED].astype(str), "Trials that were not trained to the end, and why.")
    further = {"code of the trials": _versions(results), "study": about["optuna_study"], "device": about["device"]}
    trials = results.trials[["trial", "cell_hash", "outcome", "code_version"]].astype(str)
    sections = (
        Section("Found", (Text(found),)),
        Section("Method", (Text(measured(results)),)),
        *(Section(title, (Text(text),)) for title, text in parts.items()),
        Section("Figures", tuple(Shown.figure(picture) for picture in search_pictures(results))),
        Section("Not trained to the end", (failed,) if len(ended) else (Text("Every trial was."),)),
        Section(LIMITS, (Text(limits),)),
        Section(
            "Provenance", (provenance_table(about, further), Table(trials, "Every trial and the hash of its run."))
        ),
    )
    return Page(f"{about['search']}, profile {about['profile']}", results.about["question"], sections)


def search_link(folder: Path, address: str) -> Link:
    """A search's line in an index."""
    results, about = search_results(folder), read_json(folder / PROVENANCE)
    text = f"{results.about['question']} {len(results.trials)} trials, {len(trained(results))} trained to the end."
    return Link(address, f"{about['search']}, {about['profile']}", text)


def _versions(results: TuningResults) -> str:
    return ", ".join(sorted(set(results.trials["code_version"]) - {""}))
