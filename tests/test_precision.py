"""How float32 is multiplied: as IEEE says, unless TF32 is asked for."""

from __future__ import annotations

import subprocess
import sys

import pytest
import torch

from grla.precision import float32_products
from tests.shared import ROOT


def ways() -> tuple[bool, bool]:
    """Whether matrix products and convolutions run TF32."""
    return torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32


def fail_at_tf32() -> None:
    with float32_products("tf32"):
        assert ways() == (True, True)
        assert torch.get_float32_matmul_precision() == "high"
        raise KeyError


def test_tf32_is_used_inside_only_also_after_an_error() -> None:
    with pytest.raises(KeyError):
        fail_at_tf32()
    assert ways() == (False, False)
    assert torch.get_float32_matmul_precision() == "highest"


@pytest.mark.parametrize("module", ["grla.model", "grla.engine", "grla.benchmark", "grla.analysis"])
def test_whatever_computes_networks_does_it_by_ieee(module: str) -> None:
    code = f"import torch, {module}; print(torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32)"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
