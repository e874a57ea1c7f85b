"""What a search found, from its frames: the front, the history, the trials to confirm. No drawing here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from grla.report.document import Number
from grla.report.results import Results, TuningResults
from grla.study import trial_label

NAMES = {
    "val_psnr_y": "validation PSNR-Y",
    "macs": "multiply-adds",
    "num_params": "parameters",
    "latency_ms": "latency",
    "peak_memory_mib": "peak memory",
}
"""The objectives in words."""
ABSENT = -0.12
"""Where parallel coordinates show a parameter that a trial does not have; its values lie in [0, 1]."""


def trained(results: TuningResults) -> pd.DataFrame:
    """The trials that were trained to the end."""
    return results.trials[results.trials["outcome"] == "ok"]


def best(results: TuningResults) -> pd.DataFrame:
    """The trained trials, the highest PSNR-Y first."""
    return trained(results).sort_values(["val_psnr_y", "trial"], ascending=[False, True])


def front(results: TuningResults) -> pd.DataFrame:
    """The trained trials on the Pareto front: no other is as good in PSNR-Y and every minimised cost and better in one.

    The best PSNR-Y first. Without minimised costs it is the best trial, and its equals.
    """
    rows = best(results)
    aims = rows[["val_psnr_y", *results.about["minimise"]]].astype(float).assign(val_psnr_y=-rows["val_psnr_y"])
    beaten = [bool(np.any((aims <= own).all(axis=1) & (aims < own).any(axis=1))) for own in aims.to_numpy()]
    return rows[~np.array(beaten, dtype=bool)]


def history(results: TuningResults) -> pd.DataFrame:
    """A row per trial in order: trial, outcome, val_psnr_y, best (the best trained one so far, dB)."""
    rows = results.trials[["trial", "outcome", "val_psnr_y"]].astype({"val_psnr_y": float})
    return rows.assign(best=rows["val_psnr_y"].where(rows["outcome"] == "ok").cummax().ffill())


def to_confirm(results: TuningResults, number: int) -> list[int]:
    """The `number` best trials beside the base, at most as many as there are.

    With one objective: the highest PSNR-Y. With several: of the front, those with a PSNR-Y of at least the base's (all
    of the front where there are too few), evenly spaced by rank from the best PSNR-Y to the lowest cost.
    """
    if not results.about["minimise"]:
        rows = best(results)
        return [int(trial) for trial in rows.loc[~rows["base"], "trial"][:number]]
    every, rows = trained(results), front(results)
    rows = rows[~rows["base"]]
    good = rows[rows["val_psnr_y"] >= every.loc[every["base"], "val_psnr_y"].min()]
    chosen = (good if len(good) >= number else rows)["trial"].tolist()
    ranks = np.linspace(0, len(chosen) - 1, min(number, len(chosen))).round().astype(int)
    return [int(chosen[rank]) for rank in ranks]


def confirmation(results: Results, trials: Iterable[int]) -> pd.DataFrame:
    """What the study that confirms `trials` says of each: trial, difference to the base (dB), low, high, verdict."""
    names = {trial_label(trial): trial for trial in trials}
    (group,) = results.layout.groups()
    found = [(names[label], results.differences[variant]) for label, variant in group.rows if variant != group.base]
    rows = [(trial, one.mean, one.low, one.high, one.verdict) for trial, one in found]
    return pd.DataFrame(rows, columns=["trial", "difference", "low", "high", "verdict"])


def confirmed_gain(row: pd.Series[Any]) -> Number:
    """The difference to the base, with its interval, of a row of `confirmation`."""
    return Number(row["difference"], "+.3f", interval=(row["low"], row["high"]))


def winner(results: TuningResults, confirmed: pd.DataFrame | None) -> tuple[int, str] | None:
    """The trial to continue with, and how far to trust it; None where no trial was trained to the end.

    The confirmed trial that beats the base by most; where none does, or nothing was confirmed, the best PSNR-Y on the
    validation images, and then it is no winner yet.
    """
    rows = front(results)
    if rows.empty:
        return None
    first = int(rows["trial"].iloc[0])
    if confirmed is None:
        return first, "best by validation, not confirmed"
    better = confirmed[confirmed["verdict"] == "better"]
    if better.empty:
        return first, "best by validation; no trial was better than the base when it was confirmed"
    row = better.sort_values("difference").iloc[-1]
    return int(row["trial"]), f"confirmed: {confirmed_gain(row)} dB to the base on fresh seeds and test images"


def positions(parameter: Mapping[str, Any], values: Sequence[Any]) -> list[float]:
    """Where the values of a parameter lie on its axis, from 0 (low, or the first choice) to 1; ABSENT for None."""
    return [ABSENT if pd.isna(value) else _position(parameter, value) for value in values]


def ticks(parameter: Mapping[str, Any]) -> dict[float, str]:
    """The labels of a parameter's axis by position: all choices, or the ends of its range."""
    if parameter["kind"] == "Choice":
        return {_position(parameter, choice): str(choice) for choice in parameter["choices"]}
    return {0.0: f"{parameter['low']:g}", 1.0: f"{parameter['high']:g}"}


def _position(parameter: Mapping[str, Any], value: Any) -> float:
    if parameter["kind"] == "Choice":
        choices = list(parameter["choices"])
        return choices.index(value) / (len(choices) - 1)
    low, high = float(parameter["low"]), float(parameter["high"])
    if parameter.get("log"):
        return math.log(value / low) / math.log(high / low)
    return (float(value) - low) / (high - low)
