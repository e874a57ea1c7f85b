from __future__ import annotations

import dataclasses

import pytest

from grla.errors import InputError
from grla.report.layout import Factor, Layout


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


def test_base_outside_the_levels_is_refused() -> None:
    with pytest.raises(InputError, match="must be one of 1, 2, got '3'"):
        Factor("depth", ("1", "2"), "3")
