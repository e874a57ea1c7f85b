from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from grla.errors import InputError
from grla.spec import Budget, KernelSpec
from grla.study import Factor, Profile, Study, load_study, study_names, vary
from tests.shared import ABLATIONS


def test_one_at_a_time_varies_one_factor_around_the_base(tiny: Study) -> None:
    cells = tiny.cells("smoke", {})
    assert [cell.variant for cell in cells] == ["base", "kernel=relu", "depth=2"]
    assert [(cell.spec.model.kernel.name, cell.spec.model.depth) for cell in cells] == [
        ("gaussian_rbf", 1),
        ("relu", 1),
        ("gaussian_rbf", 2),
    ]
    assert cells[0].levels == {"kernel": "gaussian_rbf", "depth": "1"}


def test_a_grid_takes_every_combination_once(tiny: Study) -> None:
    cells = replace(tiny, design="grid").cells("smoke", {})
    assert [cell.variant for cell in cells] == ["base", "depth=2", "kernel=relu", "kernel=relu, depth=2"]


def test_seeds_come_outside_so_that_partial_results_cover_all_variants(tiny: Study) -> None:
    cells = tiny.cells("smoke", {}, seeds=2)
    assert [(cell.variant, cell.spec.seed) for cell in cells[:4]] == [
        ("base", 0),
        ("kernel=relu", 0),
        ("depth=2", 0),
        ("base", 1),
    ]


def test_cells_that_are_compared_have_the_same_budget() -> None:
    for name in study_names():
        study = load_study(name)
        for profile in study.profiles:
            budgets: dict[str, set[Budget]] = {}
            for cell in study.cells(profile, {}):
                panel = cell.levels[study.factors[0].name] if study.design == "panels" else ""
                budgets.setdefault(panel, set()).add(cell.spec.train.budget)
            assert all(len(same) == 1 for same in budgets.values()), (name, profile, budgets)


def test_the_default_study_asks_what_it_should() -> None:
    study = load_study("attention")
    variants = {cell.variant for cell in study.cells("quick", {})}
    assert {"base", "kernel=softmax", "kernel=relu", "kernel=uniform", "kernel=none"} <= variants
    assert {"depth=2", "norm=layer", "norm=none"} <= variants
    assert {cell.spec.seed for cell in study.cells("quick", {})} == {0, 1}


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"factors": (vary("depth", "model.deptth", 1, 2),)}, "ModelSpec has no field 'deptth'"),
        ({"factors": (vary("depth", "model.depth", 2, 3),)}, "factor 'depth': the base must be at one of .* 2, 3"),
        ({"factors": (vary("window", "model.window_size", 4, 0),)}, "model.window_size must be .* got 0"),
        ({"factors": (vary("dim", "model.dim", 8, 9),)}, r"model.num_heads must divide model.dim \(9\)"),
        (
            {"profiles": {"smoke": Profile({}, 1, "", (vary("norm", "model.norm", "batch"),))}},
            "must be the study's or search's",
        ),
    ],
)
def test_a_study_that_cannot_be_is_refused_by_name_and_field(tiny: Study, changes: dict, message: str) -> None:
    with pytest.raises(InputError, match=f"(?s)study 'tiny'.*{message}"):
        replace(tiny, **changes).cells("smoke", {})


def test_unknown_profiles_seeds_and_studies_are_refused(tiny: Study) -> None:
    with pytest.raises(InputError, match="profile must be one of smoke, got 'huge'"):
        tiny.cells("huge", {})
    with pytest.raises(InputError, match="seeds must be at least 1, got 0"):
        tiny.cells("smoke", {}, seeds=0)
    with pytest.raises(InputError, match="study must be one of aggregation, attention, "):
        load_study("atention")
    with pytest.raises(InputError, match="levels must not be empty"):
        Factor("depth", {})


def test_a_file_that_exports_something_else_is_named(tmp_path: Path) -> None:
    (tmp_path / "wrong.py").write_text("STUDY = 3\n")
    with pytest.raises(InputError, match=r"wrong.py must export STUDY, a Study, got int"):
        load_study("wrong", tmp_path)


def test_kernel_levels_may_carry_options(tiny: Study) -> None:
    levels = ("gaussian_rbf", KernelSpec("gaussian_rbf", {"gamma": 0.25}))
    study = replace(tiny, factors=(vary("kernel", "model.kernel", *levels),))
    assert [cell.variant for cell in study.cells("smoke", {})] == ["base", "kernel=gaussian_rbf(gamma=0.25)"]


def test_a_level_may_change_several_fields(tiny: Study) -> None:
    windows = {"model.layers": ("window", "window"), "model.window_size": 8}
    study = replace(tiny, factors=(Factor("attention", {"GRLA": {}, "window 8": windows}),))
    base, variant = study.cells("smoke", {})
    assert base.levels == {"attention": "GRLA"}
    assert variant.variant == "attention=window 8"
    assert (variant.spec.model.layers, variant.spec.model.window_size) == (("window", "window"), 8)


def test_a_file_may_hold_dataclasses_with_postponed_annotations(tmp_path: Path) -> None:
    source = (ABLATIONS / "tiny.py").read_text(encoding="utf-8")
    lines = (
        "from __future__ import annotations",
        "from dataclasses import dataclass",
        "@dataclass",
        "class Own:",
        "    x: int",
    )
    (tmp_path / "own.py").write_text("\n".join(lines) + "\n" + source)
    assert load_study("own", tmp_path).name == "own"


def test_a_study_is_what_its_file_exports_not_what_its_text_looks_like(tmp_path: Path) -> None:
    source = (ABLATIONS / "tiny.py").read_text(encoding="utf-8")
    (tmp_path / "made.py").write_text(
        source.replace("STUDY = Study(", "_made = Study(") + "\nglobals()['STUDY'] = _made\n"
    )
    assert load_study("made", tmp_path).question == "Does it run?"
