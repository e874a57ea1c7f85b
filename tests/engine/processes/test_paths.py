"""What is said of the path of a network's attention, on a GPU that is not there."""

from __future__ import annotations

import pytest
import torch

from grla.engine.processes import Execution, attention_path, planned_path
from grla.model import build_on_meta
from grla.spec import EdsrLiteSpec, KernelSpec, ModelSpec, RunSpec

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)
SMALL = ModelSpec(dim=8, depth=1, window_size=4, num_heads=2)


@pytest.fixture(autouse=True)
def without_triton(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GRLA_TRITON", "0")


def test_a_compiled_network_takes_neither_path() -> None:
    model, compiled = build_on_meta(SMALL), Execution(compile=True)
    assert attention_path(model, GPU) == "eager (GRLA_TRITON=0)"
    assert attention_path(model, GPU, compiled) == "compiled"
    assert attention_path(model, CPU, compiled) == ""


@pytest.mark.parametrize(
    ("model", "path"),
    [
        (SMALL, "eager (GRLA_TRITON=0)"),
        (ModelSpec(dim=8, depth=1, window_size=4, num_heads=2, kernel=KernelSpec("softmax")), ""),
        (ModelSpec(dim=8, depth=1, window_size=4, num_heads=2, kernel=KernelSpec("relu", {"no": 1})), ""),
        (EdsrLiteSpec(), ""),
    ],
)
def test_a_path_is_known_before_a_network_is_built(model: ModelSpec | EdsrLiteSpec, path: str) -> None:
    assert planned_path(RunSpec(model=model), GPU) == path
    assert planned_path(RunSpec(model=model), CPU) == ""
