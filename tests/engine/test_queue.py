"""One cell, several workers: who gets it, who keeps it, and whose result counts."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import optuna
import pytest
from optuna.trial import FrozenTrial, TrialState

from grla.engine import this_worker
from grla.engine.queue import FINISHED, LATE, MAX_DEATHS, WORKER, Queue, is_dead, worker_name
from grla.engine.storage import open_storage

ELSEWHERE = "other-host:4242:1700000000:ffffffff"
GRACE = 2


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    storage = open_storage(tmp_path, grace=GRACE)
    trials = optuna.create_study(storage=storage, study_name="study", direction="maximize")
    for index in range(2):
        trials.enqueue_trial({"x": index}, user_attrs={"cell_hash": f"hash{index}", "variant": f"x={index}"})
    return Queue(trials, storage)


def claim(queue: Queue, *wanted: str) -> optuna.Trial:
    trial = queue.claim(wanted or ("hash0", "hash1"))
    assert trial is not None
    trial.suggest_int("x", 0, 9)
    return trial


def dead_process() -> str:
    """A worker of this machine that has ended."""
    code = f"import sys; sys.path.insert(0, {str(Path(__file__).parents[2])!r})\n"
    code += "from grla.engine import this_worker; print(this_worker())"
    return subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.strip()


def become(queue: Queue, trial: optuna.Trial, worker: str) -> None:
    queue.storage.set_trial_user_attr(trial._trial_id, WORKER, worker)


def only(queue: Queue, state: TrialState) -> FrozenTrial:
    (trial,) = queue.select(state)
    return trial


def test_only_wanted_cells_are_claimed_in_order_and_none_of_an_empty_queue(queue: Queue) -> None:
    assert claim(queue, "hash1").params == {"x": 1}
    assert queue.claim(["hash1"]) is None
    assert claim(queue).params == {"x": 0}
    assert queue.claim(["hash0", "hash1"]) is None
    assert len(queue.select(*TrialState)) == 2  # no stray trials


def test_a_worker_that_died_here_is_seen_at_once_and_others_are_not_touched(queue: Queue) -> None:
    worker = dead_process()
    died, elsewhere = claim(queue), claim(queue)
    become(queue, died, worker)
    become(queue, elsewhere, ELSEWHERE)
    queue.bury()
    assert only(queue, TrialState.FAIL).user_attrs["cell_hash"] == "hash0"
    again = claim(queue)
    assert again.user_attrs["cell_hash"] == "hash0"
    assert again.params == {"x": 0}
    assert again.user_attrs[WORKER] == this_worker()
    assert len(queue.select(TrialState.RUNNING)) == 2


def test_a_silent_worker_elsewhere_loses_its_cell_after_the_grace_and_one_with_heartbeats_never(queue: Queue) -> None:
    silent, beating = claim(queue), claim(queue)
    for trial in (silent, beating):
        become(queue, trial, ELSEWHERE)
    with queue.heartbeat(beating):
        queue.bury()
        assert len(queue.select(TrialState.RUNNING)) == 2
        time.sleep(2 * GRACE)
        queue.bury()
        assert only(queue, TrialState.RUNNING).user_attrs["cell_hash"] == "hash1"
    assert only(queue, TrialState.WAITING).user_attrs.keys() == {"cell_hash", "variant"}


def test_a_worker_that_dies_between_its_claim_and_its_first_word_is_silent_too(
    queue: Queue, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Optuna alone would leave such a trial RUNNING for ever: it has no heartbeat that could be too old."""

    def die() -> str:
        raise KeyboardInterrupt

    monkeypatch.setattr("grla.engine.queue.this_worker", die)
    with pytest.raises(KeyboardInterrupt):
        queue.claim(["hash0"])
    assert only(queue, TrialState.RUNNING).user_attrs["cell_hash"] == "hash0"
    time.sleep(2 * GRACE)
    queue.bury()
    assert not queue.select(TrialState.RUNNING)
    assert queue.hashes(TrialState.WAITING) == {"hash0", "hash1"}


def test_a_cell_that_ends_worker_after_worker_is_given_up(queue: Queue) -> None:
    worker = dead_process()
    for _ in range(MAX_DEATHS + 1):
        become(queue, claim(queue, "hash0"), worker)
        queue.bury()
    assert queue.claim(["hash0"]) is None
    assert queue.claim(["hash1"]) is not None


def test_a_cell_that_is_given_back_can_be_claimed_again(queue: Queue) -> None:
    queue.give_back(claim(queue, "hash0"))
    again = claim(queue, "hash0")
    assert (again.user_attrs["cell_hash"], again.user_attrs["variant"], again.params) == ("hash0", "x=0", {"x": 0})


def test_the_first_accepted_result_counts_and_a_late_one_is_discarded_and_counted(queue: Queue) -> None:
    late = claim(queue, "hash0")
    become(queue, late, dead_process())
    queue.bury()
    second = claim(queue, "hash0")
    assert queue.accept(second, {"record": "second"}, 2.0, TrialState.COMPLETE)
    assert not queue.accept(late, {"record": "late"}, 1.0, TrialState.COMPLETE)
    assert only(queue, TrialState.COMPLETE).value == 2.0
    assert queue.num_late() == 1
    (kept,) = (trial for trial in queue.select(TrialState.FAIL) if LATE in trial.user_attrs)
    assert "late" in kept.user_attrs[LATE]
    assert "record" not in kept.user_attrs


def test_a_result_that_comes_before_the_other_worker_has_one_is_late_as_well(queue: Queue) -> None:
    late = claim(queue, "hash0")
    become(queue, late, dead_process())
    queue.bury()
    assert not queue.accept(late, {"record": "late"}, 1.0, TrialState.COMPLETE)
    assert not queue.select(*FINISHED)
    assert queue.accept(claim(queue, "hash0"), {"record": "second"}, 2.0, TrialState.COMPLETE)
    assert queue.num_late() == 1


def test_a_cell_that_was_queued_twice_has_one_result(queue: Queue) -> None:
    """As a server that goes in the moment of a commit can make it."""
    attributes = {"cell_hash": "hash0", "variant": "x=0"}
    for _ in range(2):
        queue.trials.enqueue_trial({"x": 0}, user_attrs=attributes)
    first, second = claim(queue, "hash0"), claim(queue, "hash0")
    assert queue.accept(first, {"record": "first"}, 1.0, TrialState.COMPLETE)
    assert not queue.accept(second, {"record": "second"}, 1.0, TrialState.COMPLETE)
    assert queue.claim(["hash0"]) is None
    assert only(queue, TrialState.COMPLETE).user_attrs["record"] == "first"


def test_a_worker_is_known_by_more_than_its_number() -> None:
    host, number, started, machine = this_worker().rsplit(":", 3)
    assert not is_dead(this_worker())
    assert is_dead(f"{host}:{number}:{int(started) - 3600}:{machine}")  # the number has been given out anew
    assert not is_dead(f"{host}:{number}:{started}:ffffffff")  # of other machines nothing is known
    assert not is_dead(None)
    assert worker_name(this_worker()) == f"{host}:{number}"
    assert worker_name(None) == "-"


def test_a_child_that_nobody_waited_for_is_dead() -> None:
    process = subprocess.Popen([sys.executable, "-c", "pass"])
    time.sleep(0.1)
    host, _, _, machine = this_worker().rsplit(":", 3)
    worker = f"{host}:{process.pid}:{time.time():.0f}:{machine}"
    for _ in range(200):
        if Path(f"/proc/{process.pid}/stat").exists() and " Z " in Path(f"/proc/{process.pid}/stat").read_text():
            break
        time.sleep(0.05)
    else:
        pytest.skip("needs Linux' /proc")
    assert is_dead(worker)
    process.wait()
    assert is_dead(worker)
