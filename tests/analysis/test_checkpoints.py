"""Networks of a study's folder, by the names that its tables give them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from grla.analysis import load_networks
from grla.errors import InputError
from grla.model import build_model
from grla.spec import KernelSpec, ModelSpec, RunSpec, to_dict
from grla.study import Layout, layout_to_json
from grla.training.checkpoint import save_checkpoint
from tests.shared import factor

CELLS = {("base", 0): "aaaaaa1", ("base", 1): "aaaaaa2", ("kernel=softmax", 0): "bbbbbb1"}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A study of two kernels, as far as its networks go."""
    layout = Layout("s", "q?", "none", "quick", "grid", (factor("kernel", ("relu", "softmax"), "relu"),))
    (tmp_path / "study.json").write_text(json.dumps(layout_to_json(layout)), encoding="utf-8")
    rows = [f"{name},{variant},{seed}" for (variant, seed), name in CELLS.items()]
    (tmp_path / "cells.csv").write_text("\n".join(["cell_hash,variant,seed", *rows]) + "\n", encoding="utf-8")
    for (variant, seed), name in CELLS.items():
        kernel = KernelSpec("relu" if variant == "base" else "softmax")
        spec = RunSpec(ModelSpec(upscale=2, dim=8, depth=1, layers=("global",), kernel=kernel), seed=seed)
        path = tmp_path / "cells" / f"{variant}_seed{seed}_{name[:6]}" / "weights.pt"
        path.parent.mkdir(parents=True)
        weights = build_model(spec.model).state_dict()
        save_checkpoint(path, {"cell_hash": name, "spec": to_dict(spec), "model": weights, "ema": None})
    return tmp_path


def test_networks_of_a_study_have_the_names_of_its_tables(folder: Path) -> None:
    found = load_networks([folder])
    assert [(one.label, one.spec.seed) for one in found] == [("relu (base)", 0), ("relu (base)", 1), ("softmax", 0)]
    assert [one.spec.model.kernel.name for one in found] == ["relu", "relu", "softmax"]


def test_files_are_named_by_their_kernels(folder: Path) -> None:
    paths = sorted(folder.glob("cells/base*/weights.pt"))
    assert [one.label for one in load_networks(paths)] == ["relu", "relu"]
    (folder / "study.json").unlink()
    assert [one.label for one in load_networks([folder])] == ["relu", "relu", "softmax"]


def test_one_network_cannot_be_named_twice_and_none_is_refused(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"must name one of relu \(base\) with seed 0, got 2"):
        load_networks([folder, folder])
    (tmp_path / "empty").mkdir()
    with pytest.raises(InputError, match=r"or a folder with cells/\*/weights.pt"):
        load_networks([tmp_path / "empty"])
