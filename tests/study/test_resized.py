"""A study at equal cost, made again from what was recorded of it."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from grla.errors import InputError
from grla.study import (
    Changes,
    Factor,
    Layout,
    Study,
    layout_from_json,
    layout_to_json,
    levels_to_size,
    resized_study,
    vary,
    with_sizes,
)

WINDOWS = {"model.layers": ("window", "window"), "model.window_size": 8}


@pytest.fixture
def study(tiny: Study) -> Study:
    """Two factors, one of which changes a tuple, which JSON makes a list."""
    factors = (vary("kernel", "model.kernel", "gaussian_rbf", "relu"), Factor("layers", {"GRLA": {}, "w8": WINDOWS}))
    return replace(tiny, factors=factors, name="tiny", file="tiny")


def sized(study: Study) -> Study:
    """`study` at equal cost: every level but the base's with 12 channels and, in its label, with what was chosen."""
    factors = []
    for name, levels in levels_to_size(study, "smoke").items():
        base, *others = levels.items()
        factors.append(Factor(name, dict([base, *(_sized(label, changes) for label, changes in others)])))
    return with_sizes(replace(study, name="tiny_at_equal_macs"), "smoke", tuple(factors))


def _sized(label: str, changes: Changes) -> tuple[str, Changes]:
    return f"{label} dim 12 (+0.3%)", {**changes, "model.dim": 12}


def recorded(study: Study) -> Layout:
    """The study's layout as it comes back from a storage."""
    base = study.cells("smoke", {})[0].spec
    return layout_from_json(json.loads(json.dumps(layout_to_json(study.layout("smoke", base)))))


@pytest.mark.parametrize(
    ("design", "variants"),
    [
        ("one_at_a_time", ["base", "kernel=relu dim 12 (+0.3%)", "layers=w8 dim 12 (+0.3%)"]),
        (
            "grid",
            [
                "base",
                *(
                    f"kernel x layers={level} dim 12 (+0.3%)"
                    for level in ("gaussian_rbf, w8", "relu, GRLA", "relu, w8")
                ),
            ],
        ),
    ],
)
def test_the_cells_are_those_that_were_run(study: Study, design: str, variants: list[str]) -> None:
    study = replace(study, design=design)
    run = sized(study)
    again = resized_study(study, recorded(run))
    assert again.name == "tiny_at_equal_macs"
    assert again.cells("smoke", {}, seeds=2) == run.cells("smoke", {}, seeds=2)
    cells = again.cells("smoke", {})
    assert [cell.variant for cell in cells] == variants
    assert [cell.spec.model.dim for cell in cells] == [8, *[12] * (len(cells) - 1)]
    assert cells[-1].spec.model.layers == ("window", "window")


def test_what_the_file_says_today_counts_and_not_what_was_recorded(study: Study) -> None:
    """A base that is new in the file is taken over; only the dims come from the record."""
    layout = recorded(sized(study))
    deeper = replace(study, base=replace(study.base, seed=7, train=replace(study.base.train, learning_rate=0.1)))
    assert {cell.spec.train.learning_rate for cell in resized_study(deeper, layout).cells("smoke", {})} == {0.1}


@pytest.mark.parametrize("design", ["one_at_a_time", "grid"])
def test_a_level_that_the_file_no_longer_has_is_named(study: Study, design: str) -> None:
    study = replace(study, design=design)
    layout = recorded(sized(study))
    other = replace(study, factors=(vary("kernel", "model.kernel", "gaussian_rbf", "softmax"), study.factors[1]))
    with pytest.raises(InputError, match=r"level 'relu.* dim 12 \(\+0.3%\)' .*must, without its model.dim, be one"):
        resized_study(other, layout)


def test_a_factor_that_the_file_no_longer_has_is_named_by_its_level(study: Study) -> None:
    layout = recorded(sized(study))
    with pytest.raises(InputError, match=r"level 'GRLA' of a study at equal cost"):
        resized_study(replace(study, factors=study.factors[:1]), layout)
