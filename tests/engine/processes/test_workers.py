"""Many workers on one study: killed, stopped and come back, without a server, planning at once; all of it real.

The grid of two kernels and 8 seeds (30 with GRLA_ALL), with 4 workers, one killed and one stopped, on both storages:

    python -m pytest -n0 tests/engine/processes/test_workers.py -k grid
"""

from __future__ import annotations

import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest
from optuna.trial import FrozenTrial, TrialState

from grla.engine import StudyRun, run_study
from grla.engine.plan import stored_plans, stored_queue
from grla.engine.queue import FINISHED, WORKER, Queue
from grla.engine.storage import open_storage, planning, storage_url
from grla.report.results import load_results
from grla.spec import Budget
from tests.shared import ROOT

COMMAND = ROOT / "tests" / "shared" / "grid_command.py"
MINUTES = 60
EVERY = os.environ.get("GRLA_ALL") == "1"
SEEDS = 30 if EVERY else 8


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty storage of each kind."""
    if request.param == "sqlite":
        return storage_url(None, tmp_path / "out")
    return request.getfixturevalue("server").empty()


@pytest.fixture(params=["sqlite", "postgresql"] if EVERY else ["postgresql"])
def some_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """An empty storage of each kind, or of one, for what other tests do on both."""
    return (
        request.getfixturevalue("server").empty() if request.param != "sqlite" else storage_url(None, tmp_path / "out")
    )


def start(crops: Path, out: Path, seeds: int, **crew: object) -> subprocess.Popen[str]:
    command = [sys.executable, str(COMMAND), str(crops), str(out), str(seeds), json.dumps(crew)]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(command, text=True, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finish(process: subprocess.Popen[str]) -> str:
    output, errors = process.communicate(timeout=10 * MINUTES)
    assert process.returncode == 0, output + errors
    return output + errors


def wait_for(condition: Callable[[], object], process: subprocess.Popen[str]) -> object:
    """What `condition` answers as soon as it is true; the run must not have ended before."""
    for _ in range(30_000):
        answer = condition()
        if answer:
            return answer
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    raise AssertionError("waited in vain")


def find_queue(url: str) -> Queue | None:
    path = Path(url.removeprefix("sqlite:///"))
    if url.startswith("sqlite") and not path.exists():
        return None
    try:
        with planning(url):
            storage = open_storage(url)
        (name,) = stored_plans(storage, "tiny", "smoke")
        return stored_queue(storage, name)
    except Exception:  # nothing is planned yet
        return None


def scores(queue: Queue) -> dict[tuple[str, int], list[float]]:
    """By variant and seed, the scores on all images of the only accepted result; fails when there are several."""
    found = {}
    for trial in queue.select(*FINISHED):
        key = trial.user_attrs["variant"], trial.params["seed"]
        assert key not in found, f"two results of {key}"
        record = json.loads(trial.user_attrs["record"])
        assert record["outcome"] == "ok"
        found[key] = [row["psnr_y"] for row in record["images"]] + [record["final_loss"]]
    return found


@pytest.fixture(scope="module")
def undisturbed(crops: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[tuple[str, int], list[float]]:
    out = tmp_path_factory.mktemp("undisturbed")
    finish(start(crops, out, SEEDS, workers=2))
    return scores(find_queue(storage_url(None, out)))


def lock_is_free(url: str) -> bool:
    """Whether others can still write: who is stopped in the middle of a SQLite transaction holds up everybody."""
    if not url.startswith("sqlite"):
        return True
    with sqlite3.connect(url.removeprefix("sqlite:///"), timeout=0.5, isolation_level=None) as connection:
        try:
            connection.execute("BEGIN IMMEDIATE")
            connection.execute("ROLLBACK")
        except sqlite3.OperationalError:
            return False
    return True


def stop_in_mid_cell(queue: Queue, url: str, process: subprocess.Popen[str], spare: int = 0) -> FrozenTrial:
    """Stop a worker that has validated its cell at least once and not finished it; return its trial."""

    def stopped() -> FrozenTrial | None:
        for trial in queue.select(TrialState.RUNNING):
            pid = int(trial.user_attrs.get(WORKER, "::0:0:0").split(":")[-3])
            if trial.intermediate_values and pid not in (0, spare):
                os.kill(pid, signal.SIGSTOP)
                if lock_is_free(url) and queue.storage.get_trial(trial._trial_id).state == TrialState.RUNNING:
                    return trial
                os.kill(pid, signal.SIGCONT)
        return None

    return wait_for(stopped, process)


def pid_of(trial: FrozenTrial) -> int:
    return int(trial.user_attrs[WORKER].split(":")[-3])


def test_a_grid_with_a_killed_and_a_stopped_worker_ends_like_an_undisturbed_one(
    url: str, crops: Path, tmp_path: Path, undisturbed: dict[tuple[str, int], list[float]]
) -> None:
    process = start(crops, tmp_path / "out", SEEDS, workers=4, storage=url, grace=8)
    queue = wait_for(lambda: find_queue(url), process)
    killed = stop_in_mid_cell(queue, url, process)
    os.kill(pid_of(killed), signal.SIGKILL)
    stopped = stop_in_mid_cell(queue, url, process, spare=pid_of(killed))
    wait_for(lambda: stopped.user_attrs["cell_hash"] in queue.hashes(*FINISHED), process)
    os.kill(pid_of(stopped), signal.SIGCONT)
    shown = finish(process)
    assert len(undisturbed) == 2 * SEEDS
    assert scores(queue) == undisturbed  # every cell has one result, none is lost, all are equal to the bit
    trials = Counter(trial.user_attrs["cell_hash"] for trial in queue.select(*TrialState))
    for victim in (killed, stopped):
        assert queue.storage.get_trial(victim._trial_id).state == TrialState.FAIL
        assert trials[victim.user_attrs["cell_hash"]] >= 2
    assert "was ended by signal 9; its cell was left to the others" in shown


def test_two_planners_at_once_make_one_study(url: str, crops: Path, tmp_path: Path) -> None:
    processes = [start(crops, tmp_path / "out", 2, storage=url) for _ in range(2)]
    for process in processes:
        finish(process)
    queue = find_queue(url)  # which asks for exactly one study
    assert len(scores(queue)) == 4
    assert len(queue.select(*TrialState)) == 4


def test_workers_wait_for_a_server_that_is_away_for_a_while(server, crops: Path, tmp_path: Path) -> None:
    url = server.empty()
    process = start(crops, tmp_path / "out", 4, workers=2, storage=url)
    queue = wait_for(lambda: find_queue(url), process)
    wait_for(lambda: queue.hashes(*FINISHED), process)
    server.stop()
    try:
        time.sleep(12)
        assert process.poll() is None
    finally:
        server.start()
    shown = finish(process)
    assert "the storage does not answer" in shown
    assert "the storage is back after" in shown
    assert len(scores(queue)) == 8
    assert server.password not in shown + (tmp_path / "out" / "tiny" / "smoke" / "provenance.json").read_text()


def test_workers_join_a_plan_and_share_files_and_nothing_else(server, crops: Path, tmp_path: Path) -> None:
    """Three "machines" with folders of their own: one plans, two work, and the first finds their pictures."""
    shared = {"storage": server.empty(), "artifacts": str(tmp_path / "shared")}
    finish(start(crops, tmp_path / "planner", 2, workers=0, **shared))
    queue = find_queue(shared["storage"])
    assert len(queue.select(TrialState.WAITING)) == 4
    joined = [start(crops, tmp_path / name, 2, join=True, **shared) for name in ("one", "two")]
    for process in joined:
        finish(process)
    assert len(scores(queue)) == 4
    finish(start(crops, tmp_path / "planner", 2, **shared))
    links = (tmp_path / "planner" / "tiny" / "smoke" / "cells").glob("*/test-colour.png")
    assert {path.resolve().parent.name for path in links} == queue.hashes(TrialState.COMPLETE)
    weights = {path.parent.name for path in (tmp_path / "shared" / "cells").glob("*/weights.pt")}
    assert weights == queue.hashes(TrialState.COMPLETE)


def test_stopping_the_run_stops_its_workers_and_leaves_their_cells_to_whoever_comes(
    some_url: str, crops: Path, tmp_path: Path
) -> None:
    process = start(crops, tmp_path / "out", 4, workers=2, storage=some_url)
    queue = wait_for(lambda: find_queue(some_url), process)
    wait_for(lambda: queue.hashes(*FINISHED) and len(queue.select(TrialState.RUNNING)) == 2, process)
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=2 * MINUTES)
    assert process.returncode != 0
    assert not queue.select(TrialState.RUNNING)
    left = queue.hashes(TrialState.WAITING)
    assert left
    finish(start(crops, tmp_path / "out", 4, workers=2, storage=some_url))
    assert len(scores(queue)) == 8


def test_studies_one_after_the_other_in_one_process_keep_what_their_workers_found(
    make_run: Callable[..., StudyRun],
) -> None:
    """What opens the database beside SQLite and closes it drops this process' locks: a second study's cells were lost,
    when its workers ended."""
    for budget in (6, 8):
        run = make_run(settings={"workers": 2}, train__budget=Budget(budget, "steps"))
        name = run_study(run)
        cells = load_results(run.settings.storage_url, name).cells
        assert cells["outcome"].tolist() == ["ok"] * 3
        assert cells["steps"].tolist() == [budget] * 3


def test_workers_end_when_the_run_that_started_them_is_killed(crops: Path, tmp_path: Path) -> None:
    url = storage_url(None, tmp_path / "out")
    process = start(crops, tmp_path / "out", 10, workers=2)
    queue = wait_for(lambda: find_queue(url), process)
    wait_for(lambda: len(queue.select(TrialState.RUNNING)) == 2, process)
    process.kill()
    process.communicate(timeout=2 * MINUTES)  # which waits until nobody has its pipes any more
    assert not queue.select(TrialState.RUNNING)
    assert queue.hashes(TrialState.WAITING)
