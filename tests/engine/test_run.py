"""From a finished storage to the files a reader opens."""

from __future__ import annotations

import inspect
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from grla.engine import StudyRun, run_study
from grla.engine.storage import FILE_NAME
from grla.errors import InputError
from grla.report.kinds.study import publish
from grla.report.results import CELL_COLUMNS, IMAGE_COLUMNS, cell_folder, load_results
from grla.study import Study
from grla.training import StepStats, Trainer

MakeRun = Callable[..., StudyRun]


@pytest.fixture
def published(make_run: MakeRun) -> tuple[StudyRun, str]:
    run = make_run(seeds=2)
    name = run_study(run)
    publish(run.settings.out / FILE_NAME, name, run.folder)
    return run, name


def test_everything_promised_is_there_and_agrees(published: tuple[StudyRun, str]) -> None:
    run, name = published
    cells, images = (pd.read_csv(run.folder / f"{table}.csv") for table in ("cells", "images"))
    assert list(cells) == ["cell_hash", "study", "variant", "kernel", "depth", "seed", *CELL_COLUMNS]
    assert list(images) == ["cell_hash", "variant", "kernel", "depth", "seed", *IMAGE_COLUMNS]
    means = images[images["variant"] != "bicubic"].groupby("cell_hash")["psnr_y"].mean()
    for cell in cells.itertuples():
        assert cell.psnr_y == pytest.approx(means[cell.cell_hash])
    other = ["reason", "execution", "gpu", "attention_path", "depth"]  # empty texts, in a file as nothing; and a label
    stored = load_results(run.settings.out / FILE_NAME, name).cells
    pd.testing.assert_frame_equal(cells.drop(columns=other), stored.drop(columns=other), check_dtype=False)
    for figure in ("psnr", "difference", "cost", "curves", "crops"):
        with Image.open(run.folder / f"{figure}.png") as image:
            assert min(image.size) > 300
            assert np.asarray(image.convert("L")).std() > 5  # not blank
        assert "<svg" in (run.folder / f"{figure}.svg").read_text(encoding="utf-8")[:2000]
    summary = (run.folder / "summary.md").read_text(encoding="utf-8")
    assert summary.startswith("# tiny: Does it run?")
    for part in ("## kernel", "## depth", "gaussian_rbf (base)", "| bicubic", "6 steps of 2 patches of 8x8", "2 seeds"):
        assert part in summary
    assert f"{cells.loc[cells['variant'] == 'kernel=relu', 'psnr_y'].mean():.3f}" in summary


def test_what_was_trained_on_is_said_in_the_summary(make_run: MakeRun, tiny: Study, crops: Path, capsys) -> None:
    test = (str(crops / "train"), str(crops / "test"))
    run = make_run(study=replace(tiny, factors=tiny.factors[:1]), data__test=test, data__allow_overlap=True)
    publish(run.settings.out / FILE_NAME, run_study(run), run.folder)
    said = (
        "Overlap: 4 test images were trained or validated on, so their scores say little of other images: 0 of train,"
    )
    assert said in (run.folder / "summary.md").read_text(encoding="utf-8").replace("\n", " ")
    assert f"train: 4 HR images in {crops}/train, LR made by bicubic reduction" in capsys.readouterr().out.splitlines()


def test_reports_of_failures_and_nothing_else_are_still_written(make_run: MakeRun, tiny: Study) -> None:
    run = make_run(train__learning_rate=1e38)
    publish(run.settings.out / FILE_NAME, run_study(run), run.folder)
    cells = pd.read_csv(run.folder / "cells.csv")
    assert set(cells["outcome"]) == {"diverged"}
    summary = (run.folder / "summary.md").read_text(encoding="utf-8")
    assert "Cells that did not finish" in summary
    assert "last finite loss" in summary
    assert not list(run.folder.glob("*.png"))


def test_a_grid_makes_one_table(make_run: MakeRun, tiny: Study) -> None:
    run = make_run(study=replace(tiny, design="grid"))
    publish(run.settings.out / FILE_NAME, run_study(run), run.folder)
    summary = (run.folder / "summary.md").read_text(encoding="utf-8")
    assert "## kernel x depth" in summary
    assert "relu, 2" in summary


def test_a_missing_storage_or_study_is_named(published: tuple[StudyRun, str], tmp_path: Path) -> None:
    run, _ = published
    with pytest.raises(InputError, match="does not exist; run a study first"):
        load_results(tmp_path / "none.db", "x")
    with pytest.raises(InputError, match="holds no study 'x'"):
        load_results(run.settings.out / FILE_NAME, "x")


def test_a_cell_s_trip_to_the_optimiser_is_short(make_run: Callable[..., StudyRun], monkeypatch) -> None:
    """The frames that a reader goes through: with `main` before them and `train_step` after them, nine."""
    trips, original = set(), Trainer.train_step

    def counting(trainer: Trainer) -> StepStats:
        names = [frame.function for frame in inspect.stack()]
        if "fit" in names:
            trips.add(tuple(reversed(names[1 : names.index("run_study") + 1])))
        return original(trainer)

    monkeypatch.setattr(Trainer, "train_step", counting)
    run_study(make_run())
    assert trips == {("run_study", "work", "run_claimed", "run_cell", "train", "_train", "fit")}


def test_where_cells_lie_is_written_as_it_was_given_and_found_from_anywhere(
    make_run: Callable[..., StudyRun], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    given = {"shared": "../../../shared/cells", str(tmp_path / "shared"): str(tmp_path / "shared" / "cells")}
    for artifacts, written in given.items():
        run = make_run(settings={"artifacts": artifacts, "workers": 0})
        run_study(run)
        assert json.loads((run.folder / "provenance.json").read_text())["cells_folder"] == written
        assert cell_folder(run.folder, "abc").resolve() == tmp_path / "shared" / "cells" / "abc"
