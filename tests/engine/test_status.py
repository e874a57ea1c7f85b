"""What --status and --export show of a storage."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from grla.engine import StudyRun, run_study, this_worker
from grla.engine.plan import stored_queue
from grla.engine.queue import worker_name
from grla.engine.status import describe_status, latest_name
from grla.engine.storage import FILE_NAME, open_storage, planning
from grla.errors import InputError
from grla.report.results import export, load_results

MakeRun = Callable[..., StudyRun]


def rows(text: str) -> dict[tuple[str, str], list[str]]:
    lines = [line.split("  ") for line in text.splitlines()[3:-1]]
    cells = [[part.strip() for part in line if part.strip()] for line in lines]
    return {(state, worker): rest for state, worker, *rest in cells}


def test_cells_are_shown_by_state_worker_and_age(make_run: MakeRun) -> None:
    planned = make_run(settings={"workers": 0}, seeds=2)
    name = run_study(planned)
    assert rows(describe_status(planned)) == {("waiting", "-"): ["6", "-", "base seed ?, ..., depth=2 seed ?"]}
    run_study(make_run())  # the first seed alone
    queue = stored_queue(open_storage(planned.settings.out), name)
    running = queue.claim([queue.trials.trials[-1].user_attrs["cell_hash"]])
    running.suggest_int("seed", 0, 9999)
    shown = describe_status(planned)
    assert shown.startswith(f"{name}: 6 cells\n")
    found, me = rows(shown), worker_name(this_worker())
    assert found["ok", me][0] == "3"
    assert found["ok", me][1].endswith(" s ago")
    assert found["running", me][0] == "1"
    assert found["running", me][2] == "depth=2 seed 1"
    assert found["waiting", "-"][0] == "2"
    assert shown.splitlines()[-1].startswith("0 times a cell was cut off")


def test_nothing_to_show_is_an_error_that_makes_nothing(make_run: MakeRun) -> None:
    run = make_run()
    with pytest.raises(InputError, match="does not exist; start a run first"):
        describe_status(run)
    assert not run.settings.out.exists()
    open_storage(run.settings.out)
    with pytest.raises(InputError, match="holds no study tiny of profile smoke; run it first"):
        latest_name(run)


def test_who_asks_while_a_run_makes_its_tables_waits_for_them(make_run: MakeRun) -> None:
    run, shown = make_run(settings={"workers": 0}), []
    run_study(run)
    asking = threading.Thread(target=lambda: shown.append(describe_status(run)))
    with planning(run.settings.storage_url):
        asking.start()
        asking.join(2)
        assert not shown
    asking.join(60)
    assert "waiting" in shown[0]


def test_records_are_written_out_as_a_table_or_whole(make_run: MakeRun, tmp_path: Path) -> None:
    run = make_run()
    name = run_study(run)
    storage = run.settings.out / FILE_NAME
    for suffix in ("csv", "jsonl"):
        export(storage, latest_name(run), tmp_path / f"cells.{suffix}")
    cells = load_results(storage, name).cells
    table = pd.read_csv(tmp_path / "cells.csv")
    assert table["psnr_y"].tolist() == pytest.approx(cells["psnr_y"].tolist())
    assert list(table) == list(cells)
    lines = [json.loads(line) for line in (tmp_path / "cells.jsonl").read_text().splitlines()]
    assert [line["cell_hash"] for line in lines] == cells["cell_hash"].tolist()
    assert lines[1]["variant"] == "kernel=relu"
    assert lines[1]["levels"] == {"kernel": "relu", "depth": "1", "seed": 0}
    assert len(lines[1]["images"]) == 2
    assert lines[1]["worker"] == this_worker()
    with pytest.raises(InputError, match=r"path: the file's suffix must be one of \.csv, \.jsonl, got '\.xls'"):
        export(storage, name, tmp_path / "cells.xls")
