"""A search as it is written into the storage: its definition as JSON, and the note that the dashboard shows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from grla.spec import to_dict
from grla.study.search import Search, Space


def definition_of(
    search: Search, profile: str, space: Space, images: Mapping[str, str], code: Sequence[str]
) -> dict[str, Any]:
    """What two runs of the same Optuna study have in common: images by their content, code by its hash."""
    base = to_dict(space.base)
    base["data"] = {name: value for name, value in base["data"].items() if name not in ("train", "test")}
    return {
        "search": search.name,
        "profile": profile,
        "question": search.question,
        "source": search.source,
        "base": base,
        "start": space.changes(space.base_configuration()),
        "parameters": [{"kind": type(one).__name__, **asdict(one)} for one in space.parameters],
        "limits": [asdict(limit) for limit in space.limits],
        "minimise": list(space.minimise),
        "images": dict(images),
        "code": list(code),
    }


def note_of(search: Search, space: Space) -> str:
    """The study's note on the dashboard, Markdown."""
    aims = ["the best PSNR-Y on validation images", *(f"least {cost}" for cost in space.minimise)]
    parameters = "\n".join(f"- {one.name} (`{one.path}`): {one}" for one in space.parameters)
    limits = "".join(f"\n- limit: {limit.cost} at most {limit.at_most:,.0f}" for limit in space.limits)
    return f"**{search.question}**\n\nSource: {search.source}\n\nAim: {', '.join(aims)}\n\n{parameters}{limits}"
