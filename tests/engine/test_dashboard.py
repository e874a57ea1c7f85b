"""What `optuna-dashboard` and TensorBoard show of a run, and that a real browser shows it."""

from __future__ import annotations

import csv
import io
import os
import sys
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple
from urllib.request import urlopen

import optuna
import pytest
import torch
from optuna.artifacts import FileSystemArtifactStore, get_all_artifact_meta
from PIL import Image
from playwright.sync_api import Page

from grla.engine import RunSettings, StudyRun, run_study
from grla.engine.dashboard import ARTIFACTS, Artifacts
from grla.engine.storage import open_storage
from grla.errors import InputError
from grla.report.figures.cell_files import CELL_FILES
from grla.study import load_study
from tests.shared import ABLATIONS
from tests.shared.browser import free_port, open_page, server

PARETO = "tuning: PSNR-Y against MACs"


class Finished(NamedTuple):
    """A run of the tiny study with its files, and its storage, which also holds a study of two objectives."""

    run: StudyRun
    name: str
    storage: optuna.storages.RDBStorage

    @property
    def trials(self) -> list[optuna.trial.FrozenTrial]:
        return optuna.load_study(study_name=self.name, storage=self.storage).trials

    def files(self, trial: optuna.trial.FrozenTrial) -> dict[str, bytes]:
        store = FileSystemArtifactStore(self.run.settings.out / ARTIFACTS)
        found = {}
        for meta in get_all_artifact_meta(trial, storage=self.storage):
            with store.open_reader(meta.artifact_id) as file:
                found[meta.filename] = file.read()
        return found


@pytest.fixture(scope="module")
def finished(crops: Path, tmp_path_factory: pytest.TempPathFactory) -> Finished:
    images = {"data.train": str(crops / "train"), "data.test": (str(crops / "test"),)}
    out = tmp_path_factory.mktemp("dashboard")
    settings = RunSettings(out, torch.device("cpu"))
    run = StudyRun(load_study("tiny", ABLATIONS), "smoke", settings, images, cell_files=CELL_FILES)
    name = run_study(run)
    storage = open_storage(out)
    pareto = optuna.create_study(storage=storage, study_name=PARETO, directions=["maximize", "minimize"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
        pareto.set_metric_names(["psnr_y_db", "macs_g"])
    for dim, psnr in ((8, 28.1), (16, 28.6), (24, 28.5), (32, 28.9)):
        distribution = {"dim": optuna.distributions.IntDistribution(8, 32)}
        pareto.add_trial(
            optuna.trial.create_trial(params={"dim": dim}, distributions=distribution, values=[psnr, dim / 10])
        )
    return Finished(run, name, storage)


def test_every_finished_cell_has_its_files(finished: Finished) -> None:
    for trial in finished.trials:
        files = finished.files(trial)
        assert sorted(files) == ["crops.png", "curve.png", "images.csv"]
        rows = list(csv.DictReader(io.StringIO(files["images.csv"].decode())))
        assert [row["image"] for row in rows] == ["colour", "gray"]
        assert sum(float(row["psnr_y"]) for row in rows) / 2 == pytest.approx(trial.value)
        for name in ("crops.png", "curve.png"):
            with Image.open(io.BytesIO(files[name])) as image:
                assert min(image.size) > 300
                assert len(image.convert("L").getcolors() or []) > 20


def test_cells_that_are_taken_over_keep_their_files(finished: Finished) -> None:
    other = replace(finished.run, study=replace(finished.run.study, question="Asked anew?"))
    name = run_study(other)
    assert name != finished.name
    again = finished._replace(run=other, name=name)
    assert [again.files(trial) for trial in again.trials] == [finished.files(trial) for trial in finished.trials]


def test_the_note_says_what_the_study_is(finished: Finished) -> None:
    study = optuna.load_study(study_name=finished.name, storage=finished.storage)
    attributes = finished.storage.get_study_system_attrs(study_id(finished, finished.name))
    note = "".join(str(value) for name, value in attributes.items() if "note_str" in name)
    assert note.startswith("# Does it run?\n\nSource: none, a test. Study `tiny`, profile `smoke`.")
    assert study.metric_names == ["psnr_y_db"]


def test_a_cell_without_results_has_fewer_files(tmp_path: Path) -> None:
    trial = optuna.create_study(storage=open_storage(tmp_path)).ask()
    Artifacts(tmp_path / "kept", CELL_FILES, tmp_path).keep(trial, {"images": [], "history": []}, tmp_path / "none")
    assert not get_all_artifact_meta(trial)


def test_a_picture_that_cannot_be_drawn_does_not_stop_the_study(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def broken(record: Mapping[str, Any], folder: Path, references: Path) -> bytes:
        raise ZeroDivisionError("no ink")

    trial = optuna.create_study(storage=open_storage(tmp_path)).ask()
    makers = {"curve.png": broken, "images.csv": lambda *_: b"psnr_y"}
    Artifacts(tmp_path / "kept", makers, tmp_path).keep(trial, {}, tmp_path)
    assert [meta.filename for meta in get_all_artifact_meta(trial)] == ["images.csv"]
    assert "curve.png of a cell could not be made: ZeroDivisionError: no ink" in capsys.readouterr().err


def test_pictures_of_another_size_than_the_base_s_are_left_out(finished: Finished, tmp_path: Path) -> None:
    for folder, size in (("hr", 40), ("cell", 30)):
        (tmp_path / folder).mkdir()
        Image.new("RGB", (size, size)).save(tmp_path / folder / "a-b.png")
    assert CELL_FILES["crops.png"]({"images": []}, tmp_path / "cell", tmp_path) is None


@pytest.mark.skipif(sys.platform == "win32", reason="needs a file in place of a folder")
def test_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    trial = optuna.create_study(storage=open_storage(tmp_path)).ask()
    with pytest.raises(InputError, match=r"cannot write artifacts to .*file"):
        Artifacts(tmp_path / "file", {"a.txt": lambda *_: b"a"}, tmp_path).keep(trial, {}, tmp_path)


@pytest.fixture(scope="module")
def dashboard(finished: Finished, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """As the command's last line says to start it."""
    program, port = Path(sys.executable).with_name("optuna-dashboard"), free_port()
    settings = finished.run.settings
    where = (settings.storage_url, "--artifact-dir", settings.shown_files)
    with server([program, *where, "--port", port], port, tmp_path_factory.mktemp("log") / "log") as address:
        yield address


def study_id(finished: Finished, name: str) -> int:
    return int(finished.storage.get_study_id_from_name(name))


def screenshot(page: Page, name: str) -> None:
    """Kept where $GRLA_SCREENSHOTS says, for people to look at."""
    if folder := os.environ.get("GRLA_SCREENSHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png")


def test_parameters_costs_and_outcome_are_columns(finished: Finished, dashboard: str) -> None:
    with urlopen(f"{dashboard}/csv/{study_id(finished, finished.name)}") as answer:
        header, *rows = csv.reader(io.StringIO(answer.read().decode()))
    assert len(rows) == 3
    for column in ("kernel", "depth", "seed", "outcome", "psnr_y", "num_params", "macs", "latency_ms", "steps"):
        assert any(column in name.lower() for name in header), header


def test_a_browser_shows_studies_history_pareto_front_and_pictures(finished: Finished, dashboard: str) -> None:
    with open_page() as page:
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url))
        page.goto(f"{dashboard}/dashboard/")
        for name in (finished.name, PARETO):
            page.get_by_text(name).first.wait_for()
        screenshot(page, "studies")

        page.goto(f"{dashboard}/dashboard/studies/{study_id(finished, finished.name)}")
        page.locator(".scatterlayer .point").first.wait_for()
        page.get_by_text("psnr_y_db").first.wait_for()
        screenshot(page, "history")
        page.goto(f"{dashboard}/dashboard/studies/{study_id(finished, finished.name)}/note")
        page.get_by_role("heading", name="Does it run?").wait_for()
        screenshot(page, "note")

        page.goto(f"{dashboard}/dashboard/studies/{study_id(finished, finished.name)}/trials?numbers=0")
        for words in ("kernel gaussian_rbf", "outcome ok", "crops.png", "curve.png", "images.csv"):
            page.get_by_text(words, exact=False).first.wait_for()
        page.wait_for_function("[...document.images].filter(i => i.complete && i.naturalWidth > 300).length >= 2")
        screenshot(page, "trial")

        page.goto(f"{dashboard}/dashboard/studies/{study_id(finished, PARETO)}")
        page.get_by_text("Pareto").first.wait_for()
        page.locator(".scatterlayer .point").nth(3).wait_for()
        screenshot(page, "pareto")
        assert {url for url in requests if not url.startswith((dashboard, "data:", "blob:"))} == set()


def test_a_browser_shows_tensorboard(finished: Finished, tmp_path: Path) -> None:
    program, port = Path(sys.executable).with_name("tensorboard"), free_port()
    command = [program, "--logdir", finished.run.folder / "cells", "--port", port, "--load_fast", "false"]
    with server(command, port, tmp_path / "log") as address, open_page() as page:
        page.goto(f"{address}/#timeseries")
        page.get_by_text("kernel=relu").first.wait_for()
        page.get_by_text("train").first.wait_for()
        screenshot(page, "tensorboard")
