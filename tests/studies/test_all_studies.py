"""Every study of the project: buildable in each profile, priced as published at full size, and run in smoke."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from grla.cost import Counts, count
from grla.engine import StudyRun, run_study
from grla.engine.storage import FILE_NAME
from grla.model import build_on_meta
from grla.report.kinds.study import publish
from grla.report.results import load_results
from grla.spec import EdsrLiteSpec, OutsideSpec
from grla.study import Factor, Study, load_study, study_names

NAMES = study_names()
EVERY = os.environ.get("GRLA_ALL") == "1"
"""Train every study, not only a few among which there is every design and kind of data."""
PROFILES = ("smoke", "quick", "standard", "paper")

# GRLA paper by study and variant at full size: parameters in K, published "FLOPs" in G (None: not published).
PUBLISHED = {
    ("kernels", "base"): (885.3, 56.5),
    ("kernels", "kernel=mala"): (922.3, 58.7),
    ("kernels", "kernel=relu"): (885.3, None),
    ("key_term", "base"): (885.3, 56.5),
    ("gamma", "gamma=1/16"): (885.3, 56.5),
    ("state_of_the_art", "base"): (885.3, 56.5),
    ("state_of_the_art", "upscale=x2"): (867.5, 213.5),
    ("state_of_the_art", "upscale=x3"): (874.9, 94.9),
    ("tla", "base"): (885.3, 56.5),
    ("channels", "channels=45"): (600.6, 39.2),
    ("channels", "channels=65"): (1225.0, 77.2),
    ("depth", "depth=4"): (594.7, 37.9),
    ("depth", "depth=5"): (738.5, 47.2),
    ("depth", "depth=7"): (1035.2, 66.1),
    ("aggregation", "aggregation=off"): (824.6, 53.0),
    ("full_grbfla", "base"): (867.5, 213.5),
    ("full_grbfla", "layers=full GRBFLA"): (867.5, 199.2),
    ("large", "size=GRLA-L"): (7647.0, 468.2),
    ("window_size", "attention=window 8"): (885.3, 53.1),
    ("window_size", "attention=window 10"): (885.3, 52.8),
    ("window_size", "attention=window 12"): (885.3, 54.3),
    ("window_size", "attention=window 14"): (885.3, 55.6),
    ("window_size", "attention=window 16"): (885.3, 59.3),
}


def test_the_studies_of_the_paper_are_all_there() -> None:
    tables = {1, 2, 3, 4, 5, 6, 7, 8, 9, 11}
    sources = " ".join(load_study(name).source for name in NAMES)
    assert all(f"table {number}" in sources for number in tables)
    assert "figure 7" in sources
    assert "figure 8" in sources
    assert {"attention", "norms", "span"} <= set(NAMES)


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", NAMES)
def test_every_cell_can_be_built(name: str, profile: str) -> None:
    study = load_study(name)
    cells = study.cells(profile, {}, seeds=1)
    assert len(cells) > 1 or name in ("shipped", "full")  # which train one network and compare nothing
    assert cells[0].variant == "base"
    assert len({cell.spec for cell in cells}) == len(cells) == len({cell.variant for cell in cells})
    for cell in cells:
        build_on_meta(cell.spec.model)


@pytest.mark.parametrize(("name", "variant"), PUBLISHED)
def test_full_size_cells_cost_what_is_published(name: str, variant: str) -> None:
    params, hook_flops = PUBLISHED[name, variant]
    cells = {cell.variant: cell for cell in load_study(name).cells("paper", {}, seeds=1)}
    counts = full_size_counts(cells[variant].spec)
    assert counts.num_params / 1e3 == pytest.approx(params, rel=0.002)
    if hook_flops is not None:
        assert counts.hook_flops / 1e9 == pytest.approx(hook_flops, rel=0.002)


def full_size_counts(spec) -> Counts:
    height, width = (side // spec.model.upscale for side in spec.cost.count_output)
    return count(build_on_meta(spec.model), (1, 3, height, width))


def few_of_each_kind() -> list[str]:
    """Small studies that compare, among which there is every design and every kind of data."""
    studies = [load_study(name) for name in NAMES]
    kinds = {study.name: {study.design, type(study.base.data)} for study in studies}
    sizes = {study.name: len(study.cells("smoke", {})) for study in studies}
    missing: set[object] = set().union(*kinds.values())
    chosen = []
    while missing:
        # The study that adds most, of those the one with the fewest cells.
        comparing = (name for name in NAMES if sizes[name] > 1)
        chosen.append(min(comparing, key=lambda name: (-len(kinds[name] & missing), sizes[name])))
        missing -= kinds[chosen[-1]]
    return sorted(chosen)


@pytest.mark.parametrize("name", NAMES if EVERY else few_of_each_kind())
def test_studies_run_in_smoke(name: str, make_run: Callable[..., StudyRun]) -> None:
    run = make_run(study=load_study(name))
    study_name = run_study(run)
    publish(run.settings.out / FILE_NAME, study_name, run.folder)
    cells = load_results(run.settings.out / FILE_NAME, study_name).cells
    assert cells["variant"].tolist() == [cell.variant for cell in run.cells()]
    assert set(cells["outcome"]) <= {"ok", "diverged"}
    assert (cells["outcome"] == "ok").sum() > len(cells) / 2
    assert (run.folder / "summary.md").stat().st_size > 1000


def test_span_scores_the_same_weights_in_two_ways(make_run: Callable[..., StudyRun]) -> None:
    run = make_run(study=load_study("span"))
    curves = load_results(run.settings.out / FILE_NAME, run_study(run)).curves.set_index("variant")
    assert curves.loc["base", "loss"].tolist() == curves.loc["span=tiles of 8", "loss"].tolist()
    psnr = load_results(run.settings.out / FILE_NAME, run_study(run)).cells.set_index("variant")["psnr_y"]
    assert psnr["base"] != psnr["span=tiles of 8"]


PEER = """
import torch
CHANNELS = 4
def small(upscale):
    layers = torch.nn.Conv2d(3, CHANNELS, 3, padding=1), torch.nn.Conv2d(CHANNELS, 3 * upscale**2, 3, padding=1)
    return torch.nn.Sequential(*layers, torch.nn.PixelShuffle(upscale))
"""


@pytest.fixture
def peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    (tmp_path / "outside_peer.py").write_text(PEER)
    monkeypatch.syspath_prepend(str(tmp_path))
    return "outside_peer:small"


def test_baselines_are_trained_and_priced_in_the_same_table(
    make_run: Callable[..., StudyRun], tiny: Study, peer: str
) -> None:
    models = {"GRLA": {}, "edsr_lite": {"model": EdsrLiteSpec(2, 4, 1)}, "peer": {"model": OutsideSpec(peer, 2)}}
    run = make_run(study=replace(tiny, factors=(Factor("model", models),)))
    cells = load_results(run.settings.out / FILE_NAME, run_study(run)).cells.set_index("variant")
    assert set(cells["outcome"]) == {"ok"}
    assert cells.loc["model=peer", "num_params"] == 4 * 27 + 4 + 12 * 36 + 12
    assert cells.loc["model=peer", "macs"] == 16 * 16 * (4 * 27 + 12 * 36)
    assert pd.notna(cells.loc[:, ["psnr_y", "latency_ms", "train_seconds"]]).all().all()
