"""A run that was just made matches its study, its rows and its storage; what is changed afterwards does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from grla.engine import Matching, StudyRun, match_study, run_study
from grla.engine.storage import FILE_NAME
from grla.report import verify
from grla.report.folder import document_faults
from grla.report.kinds.study import document, publish
from grla.report.results import (
    DEFINITION,
    PROVENANCE,
    load_results,
    own_storage,
    read_json,
    read_rows,
    write_rows,
)
from grla.report.verify import identity_faults, recorded_study, row_faults
from grla.study import Study, rates_study, vary
from grla.study.layout import Combination

MakeRun = Callable[..., StudyRun]


def identity(run: StudyRun) -> list[str]:
    """The faults, but for those of the code under test: it may have changes that are not committed."""
    definition, about = (read_json(run.folder / name) for name in (DEFINITION, PROVENANCE))
    found = identity_faults(run.study, definition, about, read_rows(run.folder).cells)
    return [fault for fault in found if not fault.startswith("code ")]


def test_a_fresh_run_matches_until_its_rows_are_changed(make_run: MakeRun, tiny: Study) -> None:
    run = make_run(seeds=2, study=replace(tiny, factors=tiny.factors[:1]))
    folder = run.folder
    publish(run.settings.out / FILE_NAME, run_study(run), folder)
    assert own_storage(folder) is not None
    assert identity(run) == []
    assert row_faults(folder) + document_faults(document(folder), folder) == []
    cells = folder / "cells.csv"
    cells.write_text(cells.read_text().replace(",ok,", ",ok,changed by hand", 1))
    assert row_faults(folder) == ["cells.csv: is not what the storage holds"]


def rows_of(run: StudyRun) -> StudyRun:
    """The run with its rows written, and nothing drawn."""
    write_rows(load_results(run.settings.out / FILE_NAME, run_study(run)), run.folder)
    return run


def test_cells_of_panels_are_named_by_images_of_their_own(make_run: MakeRun, tiny: Study) -> None:
    factors = (vary("upscale", "model.upscale", 2, 3), vary("kernel", "model.kernel", "gaussian_rbf"))
    run = rows_of(make_run(study=replace(tiny, factors=factors, design="panels")))
    about = read_json(run.folder / PROVENANCE)
    assert len(about["other_images"]) == 1
    assert about["other_images"] != [about["image_checksums"]]
    assert identity(run) == []


def test_a_base_that_was_changed_in_pairs_and_stages_is_the_recorded_one(make_run: MakeRun, tiny: Study) -> None:
    """JSON has lists where specs have tuples."""
    changes = {"cost__latency_input": (6, 8), "data__stages": ((2, 12, 2), (4, 16, 1))}
    run = rows_of(make_run(study=replace(tiny, factors=tiny.factors[:1]), **changes))
    assert read_json(run.folder / PROVENANCE)["base_changes"]["data.stages"] == [[2, 12, 2], [4, 16, 1]]
    assert identity(run) == []


def test_a_study_that_was_changed_since_is_found(make_run: MakeRun, tiny: Study) -> None:
    run = rows_of(make_run(study=replace(tiny, factors=tiny.factors[:1])))
    assert identity(run) == []
    other = replace(run.study, factors=(vary("kernel", "model.kernel", "gaussian_rbf", "elu"),))
    found = identity(replace(run, study=other))
    assert found[0] == "factor kernel: had the levels ['gaussian_rbf', 'relu'], now ['gaussian_rbf', 'elu']"
    assert found[1].endswith("(kernel=relu, seed 0): the study's file does not define it")
    (gone,) = identity(replace(run, study=replace(run.study, profiles={})))
    assert gone.startswith("study.json: the study's file does not give such cells any more")


def test_a_run_with_a_base_of_its_own_matches(make_run: MakeRun, tiny: Study) -> None:
    run = rows_of(make_run(study=replace(tiny, factors=tiny.factors[:1]), model__mlp_ratio=1.5))
    assert read_json(run.folder / PROVENANCE)["base_changes"] == {"model.mlp_ratio": 1.5}
    assert identity(run) == []
    path = run.folder / PROVENANCE
    path.write_text(path.read_text().replace('"model.mlp_ratio": 1.5', ""))
    assert identity(run) == ["model.mlp_ratio: was 1.5, the study's file now says 2.0"]


@pytest.mark.parametrize("design", ["one_at_a_time", "grid"])
def test_a_run_at_equal_cost_is_known_by_its_recorded_widths(
    make_run: MakeRun, tiny: Study, design: Combination, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = replace(tiny, design=design)
    run = rows_of(make_run(study=match_study(study, "smoke", {}, Matching("macs", torch.device("cpu")))))
    monkeypatch.setattr(verify, "load_study", {"tiny": study}.__getitem__)
    found = recorded_study(run.folder)
    assert found.sizes == run.study.sizes
    assert len(found.sizes) == (4 if design == "grid" else 3)
    assert identity(replace(run, study=found)) == []
    path = run.folder / DEFINITION
    path.write_text(path.read_text().replace('"dim": 6', '"dim": 10'))
    definition, *cells = identity(replace(run, study=recorded_study(run.folder)))
    assert definition.startswith("definition: its hash is not")
    assert all(cell.endswith("is not the hash of its spec, images, protocol, device and source") for cell in cells)
    assert len(cells) == sum(size.dim == 6 for size in run.study.sizes.values()) > 0


def test_rates_that_are_tried_at_equal_cost_are_known_by_the_widths_of_their_levels(
    make_run: MakeRun, tiny: Study, monkeypatch: pytest.MonkeyPatch
) -> None:
    study = replace(tiny, factors=tiny.factors[1:])
    matched = match_study(study, "smoke", {}, Matching("macs", torch.device("cpu")))
    base = make_run(study=matched).cells()[0].spec
    run = rows_of(make_run(study=rates_study(matched, "smoke", base, (1e-3, 2e-3))))
    monkeypatch.setattr(verify, "load_study", {"tiny": study}.__getitem__)
    found = recorded_study(run.folder)
    assert found.name == "tiny-matched-macs_rates"
    assert identity(replace(run, study=found)) == []
