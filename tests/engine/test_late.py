"""A worker that was silent for too long comes back: its cell is another's by then."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from optuna.trial import TrialState

from grla.engine import StudyRun, claiming, run_study
from grla.engine.plan import stored_plans, stored_queue
from grla.engine.queue import FINISHED, Queue, requeue
from grla.engine.storage import FILE_NAME, open_storage
from grla.report.results import load_results
from grla.training.checkpoint import load_checkpoint

MakeRun = Callable[..., StudyRun]


def queue_of(run: StudyRun) -> Queue:
    storage = open_storage(run.settings.out)
    (name,) = stored_plans(storage, "tiny", "smoke")
    return stored_queue(storage, name)


def take_away(run: StudyRun) -> None:
    """What another worker does when the grace of the running cell has passed."""
    queue = queue_of(run)
    (trial,) = queue.select(TrialState.RUNNING)
    queue.storage.set_trial_state_values(trial._trial_id, TrialState.FAIL)
    requeue(queue.trials, queue.storage.get_trial(trial._trial_id))


@pytest.mark.parametrize(("when", "late"), [("before", 0), ("after", 1)])
def test_it_leaves_the_cell_or_its_result_is_discarded_and_every_cell_has_one_result(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], when: str, late: int
) -> None:
    run, original, calls = make_run(), claiming.run_cell, []

    def disturbed(*arguments: object) -> object:
        calls.append(when)
        if len(calls) == 1 and when == "before":
            take_away(run)
        record = original(*arguments)
        if len(calls) == 1:
            take_away(run)
        return record

    monkeypatch.setattr(claiming, "run_cell", disturbed)
    name = run_study(run)
    queue = queue_of(run)
    shown = capfd.readouterr().out
    assert len(calls) == 4
    assert len(queue.select(*FINISHED)) == 3
    assert queue.num_late() == late
    assert ("1 late results" in shown) == bool(late)
    assert load_results(run.settings.out / FILE_NAME, name).cells["outcome"].tolist() == ["ok"] * 3


def test_a_late_worker_cannot_put_half_trained_weights_in_the_place_of_trained_ones(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, original, first = make_run(), claiming.run_cell, []

    def disturbed(cell, *rest) -> object:
        if not first:
            first.append(cell.folder)
            take_away(run)
        return original(cell, *rest)

    monkeypatch.setattr(claiming, "run_cell", disturbed)
    run_study(run)
    (folder,) = first
    assert load_checkpoint(folder.weights)["step"] == 6
    assert not folder.partial.exists()


def test_a_late_worker_leaves_the_checkpoint_to_who_has_the_cell_now(
    make_run: MakeRun, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, original, found = make_run(), claiming.run_cell, []

    def disturbed(cell, *rest) -> object:
        found.append((cell.folder, cell.folder.partial.exists()))
        record = original(cell, *rest)
        if len(found) == 1:
            take_away(run)
        return record

    monkeypatch.setattr(claiming, "run_cell", disturbed)
    run_study(run)
    late = found[0][0]
    assert [there for folder, there in found if folder == late] == [False, True]
    assert not late.partial.exists()
