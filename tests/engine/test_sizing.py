"""Variants sized to cost what the base costs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from grla.cost import count
from grla.engine import Matching, StudyRun, match_study, run_study, sizing
from grla.engine.sizing import dim_steps, nearest_dim
from grla.engine.storage import FILE_NAME
from grla.errors import InputError
from grla.model import build_on_meta
from grla.report.results import load_results
from grla.spec import EdsrLiteSpec, ModelSpec
from grla.study import Factor, Profile, Study, load_study, vary

CPU = torch.device("cpu")


@given(st.floats(1.0, 1e6), st.integers(1, 12), st.integers(1, 4), st.floats(0.5, 3))
def test_no_other_dim_is_nearer(wanted: float, step: int, multiple: int, exponent: float) -> None:
    least = step * multiple
    dim, ratio = nearest_dim(lambda d: d**exponent / wanted, step, least)
    assert dim % step == 0
    assert dim >= least
    others = [other for other in (dim - step, dim + step) if other >= least]
    assert all(abs(ratio - 1) <= abs(other**exponent / wanted - 1) for other in others)


def test_dims_suit_the_heads_of_the_layers_there_are() -> None:
    assert dim_steps(ModelSpec()) == (5, 10)
    assert dim_steps(ModelSpec(layers=("global",))) == (1, 2)
    assert dim_steps(ModelSpec(dim=60, num_heads=4, num_global_heads=6)) == (12, 12)


@pytest.mark.parametrize("measure", ["params", "macs"])
def test_a_deeper_network_is_made_narrower(tiny: Study, measure: sizing.Measure) -> None:
    """The nearest by exhaustive search, and the label tells the truth of it."""
    study = match_study(tiny, "smoke", {}, Matching(measure, CPU))
    first, _, last = study.cells("smoke", {})
    base, deeper = first.spec, last.spec
    (group,) = [group for group in study.layout("smoke", base).groups() if group.title == "depth"]
    (_, (label, _)) = group.rows

    def cost(model: ModelSpec) -> int:
        counts = count(build_on_meta(model), (1, 3, *(side // 2 for side in base.cost.count_output)))
        return counts.num_params if measure == "params" else counts.macs

    ratios = {dim: cost(replace(deeper.model, dim=dim)) / cost(base.model) for dim in range(4, 13, 2)}
    best = min(ratios, key=lambda dim: abs(ratios[dim] - 1))
    assert (base.model.dim, deeper.model.dim) == (8, best)
    assert best < 8
    assert label.startswith(f"2 dim {best} ({ratios[best] - 1:+.1%}")
    assert ("unmatched" in label) == (abs(ratios[best] - 1) > 0.02)


def test_a_matched_study_is_another_study(tiny: Study) -> None:
    study = match_study(tiny, "smoke", {}, Matching("macs", CPU))
    assert study.name == "tiny-matched-macs"
    assert "At equal MACs" in study.question
    cells = study.cells("smoke", {})
    assert cells[0].variant == "base"
    assert cells[0].spec == tiny.cells("smoke", {})[0].spec
    assert len(cells) == len(tiny.cells("smoke", {}))


def test_a_grid_stays_a_grid(tiny: Study) -> None:
    """Its factors can still be told apart: what one does is the mean over the others' levels."""
    study = match_study(replace(tiny, design="grid"), "smoke", {}, Matching("params", CPU))
    cells = study.cells("smoke", {})
    assert [cell.variant for cell in cells] == ["base", "depth=2", "kernel=relu", "kernel=relu, depth=2"]
    (group,) = study.layout("smoke", cells[0].spec).groups()
    labels = [label.split(" dim ")[0] for label, _ in group.rows]
    assert labels == ["gaussian_rbf, 1", "gaussian_rbf, 2", "relu, 1", "relu, 2"]
    specs = [cell.spec.model for cell in cells]
    assert [f"{spec.kernel.name}, {spec.depth}" for spec in specs] == labels
    assert {cell.variant: cell.spec.model.dim for cell in cells} == {
        variant: size.dim for variant, size in study.sizes.items()
    }


def test_what_has_no_dim_says_so(tiny: Study) -> None:
    models = Factor("model", {"GRLA": {}, "edsr": {"model": EdsrLiteSpec(2, 4, 1)}})
    study = match_study(replace(tiny, factors=(models,)), "smoke", {}, Matching("macs", CPU))
    (group,) = study.layout("smoke", study.cells("smoke", {})[0].spec).groups()
    assert [group.name(*row) for row in group.rows] == ["GRLA (base)", "edsr (not sized)"]


def test_studies_that_cannot_be_matched_are_refused(tiny: Study) -> None:
    with pytest.raises(InputError, match=r"varies model\.dim"):
        match_study(replace(tiny, factors=(vary("dim", "model.dim", 8, 16),)), "smoke", {}, Matching("macs", CPU))
    with pytest.raises(InputError, match="must not be 'panels'"):
        match_study(load_study("state_of_the_art"), "smoke", {}, Matching("macs", CPU))
    one, plain = (Factor("rate", {"as given": {}}),), {"smoke": Profile({}, 1, "seconds")}
    edsr = replace(tiny, base=replace(tiny.base, model=EdsrLiteSpec(2, 4, 1)), factors=one, profiles=plain)
    with pytest.raises(InputError, match="base must be GRLASR at equal cost"):
        match_study(edsr, "smoke", {}, Matching("macs", CPU))


def test_dims_found_by_latency_are_kept(tiny: Study, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Real timing once; what it found is taken again without timing."""
    matched = Matching("latency", CPU, tmp_path / "dims.json")
    found = match_study(tiny, "smoke", {}, matched)
    assert all(cell.spec.model.dim % 2 == 0 for cell in found.cells("smoke", {}))
    monkeypatch.setattr(sizing, "time_in_turns", None)
    assert match_study(tiny, "smoke", {}, matched).sizes == found.sizes
    for name, answer in (("card_name", "another card"), ("planned_path", "another path of attention")):
        with monkeypatch.context() as here:
            here.setattr(sizing, name, lambda *about, answer=answer: answer)
            with pytest.raises(TypeError):  # as it would be timed
                match_study(tiny, "smoke", {}, matched)


def test_a_matched_study_runs_and_its_rows_say_the_dim(make_run: Callable[..., StudyRun], tiny: Study) -> None:
    run = make_run()
    study = match_study(replace(tiny, factors=tiny.factors[1:]), "smoke", run.changes, Matching("params", CPU))
    name = run_study(replace(run, study=study))
    assert name.startswith("tiny-matched-params-smoke-")
    results = load_results(run.settings.out / FILE_NAME, name)
    (group,) = results.layout.groups()
    (_, (label, variant)) = group.rows
    assert variant == "depth=2"
    params = results.cells.set_index("variant")["num_params"]
    shown = float(label.split("(")[1].split("%")[0])
    assert 100 * (params[variant] / params["base"] - 1) == pytest.approx(shown, abs=0.051)
