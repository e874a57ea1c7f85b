"""The page a reader of a search opens first, summary.md: what was searched, what was found, what it cannot tell."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from grla.report.figures.search_data import NAMES, front, trained, winner
from grla.report.results import TuningResults
from grla.report.tables import COSTS, markdown, number

BEST_SHOWN = 5
LIMITS = "What this search cannot tell"

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


def tuning_markdown(results: TuningResults, confirmed: pd.DataFrame | None) -> str:
    """The text of summary.md; `confirmed` is the table of `confirmation`, None if there is none."""
    about = results.about
    parts = [f"# {about['search']}: {about['question']}", measured(results), _found(results, confirmed)]
    if len(trained(results)):
        title = "## The front" if about["minimise"] else f"## The {BEST_SHOWN} best"
        parts.append(f"{title}\n\n{markdown(_table(results), left=('trial', 'configuration'))}")
    if confirmed is not None:
        parts.append(f"## Confirmation\n\n{_confirmation(confirmed)}")
    if len(results.importances):
        parts.append(f"## Importances\n\n{markdown(_importances(results), left=('parameter',))}")
    return "\n\n".join([*parts, _limits(results)]) + "\n"


def described(results: TuningResults, trial: int) -> str:
    """A trial's configuration in words; parameters that it does not have are left out."""
    row = results.trials[results.trials["trial"] == trial].iloc[0]
    values = {one["name"]: row[one["name"]] for one in results.about["parameters"]}
    return ", ".join(f"{name} {_short(value)}" for name, value in values.items() if not pd.isna(value))


def measured(results: TuningResults) -> str:
    """What was searched, how far and to what end, as a list."""
    about, outcomes = results.about, results.trials["outcome"]
    train, data = about["base"]["train"], about["base"]["data"]
    budget = f"{train['budget']['amount']:g} {'minutes' if train['budget']['unit'] == 'min' else 'steps'}"
    batch = f"{data['batch_size']} patches of {data['patch_size']}x{data['patch_size']} LR pixels"
    counts = [f"{int((outcomes == name).sum())} {text}" for name, text in OUTCOMES.items() if (outcomes == name).any()]
    aims = ["the highest PSNR-Y on the validation images", *(f"the least {NAMES[cost]}" for cost in about["minimise"])]
    lines = [
        f"Source: {about['source']}",
        f"Profile: {about['profile']}; budget of every trial: {budget}; the base takes {batch}",
        f"Aim: {', '.join(aims)}; no test image was read",
        *(f"Limit: {limit['cost']} at most {limit['at_most']:,.0f}" for limit in about["limits"]),
        f"Trials: {'; '.join(counts)}",
        *(f"Searched: {one['name']} (`{one['path']}`): {_values(one)}" for one in about["parameters"]),
    ]
    return "\n".join(f"- {line}" for line in lines)


def _found(results: TuningResults, confirmed: pd.DataFrame | None) -> str:
    chosen = winner(results, confirmed)
    if chosen is None:
        return "No trial was trained to the end."
    trial, trust = chosen
    rows = results.trials.set_index("trial")
    gain = "the base itself"
    base = rows[rows["base"].astype(bool) & (rows["outcome"] == "ok")]
    if len(base) and not rows.loc[trial, "base"]:
        difference = float(rows.loc[trial, "val_psnr_y"]) - float(base["val_psnr_y"].iloc[0])  # type: ignore[arg-type]
        gain = f"{difference:+.3f} dB to the base on the validation images"
    return f"**Trial {trial}** ({gain}; {trust}): {described(results, trial)}. `winner.json` holds it."


def _table(results: TuningResults) -> pd.DataFrame:
    """The front, or the best trials, with the base at the end if it is not among them."""
    rows = front(results)
    if not results.about["minimise"]:
        rows = trained(results).sort_values(["val_psnr_y", "trial"], ascending=[False, True])[:BEST_SHOWN]
    every = trained(results)
    base = every[every["base"].astype(bool) & ~every["trial"].isin(rows["trial"])]
    rows = pd.concat([rows, base]) if len(base) else rows
    named = [f"{row.trial} (base)" if row.base else str(row.trial) for row in rows.itertuples()]
    table = pd.DataFrame({"trial": named, "validation PSNR-Y dB": [number(x, ".3f") for x in rows["val_psnr_y"]]})
    for heading, (column, shown) in COSTS.items():
        if column in rows and rows[column].notna().any():
            table[heading] = [number(float(x) * shown.factor, shown.format) for x in rows[column].astype(float)]
    table["configuration"] = [described(results, int(trial)) for trial in rows["trial"]]
    return table


def _importances(results: TuningResults) -> pd.DataFrame:
    """A row per parameter, a column per objective."""
    table = results.importances.pivot(index="parameter", columns="objective", values="importance")
    table = table[list(results.importances["objective"].unique())].sort_values("val_psnr_y", ascending=False)
    shown = table.map(lambda share: number(share, ".2f")).rename(
        columns={name: f"for {NAMES[name]}" for name in map(str, table)}
    )
    return shown.reset_index()


def _confirmation(confirmed: pd.DataFrame) -> str:
    table = confirmed[["trial", "shown", "verdict"]].rename(columns={"shown": "difference to base dB [95 %]"})
    how = "Trained anew beside the base, on seeds that no trial had, and scored on the test images."
    return f"{how}\n\n{markdown(table, left=('verdict',))}"


def _limits(results: TuningResults) -> str:
    lines = [
        "Each trial is one training from one seed, scored on a few validation images: the best of many is in part the "
        "luckiest of them. `--then-confirm K` trains the best anew on other seeds and scores them on the test images.",
        "A front is what these trials found, not what there is; parts that were stopped or refused early stay unknown.",
        "What is best for a small budget need not be best for a large one.",
    ]
    if len(results.importances):
        lines.append(
            "Importances are of the trials that were trained to the end, which the sampler chose: a parameter that it "
            "soon settled seems to matter less than it does. Parameters that not every trial has are not rated."
        )
    return f"## {LIMITS}\n\n" + "\n".join(f"- {line}" for line in lines)


def _values(parameter: Mapping[str, Any]) -> str:
    if parameter["kind"] == "Choice":
        text = ", ".join(map(str, parameter["choices"]))
    else:
        text = f"{parameter['low']:g} to {parameter['high']:g}{' (logarithmic)' if parameter.get('log') else ''}"
    when = parameter["when"]
    return text + (f"; only where {when['parameter']} is {' or '.join(map(str, when['values']))}" if when else "")


def _short(value: object) -> str:
    return f"{value:.3g}" if isinstance(value, float) else str(value)
