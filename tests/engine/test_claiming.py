"""The engine on a real storage: plan, run, take over, resume, survive kills, keep failures."""

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
import pandas as pd
import pytest
import torch
from optuna.trial import TrialState

from grla.engine import StudyRun, claiming, run_study
from grla.engine.storage import FILE_NAME, open_storage
from grla.errors import InputError
from grla.report.figures.crops import crop_rows
from grla.report.results import Results, load_results, own_storage
from grla.study import Record, Study, vary
from tests.shared import ABLATIONS, ROOT
from tests.shared.commands import start_slowly, wait_for_steps

MakeRun = Callable[..., StudyRun]


def results(run: StudyRun, name: str) -> Results:
    return load_results(run.settings.out / FILE_NAME, name)


def scores(frame: Results) -> pd.DataFrame:
    """What must not depend on how often a run was disturbed."""
    return frame.images.sort_values(["variant", "seed", "image"]).reset_index(drop=True)


@pytest.fixture
def count_runs(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The variants that were really run, in order."""
    ran: list[str] = []
    original = claiming.run_cell

    def counting(cell, *rest):
        spec = cell.spec
        ran.append(f"{spec.model.kernel.name}/{spec.model.depth}/{spec.seed}/{spec.train.budget}")
        return original(cell, *rest)

    monkeypatch.setattr(claiming, "run_cell", counting)
    return ran


def test_a_study_leaves_real_trials_and_a_record_per_cell(make_run: MakeRun) -> None:
    run = make_run(seeds=2)
    name = run_study(run)
    trials = optuna.load_study(study_name=name, storage=f"sqlite:///{run.settings.out / FILE_NAME}").trials
    assert [trial.state for trial in trials] == [TrialState.COMPLETE] * 6
    assert trials[1].params == {"kernel": "relu", "depth": "1", "seed": 0}
    assert trials[0].intermediate_values.keys() == {2, 4, 6}
    assert {"macs", "latency_ms", "psnr_y", "outcome", "code_version"} <= trials[0].user_attrs.keys()
    loaded = results(run, name)
    assert loaded.cells["variant"].tolist() == ["base", "kernel=relu", "depth=2"] * 2
    assert loaded.cells["psnr_y"].tolist() == [trial.value for trial in trials]
    assert len(loaded.images) == 2 + 6 * 2
    assert (loaded.images["variant"] == "bicubic").sum() == 2
    assert len(loaded.curves) == 6 * 3
    provenance = json.loads((run.folder / "provenance.json").read_text())
    assert set(provenance["cells"]) == set(loaded.cells["cell_hash"])
    assert {"torch", "numpy", "optuna"} <= provenance["packages"].keys()


def test_running_again_takes_over_by_hash(make_run: MakeRun, count_runs: list[str], capsys) -> None:
    first = run_study(make_run())
    assert len(count_runs) == 3
    assert run_study(make_run()) == first
    assert len(count_runs) == 3
    assert "3 of 3 cells are done already" in capsys.readouterr().out
    assert run_study(make_run(seeds=2)) == first  # more seeds extend the same study
    assert [ran.split("/")[2] for ran in count_runs] == ["0"] * 3 + ["1"] * 3


def test_a_changed_budget_runs_anew_and_a_new_level_only_itself(
    make_run: MakeRun, tiny: Study, count_runs: list[str]
) -> None:
    first = run_study(make_run())
    count_runs.clear()
    wider = replace(tiny, factors=(vary("kernel", "model.kernel", "gaussian_rbf", "relu", "uniform"),))
    run = make_run(study=wider)
    second = run_study(run)
    assert second != first
    assert [ran.split("/")[0] for ran in count_runs] == ["uniform"]
    assert results(run, second).cells["variant"].tolist() == ["base", "kernel=relu", "kernel=uniform"]
    count_runs.clear()
    run_study(make_run(train__validations=2))
    assert len(count_runs) == 3


def test_a_cell_has_one_folder_whoever_asks_for_it(make_run: MakeRun, tiny: Study, count_runs: list[str]) -> None:
    first, kernels = make_run(), (vary("which", "model.kernel", "relu", "gaussian_rbf", "uniform"),)
    run_study(first)
    count_runs.clear()
    second = make_run(study=replace(tiny, name="other", factors=kernels))
    name = run_study(second)
    assert [ran.split("/")[0] for ran in count_runs] == ["uniform"]
    found = results(second, name)
    for cell in found.cells.itertuples():
        folder = second.settings.out / "cells" / cell.cell_hash
        assert sorted(path.name for path in folder.iterdir()) == [
            "log",
            "record.json",
            "test-colour.png",
            "test-gray.png",
            "weights.pt",
        ]
        assert json.loads((folder / "record.json").read_text())["psnr_y"] == cell.psnr_y
        (link,) = (second.folder / "cells").glob(f"*_seed0_{cell.cell_hash[:6]}")
        assert link.resolve() == folder.resolve()
        assert not Path(os.readlink(link)).is_absolute()
    assert {path.name.rsplit("_", 1)[0] for path in (second.folder / "cells").iterdir()} == {
        "base_seed0",
        "which=relu_seed0",
        "which=uniform_seed0",
    }
    names = {tile.name for row in crop_rows(found, second.folder) for tile in row.tiles}
    assert {"gaussian_rbf (base)", "relu", "uniform"} <= names


def test_results_of_the_first_layout_are_named_and_left_alone(make_run: MakeRun) -> None:
    run = make_run()
    old = run.settings.out / "attention" / "quick" / "checkpoints" / "0123.pt"
    old.parent.mkdir(parents=True)
    old.write_bytes(b"weights")
    about = old.parents[1] / "provenance.json"
    about.write_text("{}", encoding="utf-8")
    with pytest.raises(InputError, match=r"attention/quick holds checkpoints .*nothing was changed"):
        run_study(run)
    with pytest.raises(InputError, match="nothing was changed"):
        own_storage(old.parents[1])  # which reports ask for first
    assert sorted(path for path in run.settings.out.rglob("*") if path.is_file()) == [old, about]


def test_divergence_is_kept_and_errors_are_tried_again(make_run: MakeRun, monkeypatch: pytest.MonkeyPatch) -> None:
    original, outcomes = claiming.run_cell, {"relu": "diverged"}

    def failing(cell, *rest) -> Record:
        record, spec = original(cell, *rest), cell.spec
        wanted = outcomes.get(spec.model.kernel.name if spec.model.depth == 1 else "deep", "ok")
        if wanted != "ok":
            record.outcome, record.reason, record.psnr_y, record.images = wanted, f"made to be {wanted}", None, []
        return record

    monkeypatch.setattr(claiming, "run_cell", failing)
    outcomes["deep"] = "out_of_memory"
    run = make_run()
    first = results(run, run_study(run)).cells
    assert first["outcome"].tolist() == ["ok", "diverged", "out_of_memory"]
    assert first["reason"].tolist() == ["", "made to be diverged", "made to be out_of_memory"]
    outcomes.clear()
    second = results(run, run_study(run)).cells
    assert second["outcome"].tolist() == ["ok", "diverged", "ok"]


@pytest.mark.parametrize("failing", ["cell", "costs"])
def test_an_error_that_a_gpu_does_not_survive_is_recorded_and_the_next_cell_is_left_to_a_new_process(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, failing: str
) -> None:
    """Where CUDA is pretended: the first piece of work after the fault of a kernel finds the GPU dead."""
    faults: list[str] = []

    def fault(*_: object, **__: object) -> None:
        faults.append(failing)
        raise torch.AcceleratorError("CUDA error: an illegal memory access was encountered")

    def require_alive(device: torch.device) -> None:
        if faults:
            raise InputError("the GPU is of no more use")

    for module in ("run", "measuring"):
        monkeypatch.setattr(f"grla.engine.{module}.require_alive", require_alive)
    monkeypatch.setattr("grla.engine.cell.fit" if failing == "cell" else "grla.engine.costs.measured_costs", fault)
    run = make_run()
    with pytest.raises(InputError, match="the GPU is of no more use"):
        run_study(run)
    assert faults == [failing]
    (name,) = optuna.get_all_study_names(open_storage(run.settings.out))
    ended = optuna.load_study(study_name=name, storage=open_storage(run.settings.out)).get_trials(
        states=[TrialState.FAIL]
    )
    assert len(ended) == (failing == "cell")
    assert all("illegal memory access" in trial.user_attrs["reason"] for trial in ended)


def test_who_joins_tries_failed_cells_again_only_when_asked_to(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, failing, ran = claiming.run_cell, ["relu"], []

    def sometimes(cell, *arguments) -> Record:
        ran.append(cell.spec.model.kernel.name)
        record = original(cell, *arguments)
        if cell.spec.model.kernel.name in failing:
            record.outcome, record.reason, record.psnr_y = "error", "made to fail", None
        return record

    monkeypatch.setattr(claiming, "run_cell", sometimes)
    run_study(make_run())
    failing.clear()
    run_study(make_run(join=True))
    assert len(ran) == 3
    name = run_study(make_run(join=True, retry_failed=True))
    assert ran[3:] == ["relu"]
    assert results(make_run(), name).cells["outcome"].tolist() == ["ok"] * 3


def test_a_folder_that_cannot_be_written_is_named(make_run: MakeRun, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match=r"cannot write to .*file/out.*choose another folder"):
        run_study(make_run(out=tmp_path / "file" / "out"))


def test_a_storage_that_is_none_is_named_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"this is not a database" * 100)
    with pytest.raises(InputError, match="not a usable Optuna storage"):
        open_storage(tmp_path)
    assert (tmp_path / FILE_NAME).read_bytes().startswith(b"this is not")


def test_unusable_images_stop_the_run_before_any_training(make_run: MakeRun, crops: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    for path in (crops / "train").iterdir():
        (broken / path.name).write_bytes(path.read_bytes()[: 400 if path.name == "2.png" else None])
    with pytest.raises(InputError, match=r"2\.png cannot be read"):
        run_study(make_run(data__train=str(broken)))
    with pytest.raises(InputError, match="patch of 64 LR pixels at x2 needs 128 a side"):
        run_study(make_run(data__patch_size=64))


WORK = f"""
from grla.engine import StudyRun, run_study
from grla.study import load_study
run = StudyRun(load_study("tiny", Path({str(ABLATIONS)!r})), "smoke", settings, data)
print(run_study(run), flush=True)
"""


@pytest.mark.parametrize(("how", "where"), [(signal.SIGKILL, (3, 6)), (signal.SIGINT, (6,))])
def test_a_study_that_is_killed_ends_with_the_results_of_an_undisturbed_one(
    make_run: MakeRun, crops: Path, tmp_path: Path, how: signal.Signals, where: tuple[int, ...]
) -> None:
    calm = make_run(out=tmp_path / "calm")
    undisturbed = scores(results(calm, run_study(calm)))
    for steps in where:  # in the first cell, in one after it
        process = start_slowly(tmp_path / "out", crops, WORK)
        wait_for_steps(process, steps)
        os.kill(process.pid, how)
        _, errors = process.communicate(timeout=60)
        assert process.returncode != 0
        assert "Interrupted" in errors if how == signal.SIGINT else process.returncode == -signal.SIGKILL
    process = start_slowly(tmp_path / "out", crops, WORK)
    output, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors
    run = make_run(out=tmp_path / "out")
    finished = results(run, output.split()[-1])
    assert finished.cells["outcome"].tolist() == ["ok"] * 3
    pd.testing.assert_frame_equal(scores(finished), undisturbed)


def test_the_storage_is_safe_for_several_processes(tmp_path: Path) -> None:
    """Four processes claim from one queue: no trial runs twice, none is lost (on plain SQLite some ran twice)."""
    storage = open_storage(tmp_path)
    study = optuna.create_study(storage=storage, study_name="queue")
    for index in range(40):
        study.enqueue_trial({"x": index})
    code = (
        f"import sys; sys.path.insert(0, {str(ROOT)!r})\n"
        "import optuna; from pathlib import Path; from grla.engine.storage import open_storage\n"
        "optuna.logging.set_verbosity(optuna.logging.ERROR)\n"
        f"study = optuna.load_study(study_name='queue', storage=open_storage(Path({str(tmp_path)!r})))\n"
        "for _ in range(10):\n"
        "    trial = study.ask()\n"
        "    study.tell(trial, trial.suggest_int('x', 0, 99))\n"
    )
    workers = [subprocess.Popen([sys.executable, "-c", code]) for _ in range(4)]
    assert [worker.wait(timeout=240) for worker in workers] == [0] * 4
    values = [trial.value for trial in study.get_trials()]
    assert sorted(values) == list(range(40))
