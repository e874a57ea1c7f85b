"""A study that was renamed on the dashboard is the same study: its definition says so."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.request import Request, urlopen

import optuna
import pandas as pd
import pytest

from grla.engine import StudyRun, describe_status, run_study
from grla.errors import InputError
from grla.report.results import load_results, load_trials, study_results
from tests.shared.browser import free_port, server


def rename(url: str, name: str, new: str, log: Path) -> None:
    """As the dashboard's button does."""
    program, port = Path(sys.executable).with_name("optuna-dashboard"), free_port()
    with server([program, url, "--port", port], port, log) as address:
        (number,) = (study._study_id for study in optuna.get_all_study_summaries(url) if study.study_name == name)
        body, kind = json.dumps({"study_name": new}).encode(), {"Content-Type": "application/json"}
        urlopen(Request(f"{address}/api/studies/{number}/rename", body, kind), timeout=60).close()


def test_reports_status_and_workers_find_it(make_run: Callable[..., StudyRun], tmp_path: Path) -> None:
    run = make_run(settings={"workers": 1})
    url, name = run.settings.storage_url, run_study(run)
    before = load_results(url, name)
    rename(url, name, "my favourite", tmp_path / "log")
    assert optuna.get_all_study_names(url) == ["my favourite"]
    for found in (study_results(run.folder), load_results(url, name)):
        pd.testing.assert_frame_equal(found.cells, before.cells)
    assert describe_status(run).startswith("my favourite: 3 cells")
    assert run_study(replace(run, join=True)) == "my favourite"
    with pytest.raises(InputError, match="holds no study 'tiny-smoke-00000000'"):
        load_trials(url, "tiny-smoke-00000000")
