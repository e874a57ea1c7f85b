"""What the README shows must work as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from grla.attention.interface import AttentionKernel
from grla.study import Study

README = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


@pytest.mark.parametrize("code", [block for block in BLOCKS if "STUDY =" in block])
def test_study_examples_have_cells(code: str) -> None:
    names: dict[str, object] = {}
    exec(code, names)
    study = names["STUDY"]
    assert isinstance(study, Study)
    for profile in study.profiles:
        assert len(study.cells(profile, {}, seeds=1)) > 1


def test_the_kernel_example_obeys_the_contract() -> None:
    (code,) = [block for block in BLOCKS if "class Kernel" in block]
    names: dict[str, object] = {"__name__": "example"}
    exec(code, names)
    kernel = names["Kernel"](6)
    assert isinstance(kernel, AttentionKernel)
    q, k, v = torch.rand(3, 1, 2, 9, 6, dtype=torch.float64)
    torch.testing.assert_close(kernel(q, k, v), kernel.weights(q, k) @ v)


@pytest.mark.parametrize("path", re.findall(r"\]\(((?!http)[^)#]+)\)", README))
def test_links_lead_somewhere(path: str) -> None:
    assert (Path(__file__).parents[1] / path).exists()
