"""Networks from outside beside GRLASR: a study that is made of their names alone and has no file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from grla.errors import require
from grla.spec import OutsideSpec, from_dict
from grla.study.definition import Study
from grla.study.layout import Changes, Factor, Layout
from grla.study.profiles import usual_profiles

COMPARE = "compare"
"""The name of the study; no file of a study may be called so."""


def compared_study(models: Sequence[OutsideSpec]) -> Study:
    """The paper's network, the base, beside each of `models`, in one factor "model" and with the usual profiles.

    Raises InputError for no models, or one that is named twice.
    """
    names = [model.factory for model in models]
    rule = "must name one or more networks of your own, each once, as package.module:factory"
    require(0 < len(names) == len(set(names)), "models", rule, names)
    levels: dict[str, Changes] = {"GRLASR": {}} | {model.factory: {"model": model} for model in models}
    return Study(
        question=f"Which is better at this budget, GRLASR or {', '.join(names)}?",
        source="not in the paper",
        factors=(Factor("model", levels),),
        profiles=usual_profiles(),
        name=COMPARE,
        file=COMPARE,
    )


def recompared_study(recorded: Layout) -> Study:
    """The study of the models that a record's first factor holds; InputError as for `compared_study`."""
    models: list[Any] = [level["model"] for level in recorded.factors[0].levels.values() if "model" in level]
    return compared_study([from_dict(OutsideSpec, model) for model in models])
