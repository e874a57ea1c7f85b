"""A search on a real storage: what is told to Optuna, what is never read, what kills and several processes do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
import torch
from optuna.trial import FrozenTrial, TrialState
from optuna_dashboard._note import get_note
from sqlalchemy import make_url

from grla.engine import RunSettings, cell_source, progress
from grla.engine import material as images
from grla.engine.storage import FILE_NAME
from grla.errors import InputError, Interrupted
from grla.spec import with_changes
from grla.study import Choice, Float, Limit, Search, load_search
from grla.tuning import price
from grla.tuning import trials as room
from grla.tuning.run import TuningRun, run_tuning
from tests.shared import ROOT, SEARCHES

MakeTuning = Callable[..., TuningRun]


@pytest.fixture
def search() -> Search:
    return load_search("tiny_search", SEARCHES)


@pytest.fixture
def make_tuning(search: Search, crops: Path, tmp_path: Path) -> MakeTuning:
    """Builds a run of the tiny search; keyword arguments with "__" for "." change the spec."""

    def make(trials: int | None = None, search: Search = search, out: str = "out", **changes: object) -> TuningRun:
        named = {name.replace("__", "."): value for name, value in changes.items()}
        data = {"data.train": str(crops / "train")}
        settings = RunSettings(tmp_path / out, torch.device("cpu"))
        return TuningRun(search, "smoke", settings, {**data, **named}, trials)

    return make


def stored(run: TuningRun, name: str) -> optuna.Study:
    return optuna.load_study(study_name=name, storage=f"sqlite:///{run.settings.out / FILE_NAME}")


def outcomes(trials: list[FrozenTrial]) -> list[str]:
    return [trial.user_attrs.get("outcome", "") for trial in trials]


def test_a_search_leaves_real_trials_the_base_first(make_tuning: MakeTuning) -> None:
    run = make_tuning()
    study = stored(run, run_tuning(run))
    assert outcomes(study.trials) == ["ok"] * 3
    assert [trial.state for trial in study.trials] == [TrialState.COMPLETE] * 3
    assert study.trials[0].params == run.space().base_configuration()
    assert study.metric_names == ["val_psnr_y_db", "macs"]
    assert [direction.name for direction in study.directions] == ["MAXIMIZE", "MINIMIZE"]
    for trial in study.trials:
        record = json.loads(trial.user_attrs["record"])
        assert trial.values == [record["history"][-1]["val_psnr_y"], record["macs"]]
        assert record["psnr_y"] is None
        assert [entry["step"] for entry in record["history"]] == [2, 4, 6]
        assert {"num_params", "macs", "train_seconds", "changes", "cell_hash"} <= trial.user_attrs.keys()
        assert ("gamma" in trial.params) == (trial.params["kernel"] == "gaussian_rbf")
    note = get_note(study)
    assert "**Does it search?**" in note
    assert "Source: none, a test" in note
    assert "- gamma (`model.kernel.options.gamma`): 0.1 to 1, logarithmic" in note
    provenance = json.loads((run.folder / "provenance.json").read_text())
    assert provenance["image_checksums"].keys() == {"training", "validation"}


def test_no_test_image_is_ever_read_or_scored(make_tuning: MakeTuning, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a test image was asked for")

    monkeypatch.setattr(images, "test_images", refuse)
    run = make_tuning(1)
    study = stored(run, run_tuning(run))
    assert outcomes(study.trials) == ["ok"]
    assert json.loads(study.trials[0].user_attrs["record"])["images"] == []


def test_running_again_keeps_what_is_done_and_more_trials_extend_it(make_tuning: MakeTuning, capsys) -> None:
    first = run_tuning(make_tuning(2))
    before = [trial.params for trial in stored(make_tuning(), first).trials]
    assert run_tuning(make_tuning(2)) == first
    assert "2 of 2 trials are done already" in capsys.readouterr().out
    assert run_tuning(make_tuning(3)) == first
    study = stored(make_tuning(), first)
    assert [trial.params for trial in study.trials][:2] == before
    assert len(study.trials) == 3
    assert run_tuning(make_tuning(1, train__validations=2)) != first


def test_trials_of_changed_code_are_not_counted(make_tuning: MakeTuning, monkeypatch: pytest.MonkeyPatch) -> None:
    run = make_tuning(1)
    first = run_tuning(run)
    assert run_tuning(run) == first
    monkeypatch.setattr(room, "cell_source", lambda spec: "changed")
    second = run_tuning(run)
    assert second != first
    assert [len(stored(run, name).trials) for name in (first, second)] == [1, 1]


def test_the_code_of_a_search_is_that_of_every_choice(make_tuning: MakeTuning) -> None:
    space = make_tuning().space()
    (kernel,) = [parameter for parameter in space.parameters if parameter.name == "kernel"]
    assert isinstance(kernel, Choice)
    specs = [with_changes(space.base, {"model.kernel": choice}) for choice in kernel.choices]
    assert {cell_source(spec) for spec in specs} <= set(room.sources(space))
    assert len(room.sources(space)) >= len(kernel.choices) > 1


@pytest.fixture
def trained(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The number of parameters of every network that was trained."""
    sizes: list[int] = []
    original = room.train

    def counting(run, record):
        sizes.append(record.num_params)
        return original(run, record)

    monkeypatch.setattr(room, "train", counting)
    return sizes


def test_what_exceeds_a_limit_is_refused_before_a_step_and_does_not_count(
    make_tuning: MakeTuning, search: Search, trained: list[int]
) -> None:
    run = make_tuning(3, replace(search, limits=(Limit("num_params", 3_000),)))
    study = stored(run, run_tuning(run))
    refused = [trial for trial in study.trials if trial.user_attrs["outcome"] == "over_limit"]
    assert refused
    assert len(trained) == 3 == len(study.trials) - len(refused)
    assert max(trained) <= 3_000
    for trial in refused:
        share = trial.user_attrs["num_params"] / 3_000 - 1
        assert trial.state == TrialState.PRUNED
        assert trial.constraints == {"num_params": pytest.approx(share)}
        assert trial.user_attrs["reason"] == f"num_params {trial.user_attrs['num_params']:,} exceeds 3,000"
        assert trial.user_attrs["steps"] == 0


def test_a_search_that_refuses_nearly_everything_ends_and_says_so(
    make_tuning: MakeTuning, monkeypatch: pytest.MonkeyPatch, trained: list[int], capsys
) -> None:
    monkeypatch.setattr(room, "MOST_REFUSED", 2)
    monkeypatch.setattr(price, "dominated", lambda costs, rivals: "too dear")
    run = make_tuning(2)
    study = stored(run, run_tuning(run))
    assert outcomes(study.trials) == ["dominated"] * 4
    assert trained == []
    assert "2 of 2 trials are missing: too many configurations were refused" in capsys.readouterr().out


def test_an_impossible_search_stops_before_it_has_written_anything(
    make_tuning: MakeTuning, search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(price, "TRIES", 3)
    run = make_tuning(3, replace(search, limits=(Limit("num_params", 10),)))
    with pytest.raises(InputError, match=r"none of 4 configurations tried keeps the limits \(num_params at most 10\)"):
        run_tuning(run)
    assert not (run.settings.out / FILE_NAME).exists()


def test_an_invalid_configuration_is_infeasible_and_the_search_goes_on(
    make_tuning: MakeTuning, search: Search, trained: list[int]
) -> None:
    heads = Choice("heads", "model.num_heads", (2, 3))
    run = make_tuning(4, replace(search, parameters=(heads, *search.parameters)))
    study = stored(run, run_tuning(run))
    invalid = [trial for trial in study.trials if trial.params["heads"] == 3]
    assert set(outcomes(invalid)) == {"invalid"}
    assert len(trained) == 4
    assert invalid[0].constraints == {"invalid": 1.0}
    assert "model.num_heads must divide model.dim" in invalid[0].user_attrs["reason"]


def test_what_costs_too_much_for_what_it_brings_is_refused(
    make_tuning: MakeTuning, trained: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[tuple[float, ...]] = []

    def rule(costs, rivals):
        asked.append(costs)
        return "too dear" if len(asked) == 2 else ""

    monkeypatch.setattr(price, "dominated", rule)
    run = make_tuning(2)
    study = stored(run, run_tuning(run))
    assert outcomes(study.trials) == ["ok", "dominated", "ok"]
    assert study.trials[1].state == TrialState.PRUNED
    assert study.trials[1].constraints == {}
    assert study.trials[1].user_attrs["reason"] == "too dear"
    assert asked[1] == (study.trials[1].user_attrs["macs"],)
    assert len(trained) == 2


def test_a_hopeless_curve_is_stopped_at_its_validation_and_counts(
    make_tuning: MakeTuning, search: Search, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[list[float]] = []

    def rule(costs, curve, rivals):
        seen.append(list(curve))
        return "hopeless" if len(rivals) == 1 and len(curve) == 2 else ""

    monkeypatch.setattr(room, "hopeless", rule)
    run = make_tuning(2, replace(search, minimise=()))
    study = stored(run, run_tuning(run))
    assert outcomes(study.trials) == ["ok", "pruned"]
    assert [len(curve) for curve in seen] == [1, 2, 3, 1, 2]
    stopped = study.trials[1]
    assert stopped.state == TrialState.PRUNED
    assert stopped.user_attrs["steps"] == 4
    assert list(stopped.intermediate_values) == [2, 4]  # one objective: Optuna draws the curves
    assert list(stopped.intermediate_values.values()) == seen[4]


def test_divergence_is_kept_counts_and_is_infeasible(make_tuning: MakeTuning, search: Search) -> None:
    steep = Float("learning_rate", "train.learning_rate", 1e-4, 1e38, log=True)
    run = make_tuning(5, replace(search, parameters=(*search.parameters[:-1], steep), minimise=()))
    study = stored(run, run_tuning(run))
    assert len(study.trials) == 5
    diverged = [trial for trial in study.trials if trial.user_attrs["outcome"] == "diverged"]
    assert diverged
    for trial in diverged:
        assert trial.state == TrialState.PRUNED
        assert trial.constraints == {"diverged": 1.0}
        assert "last finite loss" in trial.user_attrs["reason"]
    assert study.best_trial.user_attrs["outcome"] == "ok"


def test_a_fault_of_the_code_is_kept_and_does_not_end_the_search(
    make_tuning: MakeTuning, monkeypatch: pytest.MonkeyPatch, capsys
) -> None:
    original = room.train

    def failing(run, record):
        if run.spec.model.kernel.name == "gaussian_rbf":
            raise ZeroDivisionError("made to fail")
        return original(run, record)

    monkeypatch.setattr(room, "train", failing)
    run = make_tuning(3)
    study = stored(run, run_tuning(run))
    assert study.trials[0].state == TrialState.FAIL
    assert study.trials[0].user_attrs["reason"] == "ZeroDivisionError: made to fail"
    assert len(study.trials) == 3
    assert "made to fail" in capsys.readouterr().err


def test_the_same_configuration_is_not_trained_twice(
    make_tuning: MakeTuning, search: Search, trained: list[int]
) -> None:
    run = make_tuning(6, replace(search, parameters=(Choice("norm", "model.norm", ("batch", "none")),)))
    study = stored(run, run_tuning(run))
    assert outcomes(study.trials) == ["ok"] * 6
    assert len(trained) == 2
    assert len({(trial.params["norm"], *trial.values) for trial in study.trials}) == 2


def test_ctrl_c_puts_the_trial_back_and_it_goes_on_from_its_checkpoint(
    make_tuning: MakeTuning, monkeypatch: pytest.MonkeyPatch
) -> None:
    undisturbed = make_tuning(1, out="calm")
    calm = stored(undisturbed, run_tuning(undisturbed)).trials[0]
    stops = iter([False] * 3 + [True] + [False] * 99)
    with monkeypatch.context() as patch:
        patch.setattr(progress.CellProgress, "should_stop", lambda self: next(stops))
        with pytest.raises(Interrupted):
            run_tuning(make_tuning(1))
    steps: list[int] = []
    original = progress.CellProgress.stepped

    def counting(self, done, stats):
        steps.append(stats.step)
        original(self, done, stats)

    monkeypatch.setattr(progress.CellProgress, "stepped", counting)
    study = stored(make_tuning(), run_tuning(make_tuning(1)))
    assert steps == [4, 5, 6]
    assert [trial.state for trial in study.trials] == [TrialState.FAIL, TrialState.COMPLETE]
    assert study.trials[1].params == study.trials[0].params == calm.params
    assert study.trials[1].values == calm.values


COMMAND = """
import sys, time, torch
sys.path.insert(0, {root!r})
from pathlib import Path
from grla.engine import RunSettings, progress
from grla.tuning import run as room
from grla.study import load_search
original = progress.CellProgress.stepped
def slow(self, *arguments):
    print("step", flush=True)
    time.sleep(0.02)
    original(self, *arguments)
progress.CellProgress.stepped = slow
settings = RunSettings(Path({out!r}), torch.device("cpu"))
data = {{"data.train": {crops!r} + "/train"}}
run = room.TuningRun(load_search("tiny_search", Path({here!r})), "smoke", settings, data, {trials})
"""
WORKER = "room.join_tuning(run, progress.StopRequest())"


def start(run: TuningRun, crops: Path, trials: int, work: str) -> subprocess.Popen[str]:
    names = {"root": str(ROOT), "here": str(SEARCHES), "out": str(run.settings.out), "crops": str(crops)}
    code = (COMMAND + work).format(**names, trials=trials)
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", code], text=True, **pipes)


def test_a_killed_trial_is_put_back_and_ends_as_if_nothing_had_been(make_tuning: MakeTuning, crops: Path) -> None:
    process = start(make_tuning(), crops, 1, "room.run_tuning(run)")
    for _ in range(4):
        assert process.stdout.readline().strip() == "step"
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    study = stored(make_tuning(), run_tuning(make_tuning(1)))
    assert [trial.state for trial in study.trials] == [TrialState.FAIL, TrialState.COMPLETE]
    calm = make_tuning(1, out="calm")
    assert stored(calm, run_tuning(calm)).trials[0].values == study.trials[1].values


def test_several_processes_train_as_many_trials_as_were_asked_for(make_tuning: MakeTuning, crops: Path) -> None:
    first = run_tuning(make_tuning(1))
    workers = [start(make_tuning(), crops, 7, WORKER) for _ in range(3)]
    for worker in workers:
        _, errors = worker.communicate(timeout=240)
        assert worker.returncode == 0, errors
    trials = stored(make_tuning(), first).trials
    ended = [trial for trial in trials if "outcome" in trial.user_attrs]
    assert outcomes(ended) == ["ok"] * 7
    assert all(trial.state == TrialState.FAIL for trial in trials if trial not in ended)  # who was too late
    assert len({json.dumps(trial.params) for trial in ended}) == 7


def test_two_workers_share_a_search_on_postgresql(make_tuning: MakeTuning, tmp_path: Path, server) -> None:
    url = server.empty()
    run = replace(make_tuning(4), settings=RunSettings(tmp_path / "out", torch.device("cpu"), 2, url))
    trials = optuna.load_study(study_name=run_tuning(run), storage=url).trials
    ended = [trial for trial in trials if "outcome" in trial.user_attrs]
    assert outcomes(ended) == ["ok"] * 4
    assert all(trial.state == TrialState.FAIL for trial in trials if trial not in ended)  # who was too late
    assert {len(trial.user_attrs["worker"].split(":")) for trial in ended} == {4}
    provenance = (run.folder / "provenance.json").read_text()
    assert json.loads(provenance)["workers"] == 2
    assert make_url(url).password not in provenance
