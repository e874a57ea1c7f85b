"""A search on a real storage: what is told to Optuna, what is never read, what kills and several processes do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
import torch
from optuna.trial import FrozenTrial, TrialState
from optuna_dashboard._note import get_note
from sqlalchemy import make_url

from grla.engine import CellRun, Progress, RunSettings, StopRequest, cell_source, train
from grla.engine.queue import requeue
from grla.engine.storage import FILE_NAME
from grla.errors import InputError, Interrupted
from grla.spec import with_changes
from grla.study import Choice, Float, Limit, Record, Search, load_search
from grla.training import resume_checkpoint
from grla.tuning.run import TuningRun, open_tuning, run_tuning
from grla.tuning.trials import MOST_REFUSED, run_trials, sources
from tests.shared import SEARCHES
from tests.shared.commands import start_slowly, wait_for_steps

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


def search_with(run: TuningRun, **parts: object) -> list[FrozenTrial]:
    """The trials of a search some of whose parts (fields of `Tuning`) are others than usual."""
    tuning = replace(open_tuning(run), **parts)
    run_trials(tuning, run.num_trials, Progress(run.num_trials, StopRequest()))
    return tuning.trials.trials


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

    monkeypatch.setattr("grla.engine.material.read_test_sets", refuse)
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
    monkeypatch.setattr("grla.tuning.trials.cell_source", lambda spec: "changed")
    second = run_tuning(run)
    assert second != first
    assert [len(stored(run, name).trials) for name in (first, second)] == [1, 1]


def test_the_code_of_a_search_is_that_of_every_choice(make_tuning: MakeTuning) -> None:
    space = make_tuning().space()
    (kernel,) = [parameter for parameter in space.parameters if parameter.name == "kernel"]
    assert isinstance(kernel, Choice)
    specs = [with_changes(space.base, {"model.kernel": choice}) for choice in kernel.choices]
    assert {cell_source(spec) for spec in specs} <= set(sources(space))
    assert len(sources(space)) >= len(kernel.choices) > 1


class CountingTrain:
    """Trains, and keeps the number of parameters of every network that was trained."""

    def __init__(self) -> None:
        self.sizes: list[int] = []

    def __call__(self, run: CellRun, record: Record) -> None:
        self.sizes.append(record.num_params)
        train(run, record)


def test_what_exceeds_a_limit_is_refused_before_a_step_and_does_not_count(
    make_tuning: MakeTuning, search: Search
) -> None:
    trained = CountingTrain()
    trials = search_with(make_tuning(3, replace(search, limits=(Limit("num_params", 3_000),))), train=trained)
    refused = [trial for trial in trials if trial.user_attrs["outcome"] == "over_limit"]
    assert refused
    assert len(trained.sizes) == 3 == len(trials) - len(refused)
    assert max(trained.sizes) <= 3_000
    for trial in refused:
        share = trial.user_attrs["num_params"] / 3_000 - 1
        assert trial.state == TrialState.PRUNED
        assert trial.constraints == {"num_params": pytest.approx(share)}
        assert trial.user_attrs["reason"] == f"num_params {trial.user_attrs['num_params']:,} exceeds 3,000"
        assert trial.user_attrs["steps"] == 0


def test_a_search_that_refuses_nearly_everything_ends_and_says_so(make_tuning: MakeTuning, capsys) -> None:
    run, trained = make_tuning(1), CountingTrain()
    trials = search_with(run, train=trained, dominated=lambda costs, rivals: "too expensive")
    assert outcomes(trials) == ["dominated"] * MOST_REFUSED
    assert trained.sizes == []
    run_tuning(run)
    assert "1 of 1 trials are missing: too many configurations were refused" in capsys.readouterr().out


def test_an_impossible_search_stops_before_it_has_written_anything(make_tuning: MakeTuning, search: Search) -> None:
    run = make_tuning(3, replace(search, limits=(Limit("num_params", 10),)))
    with pytest.raises(InputError, match=r"none of 101 configurations .* the limits \(num_params at most 10\)"):
        run_tuning(run)
    assert not (run.settings.out / FILE_NAME).exists()


def test_an_invalid_configuration_is_infeasible_and_the_search_goes_on(make_tuning: MakeTuning, search: Search) -> None:
    trained = CountingTrain()
    heads = Choice("heads", "model.num_heads", (2, 3))
    trials = search_with(make_tuning(4, replace(search, parameters=(heads, *search.parameters))), train=trained)
    invalid = [trial for trial in trials if trial.params["heads"] == 3]
    assert set(outcomes(invalid)) == {"invalid"}
    assert len(trained.sizes) == 4
    assert invalid[0].constraints == {"invalid": 1.0}
    assert "model.num_heads must divide model.dim" in invalid[0].user_attrs["reason"]


def test_what_costs_too_much_for_what_it_brings_is_refused(make_tuning: MakeTuning) -> None:
    asked: list[tuple[float, ...]] = []

    def rule(costs, rivals):
        asked.append(costs)
        return "too expensive" if len(asked) == 2 else ""

    trained = CountingTrain()
    trials = search_with(make_tuning(2), train=trained, dominated=rule)
    assert outcomes(trials) == ["ok", "dominated", "ok"]
    assert trials[1].state == TrialState.PRUNED
    assert trials[1].constraints == {}
    assert trials[1].user_attrs["reason"] == "too expensive"
    assert asked[1] == (trials[1].user_attrs["macs"],)
    assert len(trained.sizes) == 2


def test_a_hopeless_curve_is_stopped_at_its_validation_and_counts(make_tuning: MakeTuning, search: Search) -> None:
    seen: list[list[float]] = []

    def rule(costs, curve, rivals):
        seen.append(list(curve))
        return "hopeless" if len(rivals) == 1 and len(curve) == 2 else ""

    run = make_tuning(2, replace(search, minimise=()))
    trials = search_with(run, hopeless=rule)
    assert outcomes(trials) == ["ok", "pruned"]
    assert [len(curve) for curve in seen] == [1, 2, 3, 1, 2]
    stopped = trials[1]
    assert stopped.state == TrialState.PRUNED
    assert stopped.user_attrs["steps"] == 4
    assert list(stopped.intermediate_values) == [2, 4]  # one objective: Optuna draws the curves
    assert list(stopped.intermediate_values.values()) == seen[4]
    folders = [run.settings.out / "cells" / trial.user_attrs["cell_hash"] for trial in trials]
    assert [(folder / "record.json").exists() for folder in folders] == [True, False]  # the record of what has ended
    assert [(folder / "weights.partial").exists() for folder in folders] == [False, True]


def test_a_late_trial_leaves_the_checkpoint_to_who_has_it_now(make_tuning: MakeTuning) -> None:
    run, found = make_tuning(1), []

    def disturbed(cell: CellRun, record: Record) -> None:
        found.append((cell.folder, cell.folder.partial.exists()))
        train(cell, record)
        if len(found) == 1:  # what another worker does when the grace of the running trial has passed
            queue = open_tuning(run).queue
            (trial,) = queue.select(TrialState.RUNNING)
            queue.storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
            requeue(queue.trials, queue.storage.get_trial(trial._trial_id))

    trials = search_with(run, train=disturbed)
    assert [trial.state for trial in trials] == [TrialState.FAIL, TrialState.COMPLETE]
    ((folder, first), (again, second)) = found
    assert folder == again
    assert (first, second) == (False, True)
    assert not folder.partial.exists()
    assert json.loads(folder.record.read_text()) == json.loads(trials[1].user_attrs["record"])


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


def test_a_fault_of_the_code_is_kept_and_does_not_end_the_search(make_tuning: MakeTuning, capsys) -> None:
    def failing(run: CellRun, record: Record) -> None:
        if run.spec.model.kernel.name == "gaussian_rbf":
            raise ZeroDivisionError("made to fail")
        train(run, record)

    trials = search_with(make_tuning(3), train=failing)
    assert trials[0].state == TrialState.FAIL
    assert trials[0].user_attrs["reason"] == "ZeroDivisionError: made to fail"
    assert len(trials) == 3
    assert "made to fail" in capsys.readouterr().err


def test_the_same_configuration_is_not_trained_twice(make_tuning: MakeTuning, search: Search) -> None:
    norms, trained = Choice("norm", "model.norm", ("batch", "none")), CountingTrain()
    trials = search_with(make_tuning(6, replace(search, parameters=(norms,))), train=trained)
    assert outcomes(trials) == ["ok"] * 6
    assert len(trained.sizes) == 2
    assert len({(trial.params["norm"], *trial.values) for trial in trials}) == 2


class StopAt:
    """A request to stop that comes when it has been asked for so many times."""

    def __init__(self, number: int) -> None:
        self.left = number

    @property
    def asked(self) -> bool:
        self.left -= 1
        return self.left == 0


def test_ctrl_c_puts_the_trial_back_and_it_goes_on_from_its_checkpoint(make_tuning: MakeTuning) -> None:
    calm = search_with(make_tuning(1, out="calm"))[0]
    with pytest.raises(Interrupted):
        run_trials(open_tuning(make_tuning(1)), 1, Progress(1, StopAt(4)))
    steps: list[int] = []

    def counting(cell: CellRun, record: Record) -> None:
        steps.append(resume_checkpoint(*cell.folder.checkpoints)["step"])
        train(cell, record)

    trials = search_with(make_tuning(1), train=counting)
    assert steps == [3]
    assert [trial.state for trial in trials] == [TrialState.FAIL, TrialState.COMPLETE]
    assert trials[1].params == trials[0].params == calm.params
    assert trials[1].values == calm.values


WORK = """
from grla.study import load_search
from grla.tuning.run import TuningRun, join_tuning, run_tuning
data = {{"data.train": data["data.train"]}}
run = TuningRun(load_search("tiny_search", Path({here!r})), "smoke", settings, data, {trials})
{call}
"""


def start(run: TuningRun, crops: Path, trials: int, call: str) -> subprocess.Popen[str]:
    return start_slowly(run.settings.out, crops, WORK.format(here=str(SEARCHES), trials=trials, call=call))


def test_a_killed_trial_is_put_back_and_ends_as_if_nothing_had_been(make_tuning: MakeTuning, crops: Path) -> None:
    process = start(make_tuning(), crops, 1, "run_tuning(run)")
    wait_for_steps(process, 4)
    os.kill(process.pid, signal.SIGKILL)
    process.communicate(timeout=60)
    study = stored(make_tuning(), run_tuning(make_tuning(1)))
    assert [trial.state for trial in study.trials] == [TrialState.FAIL, TrialState.COMPLETE]
    calm = make_tuning(1, out="calm")
    assert stored(calm, run_tuning(calm)).trials[0].values == study.trials[1].values


def test_several_processes_train_as_many_trials_as_were_asked_for(make_tuning: MakeTuning, crops: Path) -> None:
    first = run_tuning(make_tuning(1))
    workers = [start(make_tuning(), crops, 7, "join_tuning(run, 3, progress.StopRequest())") for _ in range(3)]
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
    run = replace(make_tuning(4), settings=RunSettings(tmp_path / "out", torch.device("cpu"), 2, storage=url))
    trials = optuna.load_study(study_name=run_tuning(run), storage=url).trials
    ended = [trial for trial in trials if "outcome" in trial.user_attrs]
    assert outcomes(ended) == ["ok"] * 4
    assert all(trial.state == TrialState.FAIL for trial in trials if trial not in ended)  # who was too late
    assert {len(trial.user_attrs["worker"].split(":")) for trial in ended} == {4}
    provenance = (run.folder / "provenance.json").read_text()
    assert json.loads(provenance)["workers"] == 2
    assert make_url(url).password not in provenance
