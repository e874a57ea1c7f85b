"""From a search's best trials to the study that confirms them, and from a file to a base."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from grla.errors import InputError
from grla.study import TUNING_SEED, confirming_study, load_search, read_base
from tests.shared import SEARCHES


def test_trials_stand_beside_the_base_at_the_same_size_on_fresh_seeds() -> None:
    search = load_search("tiny_search", SEARCHES)
    changes = {"model.kernel": "relu", "model.dim": 4}
    other = {"model.kernel": "gaussian_rbf", "model.kernel.options.gamma": 0.2, "model.dim": 8}
    study = confirming_study(search, "smoke", {7: changes, 12: other})
    cells = study.cells("smoke", {"train.learning_rate": 1e-3})
    assert [cell.variant for cell in cells[:3]] == ["base", "configuration=trial 7", "configuration=trial 12"]
    assert {cell.spec.seed for cell in cells} == {0, 1, 2}
    assert TUNING_SEED not in {cell.spec.seed for cell in cells}
    assert [cell.spec.model.dim for cell in cells[:3]] == [8, 4, 8]
    assert [cell.spec.model.kernel.options for cell in cells[:3]] == [{"gamma": 0.5}, {}, {"gamma": 0.2}]
    assert {cell.spec.train.budget.amount for cell in cells} == {6}
    assert study.name == "tiny_search_confirmed"


def test_a_base_is_read_from_the_changes_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "winner.json"
    changes = {"model.dim": 24, "model.layers": ["window", "global"], "data.stages": [[10, 32, 4]]}
    path.write_text(json.dumps({"about": {"trial": 3}, "changes": changes}))
    assert read_base(path) == {
        "model.dim": 24,
        "model.layers": ("window", "global"),
        "data.stages": ((10, 32, 4),),
    }


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, r"it cannot be read: .*No such file"),
        ("{", r"it cannot be read: Expecting property name"),
        ("[1, 2]", r"it holds no changes"),
        ('{"changes": 3}', r"it holds no changes"),
    ],
)
def test_another_file_is_refused_with_what_it_should_be(tmp_path: Path, content: str | None, message: str) -> None:
    path = tmp_path / "base.json"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=rf"base .*base.json must be JSON with .*winner.json .*; {message}"):
        read_base(path)
