"""The recall probe in the engine: scored where values were blanked, beside exact baselines, by number of pairs."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from grla.engine import StudyRun, run_study
from grla.engine.material import load_material
from grla.engine.storage import FILE_NAME
from grla.errors import InputError
from grla.report.kinds.study import publish
from grla.report.results import load_results
from grla.spec import RecallSpec, RunSpec
from grla.study import RECALL, Factor, Profile, Study, load_study

CPU = torch.device("cpu")
MakeRun = Callable[..., StudyRun]


@pytest.fixture
def probe(make_run: MakeRun) -> StudyRun:
    study = load_study("recall")
    kernels = Factor("kernel", {name: {"model.kernel": name} for name in ("gaussian_rbf", "softmax")})
    smoke = study.profiles["smoke"]
    profile = replace(smoke, factors=(*smoke.factors, kernels))
    return make_run(study=replace(study, profiles={"smoke": profile}))


def test_a_probe_is_scored_inside_and_outside_beside_its_baselines(probe: StudyRun) -> None:
    name = run_study(probe)
    results = publish(probe.settings.out / FILE_NAME, name, probe.folder)
    images, cells = results.images, results.cells
    assert list(images["test_set"].unique()) == ["2 pairs", "4 pairs", "8 pairs", "16 pairs"]
    assert images[images["seed"].isna()].groupby("variant").size().to_dict() == {
        "no look": 128,
        "best guess that ignores keys": 128,
    }
    trained = images[images["seed"].notna()]
    assert np.isfinite(trained[["psnr_y", "mse", "psnr_y_outside"]].to_numpy(float)).all()
    assert images["ssim_y"].isna().all()
    assert cells["ssim_y"].isna().all()
    features = dict(zip(cells["variant"], cells["num_features"], strict=True))
    assert features["base"] == 9
    assert np.isnan(features["kernel=softmax"])
    blind = images[images["variant"] == "no look"].groupby("test_set")["mse"].mean()
    assert blind.between(0.07, 0.1).all()
    summary = (probe.folder / "summary.md").read_text()
    for part in (
        "| no look",
        "| best guess that ignores keys",
        "over no look dB",
        "MSE (RGB)",
        "PSNR-Y outside dB",
        "2 pairs dB",
        "a probe",
    ):
        assert part in summary
    assert "SSIM-Y |" not in summary
    assert (probe.folder / "recall.png").is_file()
    kept = sorted(path.name for path in (probe.folder / "images" / "no look").iterdir())
    assert kept[0].startswith("16 pairs")
    assert kept[1].startswith("2 pairs")


def bare(study: Study) -> dict[str, Profile]:
    """The smoke profile without levels of its own."""
    return {"smoke": replace(study.profiles["smoke"], factors=())}


def test_a_probe_repeats_to_the_bit(probe: StudyRun, tmp_path: Path) -> None:
    study = load_study("recall")
    one = Factor("kernel", {"gaussian_rbf": {}})
    probe = replace(probe, study=replace(study, factors=(one,), design="one_at_a_time", profiles=bare(study)))
    first = load_results(probe.settings.out / FILE_NAME, run_study(probe)).images
    again = replace(probe, settings=replace(probe.settings, out=tmp_path / "again"))
    second = load_results(again.settings.out / FILE_NAME, run_study(again)).images
    assert first.equals(second)


def test_settings_have_baselines_of_their_own(make_run: MakeRun) -> None:
    study = load_study("recall")
    settings = Factor("setting", {"16x16": {}, "few": {"data.num_pairs": (2,)}})
    kernels = Factor("kernel", {"gaussian_rbf": {}, "relu": {"model.kernel": "relu"}})
    profile = replace(study.profiles["smoke"], factors=(settings, kernels))
    run = make_run(study=replace(study, profiles={"smoke": profile}))
    images = load_results(run.settings.out / FILE_NAME, run_study(run)).images
    assert images.loc[images["seed"].isna()].groupby("test_images").size().tolist() in ([256, 64], [64, 256])
    kinds = images.groupby("variant")["test_images"].nunique()
    assert kinds["base"] == kinds["setting=few"] == 1


def test_the_material_of_a_probe_is_named_by_what_is_drawn(tmp_path: Path) -> None:
    first, same, other = (
        load_material(data, 2, tmp_path, CPU) for data in (RecallSpec(), RecallSpec(), RecallSpec(texture=0.1))
    )
    assert first.checksums == same.checksums
    assert set(first.checksums) == {"training", "validation", *(f"test:{n} pairs" for n in (2, 4, 8, 16))}
    assert all(first.checksums[name] != other.checksums[name] for name in first.checksums)
    assert first.test_images != other.test_images
    assert json.dumps(first.checksums)


def test_photographs_cannot_be_asked_of_a_probe(make_run: MakeRun) -> None:
    run = make_run(study=load_study("recall"), data__train="DIV2K")
    with pytest.raises(InputError, match=r"study 'recall', profile 'smoke': RecallSpec has no field 'train'"):
        run.cells()


def test_the_probe_is_the_pilots_network() -> None:
    """Four global layers of 32 channels, one head, MSE, gradients clipped at 1 (paper notes, section 5)."""
    assert isinstance(RECALL, RunSpec)
    assert RECALL.train.loss == "mse"
    assert RECALL.train.clip_norm == 1.0
