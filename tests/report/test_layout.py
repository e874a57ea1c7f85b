from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from grla.errors import InputError
from grla.study import Layout
from tests.shared import factor


def test_variant_names_what_differs_from_the_base(layout: Layout) -> None:
    assert layout.variant({}) == "base"
    assert layout.variant({"kernel": "gaussian_rbf", "depth": "4"}) == "base"
    assert layout.variant({"depth": "1", "kernel": "relu"}) == "kernel=relu, depth=1"


def test_one_at_a_time_has_a_group_per_factor_each_with_the_base(layout: Layout) -> None:
    kernel, depth = layout.groups()
    assert kernel.rows == (("gaussian_rbf", "base"), ("relu", "kernel=relu"), ("softmax", "kernel=softmax"))
    assert depth.rows[-1] == ("4", "base")
    assert layout.variants() == ("base", "kernel=relu", "kernel=softmax", "depth=1", "depth=2")


def test_grid_has_one_group_of_all_combinations(layout: Layout) -> None:
    (group,) = dataclasses.replace(layout, design="grid").groups()
    assert group.title == "kernel x depth"
    assert len(group.rows) == 9
    assert ("relu, 1", "kernel=relu, depth=1") in group.rows
    assert ("gaussian_rbf, 4", "base") in group.rows


def test_panels_have_groups_and_bases_of_their_own(panels: Any) -> None:
    layout: Layout = panels.layout
    groups = layout.groups()
    assert [group.title for group in groups] == [
        *("upscale x2: model", "upscale x2: width", "upscale x3: model", "upscale x3: width"),
        *("upscale x4: model", "upscale x4: width"),
    ]
    assert [group.base for group in groups[::2]] == ["upscale=x2", "upscale=x3", "base"]
    assert [group.panel for group in groups[::2]] == ["upscale x2", "upscale x3", "upscale x4"]
    assert groups[0].rows == (("GRLA", "upscale=x2"), ("EDSR-lite", "upscale=x2, model=EDSR-lite"))
    assert groups[5].rows == (("16", "width=16"), ("32", "base"), ("64", "width=64"))
    assert all(group.base in dict(group.rows).values() for group in groups)
    assert layout.variants()[:3] == ("base", "upscale=x2", "upscale=x2, model=EDSR-lite")
    assert len(layout.variants()) == 12


def test_panels_of_one_factor_are_refused(layout: Layout) -> None:
    with pytest.raises(InputError, match="must be two or more for panels"):
        dataclasses.replace(layout, design="panels", factors=layout.factors[:1])


def test_groups_of_the_other_designs_stand_on_the_one_base(layout: Layout) -> None:
    groups = [*layout.groups(), *dataclasses.replace(layout, design="grid").groups()]
    assert {(group.base, group.panel) for group in groups} == {("base", "")}
    assert [groups[0].name(*row) for row in groups[0].rows] == ["gaussian_rbf (base)", "relu", "softmax"]


def test_base_outside_the_levels_is_refused() -> None:
    with pytest.raises(InputError, match="must be one of 1, 2, got '3'"):
        factor("depth", ("1", "2"), "3")
