"""Storages that cannot be used: each says what is wrong and what to do, and never a password."""

from __future__ import annotations

import sqlite3
import sys
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import optuna
import pytest
import sqlalchemy
import torch

from grla.engine import RunSettings, StudyRun, run_study
from grla.engine import storage as storage_room
from grla.engine.storage import (
    FILE_NAME,
    PatientStorage,
    open_storage,
    planning,
    require_storage,
    storage_url,
    waiting_for_server,
)
from grla.errors import InputError
from grla.provenance import describe_run, without_password
from grla.report.results import load_trials

SECRET = "hush-hush"


@pytest.mark.parametrize(
    "storage",
    [f"mysql://me:{SECRET}@host/name", "studies.db", "postgresql://", f"postgresql://me:{SECRET}@host:port/name"],
)
def test_what_is_no_url_of_a_known_database_is_shown_without_its_password(storage: str) -> None:
    with pytest.raises(InputError, match="storage must be postgresql://user@host/database or sqlite:///") as caught:
        storage_url(storage, Path("out"))
    assert SECRET not in str(caught.value)


def test_the_default_is_the_file_in_out(tmp_path: Path) -> None:
    assert storage_url(None, tmp_path) == f"sqlite:///{tmp_path}/{FILE_NAME}"
    for name in ("50%41", "what?x", "a#b", "me:word@host"):
        storage = open_storage(storage_url(None, tmp_path / name))
        optuna.create_study(storage=storage, study_name="s")
        assert (tmp_path / name / FILE_NAME).is_file()
        assert load_trials(tmp_path / name / FILE_NAME, "s").study_name == "s"
        assert load_trials(storage_url(None, tmp_path / name), "s").study_name == "s"
    assert len(list(tmp_path.iterdir())) == 4
    assert storage_url("postgresql://me@host/name", tmp_path) == "postgresql://me@host/name"


@pytest.mark.parametrize("enter", [open_storage, lambda url: planning(url).__enter__()])
def test_a_server_that_is_not_there_is_named_with_a_remedy(enter: Callable[[str], object]) -> None:
    with pytest.raises(
        InputError, match=r"postgresql://me:\*\*\*@127.0.0.1:1/x: .*refused; check host and port"
    ) as caught:
        enter(f"postgresql://me:{SECRET}@127.0.0.1:1/x")
    assert SECRET not in str(caught.value)


def test_a_wrong_password_and_a_missing_database_are_named_with_a_remedy(server) -> None:
    with pytest.raises(InputError, match=r"password authentication failed.*PGPASSWORD or ~/.pgpass") as caught:
        open_storage(server.url(password=SECRET))
    assert SECRET not in str(caught.value)
    with pytest.raises(InputError, match=r'database "nowhere" does not exist; create it with .*createdb'):
        open_storage(server.url("nowhere"))


def test_a_missing_driver_is_named_with_the_command_that_installs_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)  # as if it were not installed
    with pytest.raises(InputError, match=r"needs psycopg 3; pip install 'psycopg\[binary\]'"):
        open_storage("postgresql://me@127.0.0.1:1/x")


def test_tables_of_another_version_are_named_and_left_alone(server, tmp_path: Path) -> None:
    for where in (tmp_path, server.empty()):
        storage = open_storage(where)
        with storage.engine.begin() as connection:
            connection.execute(sqlalchemy.text("UPDATE alembic_version SET version_num = 'v99'"))
        with pytest.raises(InputError, match=r"is not for this version of Optuna: .*updating optuna"):
            open_storage(where)
        with storage.engine.begin() as connection:
            assert connection.execute(sqlalchemy.text("SELECT version_num FROM alembic_version")).scalar() == "v99"


def test_a_file_that_does_not_exist_is_not_made_by_who_only_reads_or_joins(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="does not exist; start a run first"):
        require_storage(storage_url(None, tmp_path))
    assert not list(tmp_path.iterdir())


def test_passwords_appear_in_no_text() -> None:
    text = f"python x --storage postgresql://me:{SECRET}@host/name --storage 'postgresql://host/n?user=me&password={SECRET}'"
    shown = without_password(text)
    assert SECRET not in shown
    assert "postgresql://me:***@host/name" in shown
    assert without_password("postgresql://me@host/name?sslmode=require") == "postgresql://me@host/name?sslmode=require"


def test_provenance_has_the_command_line_without_its_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["run_ablation.py", "--storage", f"postgresql://me:{SECRET}@host/name"])
    assert describe_run()["command_line"] == "python run_ablation.py --storage postgresql://me:***@host/name"


def test_joining_says_that_there_is_no_study_or_how_another_differs(
    make_run: Callable[..., StudyRun], tmp_path: Path
) -> None:
    def joining(**changes: object) -> StudyRun:
        return make_run(join=True, **changes)

    with pytest.raises(InputError, match="does not exist; start a run first"):
        run_study(joining())
    open_storage(make_run().settings.out)
    with pytest.raises(InputError, match=r"holds no study tiny-smoke-\w+; plan the study first"):
        run_study(joining())
    run_study(make_run(settings={"workers": 0}))
    with pytest.raises(InputError, match=r"tiny-smoke-\w+ has another base. Give the same arguments and images"):
        run_study(joining(train__validations=2))


@pytest.mark.parametrize(("planned", "joining"), [("cpu", "cuda"), ("cuda", "cpu")])
def test_a_plan_names_its_device_which_need_not_be_here_and_others_cannot_join(
    make_run: Callable[..., StudyRun], planned: str, joining: str
) -> None:
    """A cell's hash holds the device: a worker on another one would find none of the plan's cells and call it done."""

    def on(device: str, run: StudyRun) -> StudyRun:
        return replace(run, settings=replace(run.settings, device=torch.device(device), workers=0))

    name = run_study(on(planned, make_run()))
    with pytest.raises(InputError, match=rf"{name} has another device \({planned}, not {joining}\)\. Give the same"):
        run_study(on(joining, make_run(join=True)))


def test_two_studies_of_one_name_and_different_definitions_are_refused(make_run: Callable[..., StudyRun]) -> None:
    run = make_run(settings={"workers": 0})
    name = run_study(run)
    study = optuna.load_study(study_name=name, storage=open_storage(run.settings.out))
    study.set_user_attr("definition", study.user_attrs["definition"].replace("Does it run?", "Does it walk?"))
    for join in (False, True):
        with pytest.raises(InputError, match=f"{name} has another question than this run; rename one of the two"):
            run_study(make_run(join=join))


@pytest.mark.parametrize(("settings", "message"), [({"workers": -1}, "workers must"), ({"grace": 0}, "grace must")])
def test_impossible_settings_are_refused(settings: dict[str, int], message: str) -> None:
    with pytest.raises(InputError, match=f"{message} be at least"):
        RunSettings(Path("out"), torch.device("cpu"), **settings)


def test_who_comes_while_the_server_is_away_can_wait_for_it(server, capsys: pytest.CaptureFixture[str]) -> None:
    """As a worker that starts in that moment: its run has reached the server before."""
    url = server.empty()

    def enter() -> PatientStorage:
        with planning(url):
            return open_storage(url)

    def refuse() -> None:
        raise InputError("unusable")

    server.stop()
    starting = threading.Timer(2, server.start)
    starting.start()
    try:
        with pytest.raises(InputError, match="check host and port"):
            enter()
        assert not waiting_for_server(enter, url).get_all_studies()
    finally:
        starting.join()
    shown = capsys.readouterr().err
    assert "the storage does not answer" in shown
    assert "the storage is back after" in shown
    with pytest.raises(InputError, match="unusable"):  # is not asked again
        waiting_for_server(refuse, url)


def test_patience_has_an_end_which_is_told(server, monkeypatch: pytest.MonkeyPatch) -> None:
    storage = open_storage(server.empty())
    monkeypatch.setattr(storage_room, "PATIENCE_SECONDS", 1.0)
    server.stop()
    try:
        with pytest.raises(InputError, match=r"the storage has not answered for \d+ s .*run again to go on"):
            storage.get_all_studies()
    finally:
        server.start()
    assert storage.get_all_studies() == []


def test_a_faulty_request_is_not_repeated(server, capsys: pytest.CaptureFixture[str]) -> None:
    storage = open_storage(server.empty())
    with pytest.raises(KeyError):
        storage.get_trial(1)
    assert "does not answer" not in capsys.readouterr().err


def test_sqlite_opened_by_another_program_is_only_waited_for(tmp_path: Path) -> None:
    open_storage(tmp_path)
    with sqlite3.connect(tmp_path / FILE_NAME) as reader:
        assert reader.execute("SELECT count(*) FROM trials").fetchone() == (0,)
        optuna.create_study(storage=open_storage(tmp_path), study_name="x").enqueue_trial({})
        assert reader.execute("SELECT count(*) FROM trials").fetchone() == (1,)
