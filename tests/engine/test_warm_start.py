"""Training that starts from given weights: what is taken, what that makes of a cell's name, and going on."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from grla.analysis import load_trained
from grla.engine import USUAL, CellFolder, CellRun, StudyRun, TrainingJob, run_cell, run_study
from grla.engine.material import Material, cached, cell_hash, load_material
from grla.engine.storage import FILE_NAME
from grla.errors import InputError, Interrupted
from grla.report.results import DEFINITION, PROVENANCE, load_results, read_json, read_rows, write_rows
from grla.report.verify import identity_faults
from grla.spec import RunSpec, with_changes
from grla.study import Record, Study
from tests.engine.test_cell import Silent

CPU = torch.device("cpu")
MakeRun = Callable[..., StudyRun]
Find = Callable[[RunSpec], Material]


@pytest.fixture
def base(make_run: MakeRun) -> RunSpec:
    return make_run().cells()[0].spec


@pytest.fixture
def find(tmp_path: Path) -> Find:
    return cached(load_material, tmp_path / "cache", CPU)


def run(spec: RunSpec, find: Find, folder: Path, listener: Silent | None = None) -> Record:
    material = find(spec)
    return run_cell(CellRun(spec, material, CellFolder(folder), CPU, listener or Silent()), material)


@pytest.fixture
def trained(base: RunSpec, find: Find, tmp_path: Path) -> Path:
    """The weights of a cell with an average, which differs from its latest weights."""
    run(with_changes(base, {"train.ema_decay": 0.9}), find, tmp_path / "source")
    return tmp_path / "source" / "weights.pt"


def test_a_network_starts_from_the_average_that_was_scored(base: RunSpec, find: Find, trained: Path) -> None:
    spec = with_changes(base, {"train.init_from": str(trained), "seed": 3})
    started = TrainingJob(spec, USUAL, None).trainer(find(spec), CPU).model.state_dict()
    _, scored = load_trained(trained)
    assert all(torch.equal(value, started[name]) for name, value in scored.state_dict().items())


def test_the_content_names_a_cell_and_the_path_does_not(
    base: RunSpec, find: Find, trained: Path, tmp_path: Path
) -> None:
    def name(path: Path | str) -> str:
        spec = with_changes(base, {"train.init_from": str(path)})
        return cell_hash(spec, find(spec), CPU)

    weights = load_trained(trained)[1].state_dict()
    torch.save({"params": weights}, tmp_path / "elsewhere.pth")
    torch.save({**weights, "head.bias": weights["head.bias"] + 1}, tmp_path / "other.pth")
    assert name(tmp_path / "elsewhere.pth") == name(trained)
    assert len({name(""), name(trained), name(tmp_path / "other.pth")}) == 3
    assert name("") == cell_hash(base, load_material(base.data, 2, tmp_path / "cache", CPU), CPU)


def test_a_resumed_run_goes_on_with_its_own_weights(base: RunSpec, find: Find, trained: Path, tmp_path: Path) -> None:
    spec = with_changes(base, {"train.init_from": str(trained)})
    straight = run(spec, find, tmp_path / "straight")
    with pytest.raises(Interrupted):
        run(spec, find, tmp_path / "stopped", Silent(stop_at=0.5))
    resumed = run(spec, find, tmp_path / "stopped")
    assert [entry["loss"] for entry in resumed.history] == [entry["loss"] for entry in straight.history]
    assert resumed.images == straight.images != run(base, find, tmp_path / "cold").images


def test_what_does_not_fit_is_said_once_and_kept_with_the_cell(
    make_run: MakeRun, trained: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked = make_run(seeds=2, train__init_from=str(trained), model__upscale=3)
    found = load_results(asked.settings.storage_url, run_study(asked)).cells
    printed = capsys.readouterr().err
    reshaped = ["upsampler.0.weight (12x8x3x3, not 27x8x3x3)", "upsampler.0.bias (12, not 27)"]
    start = f"Training of base, kernel=relu starts from {trained}; reshaped: {', '.join(reshaped)}.\n"
    assert printed.count(start) == 1
    assert printed.count("starts from") == 2  # with depth=2, which lacks a block and more
    for row in found[found["variant"] == "base"].to_dict("records"):
        kept = asked.settings.out / "cells" / row["cell_hash"] / "misfit.json"
        assert json.loads(kept.read_text()) == {
            "missing": [],
            "unexpected": [],
            "reshaped": reshaped,
            "stripped": "",
            "left": [],
        }


def test_weights_that_do_not_fit_at_all_stop_before_anything_is_planned(make_run: MakeRun, tmp_path: Path) -> None:
    torch.save({"stem": torch.ones(3)}, tmp_path / "foreign.pt")
    run = make_run(train__init_from=str(tmp_path / "foreign.pt"))
    with pytest.raises(InputError, match="weights to start from must fit the network in part"):
        run_study(run)
    torch.save({"epoch": 3}, tmp_path / "foreign.pt")
    with pytest.raises(InputError, match=r"init_from .*foreign\.pt must hold a state dict"):
        run_study(run)
    assert not list(run.settings.out.glob("cells/*"))


def test_a_record_is_verified_without_the_file(make_run: MakeRun, tiny: Study, trained: Path) -> None:
    run = make_run(study=replace(tiny, factors=tiny.factors[:1]), train__init_from=str(trained))
    write_rows(load_results(run.settings.out / FILE_NAME, run_study(run)), run.folder)
    trained.unlink()
    definition, about = (read_json(run.folder / name) for name in (DEFINITION, PROVENANCE))

    def faults() -> list[str]:
        found = identity_faults(run.study, definition, about, read_rows(run.folder).cells)
        return [fault for fault in found if not fault.startswith("code ")]

    assert faults() == []
    about["image_checksums"]["initial"] = "0123456789abcdef"
    assert len(faults()) == 3  # the definition and both cells
