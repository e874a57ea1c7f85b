"""Front, history, choice and figures of a search, on made-up frames and against Optuna's own answers."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import optuna
import pandas as pd
import pytest
from matplotlib.axes import Axes
from PIL import Image

from grla.errors import InputError
from grla.report.figures.canvas import save
from grla.report.figures.search import front_figure, history_figure, importances_figure, parallel_figure
from grla.report.kinds.search import described, publish_tuning, search_document
from grla.report.results import (
    TRIAL_COLUMNS,
    Results,
    TuningResults,
    load_tuning,
    read_search_rows,
    write_search_rows,
)
from grla.report.search import ABSENT, confirmation, front, history, positions, ticks, to_confirm, winner
from grla.study import Layout
from tests.shared import factor

KERNEL = {"kind": "Choice", "name": "kernel", "path": "model.kernel", "choices": ["rbf", "relu", "none"], "when": None}
GAMMA = {
    "kind": "Float", "name": "gamma", "path": "model.kernel.options.gamma", "low": 0.01, "high": 1.0, "log": True,
    "when": {"parameter": "kernel", "values": ["rbf"]},
}  # fmt: skip
DIM = {"kind": "Int", "name": "dim", "path": "model.dim", "low": 8, "high": 32, "step": 8, "when": None}
ABOUT = {
    "search": "mine", "profile": "quick", "question": "Which is best?", "source": "none", "minimise": ["macs"],
    "limits": [{"cost": "macs", "at_most": 5e9}], "parameters": [KERNEL, GAMMA, DIM], "start": {"model.dim": 8},
    "base": {
        "train": {"budget": {"amount": 500, "unit": "steps"}}, "data": {"batch_size": 4, "patch_size": 24},
        "cost": {"count_output": [720, 1280], "latency_input": [64, 64]},
    },
}  # fmt: skip
# outcome, kernel, gamma, dim, validation PSNR-Y, macs; the first is the base
ROWS = [
    ("ok", "rbf", 0.1, 8, 26.0, 1e9),
    ("ok", "relu", None, 16, 26.4, 2e9),
    ("over_limit", "relu", None, 32, None, 9e9),
    ("ok", "rbf", 1.0, 16, 26.3, 2.5e9),
    ("pruned", "none", None, 16, 24.0, 2e9),
    ("ok", "relu", None, 32, 26.9, 4e9),
    ("diverged", "rbf", 0.5, 16, 20.0, 2e9),
    ("ok", "none", None, 8, 25.8, 0.9e9),
    ("ok", "relu", None, 24, 26.7, 3e9),
]


@pytest.fixture(autouse=True)
def no_warnings() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error", UserWarning)
        yield


@pytest.fixture
def results() -> TuningResults:
    names = ["outcome", "kernel", "gamma", "dim", "val_psnr_y", "macs"]
    rows = [dict(zip(names, row, strict=True)) for row in ROWS]
    trials = [
        {"trial": n, "base": n == 0, "reason": "", **row, "cell_hash": f"h{n}", "code_version": "1"}
        for n, row in enumerate(rows)
    ]
    frame = pd.DataFrame(trials).reindex(columns=[*trials[0], *(c for c in TRIAL_COLUMNS if c not in trials[0])])
    importances = [("val_psnr_y", "dim", 0.7), ("val_psnr_y", "kernel", 0.3), ("macs", "dim", 1.0)]
    table = pd.DataFrame(importances, columns=["objective", "parameter", "importance"])
    changes = {n: {"model.dim": row["dim"], "model.kernel": row["kernel"]} for n, row in enumerate(rows)}
    return TuningResults(ABOUT, frame, pd.DataFrame({"trial": [0]}), table, changes)


@pytest.fixture
def alone(results: TuningResults) -> TuningResults:
    """The same with PSNR-Y as the only objective."""
    return replace(results, about={**ABOUT, "minimise": []})


def test_the_front_by_hand(results: TuningResults, alone: TuningResults) -> None:
    """26.3 dB for 2.5 G is beaten by 26.4 for 2 G; nothing is cheaper than 0.9 G; what was stopped is never on it."""
    assert front(results)["trial"].tolist() == [5, 8, 1, 0, 7]
    assert front(alone)["trial"].tolist() == [5]
    equal = results.trials.assign(val_psnr_y=26.0, macs=1e9)
    assert len(front(replace(results, trials=equal))) == 6  # of equals none beats the other


def test_the_front_is_that_of_optuna() -> None:
    generator = np.random.default_rng(0)
    study = optuna.create_study(directions=["maximize", "minimize", "minimize"])
    values = generator.integers(0, 6, (60, 3)).astype(float)
    for row in values:
        study.add_trial(optuna.trial.create_trial(values=row.tolist()))
    frame = pd.DataFrame(values, columns=["val_psnr_y", "macs", "num_params"])
    frame = frame.assign(trial=range(60), outcome="ok")
    results = TuningResults({"minimise": ["macs", "num_params"]}, frame, frame, frame, {})
    assert sorted(front(results)["trial"]) == sorted(trial.number for trial in study.best_trials)


def test_the_best_so_far_is_of_trials_trained_to_the_end(results: TuningResults) -> None:
    data = history(results)
    assert data["best"].tolist() == [26.0, 26.4, 26.4, 26.4, 26.4, 26.9, 26.9, 26.9, 26.9]
    first = replace(results, trials=results.trials[2:5])
    assert history(first)["best"].isna().tolist() == [True, False, False]


def test_whom_to_confirm(results: TuningResults, alone: TuningResults) -> None:
    assert to_confirm(alone, 3) == [5, 8, 1]
    assert to_confirm(alone, 99) == [5, 8, 1, 3, 7]  # never the base
    assert to_confirm(results, 1) == [5]
    assert to_confirm(results, 2) == [5, 1]  # the ends of the part of the front that is no worse than the base
    assert to_confirm(results, 3) == [5, 8, 1]
    assert to_confirm(results, 4) == [5, 8, 1, 7]  # too few of those: all of the front
    assert to_confirm(replace(results, trials=results.trials[:1]), 2) == []


def confirmed(*rows: tuple[int, float, str]) -> pd.DataFrame:
    frame = pd.DataFrame(rows, columns=["trial", "difference", "verdict"])
    return frame.assign(low=frame["difference"] - 0.1, high=frame["difference"] + 0.1)


def test_a_winner_is_called_one_only_when_it_was_confirmed(results: TuningResults) -> None:
    assert winner(results, None) == (5, "best by validation, not confirmed")
    same = confirmed((5, 0.02, "not distinguishable"), (1, -0.4, "worse"))
    assert winner(results, same) == (5, "best by validation; no trial was better than the base when it was confirmed")
    found = winner(results, confirmed((5, 0.2, "better"), (8, 0.3, "better"), (1, 0.9, "not distinguishable")))
    assert found == (8, "confirmed: +0.300 [+0.200, +0.400] dB to the base on fresh seeds and test images")
    assert winner(replace(results, trials=results.trials[2:3]), None) is None


def test_confirmation_reads_the_verdicts_of_the_study() -> None:
    """Trial 7 is 0.5 dB above the base on each of 6 images and 3 seeds."""
    layout = Layout("c", "?", "-", "quick", "one_at_a_time", (factor("configuration", ("base", "trial 7"), "base"),))
    rows = [
        {
            "variant": variant,
            "seed": seed,
            "test_set": "s",
            "image": str(i),
            "test_images": "x",
            "psnr_y": 25 + i + more,
        }
        for variant, more in (("base", 0.0), ("configuration=trial 7", 0.5))
        for seed in range(3)
        for i in range(6)
    ]
    frame = pd.DataFrame(rows)
    (row,) = confirmation(Results(layout, frame, frame, frame, {}), [3, 7]).itertuples()
    assert (row.trial, row.verdict) == (7, "better")
    assert row.difference == pytest.approx(0.5)


def test_positions_on_parallel_axes_by_hand() -> None:
    assert positions(KERNEL, ["rbf", "relu", "none"]) == [0.0, 0.5, 1.0]
    assert positions(GAMMA, [0.01, 0.1, 1.0, None, float("nan")]) == pytest.approx([0, 0.5, 1, ABSENT, ABSENT])
    assert positions(DIM, [8, 20, 32]) == [0.0, 0.5, 1.0]
    assert ticks(KERNEL) == {0.0: "rbf", 0.5: "relu", 1.0: "none"}
    assert ticks(GAMMA) == {0.0: "0.01", 1.0: "1"}


def points_by_label(panel: Axes) -> dict[str, list[list[float]]]:
    """The points of each line of a panel, by its label in the legend."""
    return {str(line.get_label()): np.asarray(line.get_xydata()).tolist() for line in panel.lines}


def test_figures_have_units_and_all_trials(results: TuningResults, tmp_path: Path) -> None:
    figure = front_figure(results)
    (panel,) = figure.axes
    assert panel.get_xlabel() == "multiply-adds (G MACs) for an output of 1280x720"
    assert panel.get_ylabel() == "validation PSNR-Y (dB)"
    assert [text.get_text() for text in panel.texts] == ["trial 7", "trial 0 (base)", "trial 1", "trial 8", "trial 5"]
    legend = [text.get_text() for text in panel.get_legend().get_texts()]
    assert {"trained to the end", "stopped as hopeless, at its last validation", "base", "front"} <= set(legend)
    shown = points_by_label(panel)
    assert shown["trained to the end"] == [[row[5] / 1e9, row[4]] for row in ROWS if row[0] == "ok"]
    assert shown["stopped as hopeless, at its last validation"] == [[2.0, 24.0]]
    assert shown["base"] == [[1.0, 26.0]]
    assert shown["front"] == [[0.9, 25.8], [1.0, 26.0], [2.0, 26.4], [3.0, 26.7], [4.0, 26.9]]
    check_saved(save(figure, tmp_path / "front"))
    figure = history_figure(results)
    assert figure.axes[0].get_xlabel() == "trial"
    assert "not trained" in [text.get_text() for text in figure.axes[0].get_legend().get_texts()]
    shown = points_by_label(figure.axes[0])
    assert shown["trained to the end"] == [[n, row[4]] for n, row in enumerate(ROWS) if row[0] == "ok"]
    assert shown["diverged, at its last validation"] == [[6, 20.0]]
    assert [best for _, best in shown["best so far"]] == [26.0, *[26.4] * 4, *[26.9] * 4]
    check_saved(save(figure, tmp_path / "history"))
    figure = importances_figure(results)
    assert [panel.get_title() for panel in figure.axes] == ["for validation PSNR-Y", "for multiply-adds"]
    assert [bar.get_width() for bar in figure.axes[0].patches] == [0.3, 0.7]  # the most important on top
    check_saved(save(figure, tmp_path / "importances"))
    figure = parallel_figure(results)
    lines = [np.asarray(line.get_ydata()) for line in figure.axes[0].lines]
    assert len(lines) == 6
    assert lines[-1].tolist() == [0.5, ABSENT, 1.0, 1.0]  # the best, drawn last: relu, no gamma, 32 channels
    assert "absent" in [text.get_text() for text in figure.axes[0].texts]
    check_saved(save(figure, tmp_path / "parallel"))


def test_every_cost_can_be_an_axis(results: TuningResults) -> None:
    costs = ["macs", "num_params", "latency_ms", "peak_memory_mib"]
    trials = results.trials.assign(num_params=5e4, latency_ms=3.0, peak_memory_mib=np.arange(9) + 1.0)
    figure = front_figure(replace(results, about={**ABOUT, "minimise": costs}, trials=trials))
    labels = [panel.get_xlabel() for panel in figure.axes]
    assert labels[1:] == ["parameters (K)", "latency (ms), LR input 64x64", "peak memory (MiB), LR input 64x64"]
    figure.draw_without_rendering()


def summary(results: TuningResults, folder: Path, confirmed: pd.DataFrame | None = None) -> str:
    """The text of summary.md of a search whose best trials were `confirmed`, or not."""
    about: dict[str, Any] = dict.fromkeys(("optuna_study", "command_line", "protocol", "device"), "-")
    (folder / "provenance.json").write_text(json.dumps(about | {"machine": {}, "packages": {}}))
    (folder / "confirmation.csv").unlink(missing_ok=True)
    if confirmed is not None:
        confirmed.to_csv(folder / "confirmation.csv", index=False)
    return search_document(results, folder).markdown()


def test_the_summary_says_what_was_found_and_how_far_to_trust_it(
    results: TuningResults, alone: TuningResults, tmp_path: Path
) -> None:
    text = summary(results, tmp_path)
    assert text.startswith("# mine: Which is best?")
    for part in (
        "budget of every trial: 500 steps; the base takes 4 patches of 24x24 LR pixels",
        "Limit: macs at most 5,000,000,000",
        "Trials: 6 trained to the end; 1 stopped, their",
        "1 not trained: over a limit",
        "gamma (`model.kernel.options.gamma`): 0.01 to 1 (logarithmic); only where kernel is rbf",
        "**Trial 5** (+0.900 dB to the base on the validation images; best by validation, not confirmed",
        "kernel relu, dim 32. `winner.json`",
        "0 (base)",
        "no test image was read",
        "the luckiest of them",
    ):
        assert part in text
    assert "nan" not in text
    table = [[cell.strip() for cell in line.split("|")[1:-1]] for line in text.splitlines() if line.startswith("|")]
    assert ["parameter", "for validation PSNR-Y", "for multiply-adds"] in table
    assert ["dim", "0.70", "1.00"] in table
    assert ["kernel", "0.30", "-"] in table
    assert "## Confirmation" in summary(results, tmp_path, confirmed((5, 0.2, "better")))
    assert "## The 5 best" in summary(alone, tmp_path)
    nothing = replace(results, trials=results.trials[2:3], importances=results.importances[:0])
    assert "No trial was trained to the end." in summary(nothing, tmp_path)
    assert described(results, 0) == "kernel rbf, gamma 0.1, dim 8"


def store(path: Path, number: int) -> str:
    """A storage with a search of some trials, as the engine writes them; dim decides everything, kernel nothing."""
    study = optuna.create_study(
        storage=f"sqlite:///{path}", study_name="mine-quick-0", directions=["maximize", "minimize"]
    )
    study.set_user_attr("search", json.dumps(ABOUT))
    generator = np.random.default_rng(0)
    kernels = optuna.distributions.CategoricalDistribution(["rbf", "relu", "none"])
    for index in range(number):
        dim = int(generator.integers(1, 5)) * 8
        gamma = {"gamma": dim / 32} if index % 3 == 0 else {}  # of the few trials that have it, it tells all
        record: dict[str, Any] = dict.fromkeys(TRIAL_COLUMNS) | {"macs": dim * 10**8, "cell_hash": f"h{index}"}
        record["history"] = [
            {"step": step, "seconds": step, "loss": 0.1, "val_psnr_y": dim / 8 + step} for step in (1, 2)
        ]
        trial = optuna.trial.create_trial(
            values=[dim / 8 + 2, dim * 1e8],
            params={"kernel": ["rbf", "relu", "none"][index % 3], "dim": dim, **gamma},
            distributions={
                "kernel": kernels,
                "dim": optuna.distributions.IntDistribution(8, 32, step=8),
                **dict.fromkeys(gamma, optuna.distributions.FloatDistribution(0.01, 1.0, log=True)),
            },
            user_attrs={"outcome": "ok", "record": json.dumps(record), "changes": {"model.dim": dim}},
        )
        study.add_trial(trial)
    study.add_trial(optuna.trial.create_trial(state=optuna.trial.TrialState.FAIL))  # put back: it has no outcome
    return study.study_name


def test_loading_gives_tidy_frames_and_importances(tmp_path: Path) -> None:
    results = load_tuning(tmp_path / "s.db", store(tmp_path / "s.db", 24))
    assert len(results.trials) == 24
    assert results.trials["base"].tolist() == (results.trials["dim"] == 8).tolist()
    assert len(results.curves) == 48
    assert results.trials["val_psnr_y"].tolist() == (results.trials["dim"] / 8 + 2).tolist()
    for objective in ("val_psnr_y", "macs"):
        shares = results.importances[results.importances["objective"] == objective].set_index("parameter")["importance"]
        assert shares.sum() == pytest.approx(1)
        assert shares["dim"] > 2 * shares["kernel"]
        assert set(shares.index) == {"dim", "kernel"}
    assert load_tuning(tmp_path / "t.db", store(tmp_path / "t.db", 3)).importances.empty
    with pytest.raises(InputError, match="holds no study 'x'"):
        load_tuning(tmp_path / "s.db", "x")


def test_publishing_writes_all_files_and_a_winner(tmp_path: Path) -> None:
    name, folder = store(tmp_path / "s.db", 8), tmp_path / "out"
    folder.mkdir()
    about: dict[str, Any] = dict.fromkeys(("command_line", "protocol", "device"), "-")
    about |= {"optuna_study": name, "machine": {}, "packages": {}}
    (folder / "provenance.json").write_text(json.dumps(about))
    publish_tuning(tmp_path / "s.db", name, folder)
    figures = {
        f"{figure}.{end}" for figure in ("front", "history", "parallel", "importances") for end in ("png", "svg")
    }
    tables = {f"{table}.csv" for table in ("trials", "front", "curves", "importances")}
    others = {"summary.md", "winner.json", "search.json", "figures.json", "provenance.json"}
    assert {path.name for path in folder.iterdir()} == figures | tables | others
    found = json.loads((folder / "winner.json").read_text())
    trials = pd.read_csv(folder / "trials.csv").set_index("trial")
    assert found["changes"] == {"model.dim": trials["dim"].max()}
    assert found["about"]["val_psnr_y"] == trials["val_psnr_y"].max()
    assert trials.loc[found["about"]["trial"], "cell_hash"] == found["about"]["cell_hash"]
    assert "not confirmed" in found["about"]["trust"]
    publish_tuning(tmp_path / "s.db", name, folder, confirmed((1, 0.3, "better")))
    assert json.loads((folder / "winner.json").read_text())["about"]["trial"] == 1
    publish_tuning(tmp_path / "s.db", name, folder)  # what was confirmed stays so
    assert "## Confirmation" in (folder / "summary.md").read_text()
    assert json.loads((folder / "winner.json").read_text())["about"]["trial"] == 1


def test_a_report_names_no_flag_of_a_command(results: TuningResults, tmp_path: Path) -> None:
    assert "Only training the best anew" in summary(results, tmp_path)
    assert " `--" not in summary(results, tmp_path)


def test_rows_bring_back_what_was_written(results: TuningResults, tmp_path: Path) -> None:
    write_search_rows(results, tmp_path)
    found = read_search_rows(tmp_path)
    assert (found.about, found.changes) == (ABOUT, results.changes)
    assert found.trials["kernel"].tolist() == results.trials["kernel"].tolist()
    assert found.trials["gamma"].tolist() == [0.1, None, None, 1.0, None, None, 0.5, None, None]
    assert found.trials["dim"].tolist() == [8, 16, 32, 16, 16, 32, 16, 8, 24]
    assert summary(found, tmp_path) == summary(results, tmp_path)
    rows = (tmp_path / "trials.csv").read_text()
    (tmp_path / "trials.csv").write_text(rows.replace(",relu,", ",rule,", 1))
    with pytest.raises(InputError, match=r"trials\.csv: kernel must be one of .*, got 'rule'; write it again"):
        read_search_rows(tmp_path)
    (tmp_path / "trials.csv").write_text(rows)
    (tmp_path / "curves.csv").unlink()
    with pytest.raises(InputError, match=r"cannot read .*curves\.csv.*write it again with the command"):
        read_search_rows(tmp_path)


def test_a_choice_of_numbers_comes_back_as_the_very_choice(tmp_path: Path) -> None:
    """Beside trials without the parameter, whole numbers are written as 1.0 and 2.0."""
    order = {"kind": "Choice", "name": "order", "path": "x", "choices": [1, 2], "when": None}
    trials = pd.DataFrame({"trial": [0, 1, 2], "order": [1, None, 2]})
    empty = pd.DataFrame({"trial": [0]})
    write_search_rows(TuningResults({"parameters": [order]}, trials, empty, empty, {}), tmp_path)
    assert (tmp_path / "trials.csv").read_text().splitlines()[1:] == ["0,1.0", "1,", "2,2.0"]
    assert [repr(value) for value in read_search_rows(tmp_path).trials["order"]] == ["1", "None", "2"]


def check_saved(written: list[Path]) -> None:
    assert [path.suffix for path in written] == [".png", ".svg"]
    with Image.open(written[0]) as picture:
        assert min(picture.size) > 150
        assert picture.convert("L").getextrema()[0] < 50
