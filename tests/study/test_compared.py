"""A study of networks from outside, made of their names and of its record."""

from __future__ import annotations

import json

import pytest

from grla.errors import InputError
from grla.spec import ModelSpec, OutsideSpec, RunSpec
from grla.study import (
    COMPARE,
    compared_study,
    layout_from_json,
    layout_to_json,
    rates_study,
    recompared_study,
    study_names,
)

MODELS = [OutsideSpec("mine.network:build"), OutsideSpec("theirs:Net")]


def test_each_model_is_a_level_beside_grlasr() -> None:
    cells = compared_study(MODELS).cells("quick", {"data.train": "photos"}, seeds=1)
    assert [cell.variant for cell in cells] == ["base", "model=mine.network:build", "model=theirs:Net"]
    assert isinstance(cells[0].spec.model, ModelSpec)
    assert [cell.spec.model for cell in cells[1:]] == MODELS
    assert len({cell.spec.train for cell in cells}) == 1
    assert {cell.spec.data.train for cell in cells} == {"photos"}


def test_the_record_gives_the_study_again() -> None:
    """Its own, and that of the runs which choose a learning rate for each model."""
    study, base = compared_study([OutsideSpec("mine:build", upscale=2)]), RunSpec(ModelSpec(upscale=2))
    for run in (study, rates_study(study, "smoke", base, (1e-3,))):
        recorded = json.loads(json.dumps(layout_to_json(run.layout("smoke", base))))
        assert recompared_study(layout_from_json(recorded)) == study


@pytest.mark.parametrize("models", [[], [MODELS[0], MODELS[0]]])
def test_none_and_one_twice_are_refused(models: list[OutsideSpec]) -> None:
    with pytest.raises(InputError, match=r"models must name one or more networks of your own, each once, as package"):
        compared_study(models)


def test_no_file_of_a_study_has_its_name() -> None:
    assert COMPARE not in study_names()
