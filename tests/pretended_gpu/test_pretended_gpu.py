"""What can be seen of a GPU without one: where tensors lie, of which types and widths they are."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest
import torch

from grla.attention import kernel_names
from tests.pretended_gpu import device
from tests.shared import ROOT

if torch.version.cuda and not os.environ.get("CI"):
    pytest.skip("pretends a GPU for the CPU build of PyTorch", allow_module_level=True)

Results = dict[str, dict[str, Any]]


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> Results:
    library = device.compile_hooks(tmp_path_factory.mktemp("hooks"))
    command = [sys.executable, "-m", device.__name__, library, "tests.pretended_gpu.everything"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-2000:]
    found: Results = json.loads(done.stdout)
    assert list(found) == kernel_names()
    return found


def each(results: Results, check: str) -> dict[str, Any]:
    return {name: found[check] for name, found in results.items()}


def test_every_head_that_fused_attention_gets_is_of_a_width_that_it_can_run(results: Results) -> None:
    """Of others it would form the matrix of weights, which for 65,536 tokens takes 17 GB."""
    widths = each(results, "widths")
    assert all(width % 8 == 0 for found in widths.values() for width in found), widths
    assert {name for name, found in widths.items() if found} == {"exact_rbf", "softmax"}


def test_every_kernel_trains_in_float32_and_in_bfloat16(results: Results) -> None:
    assert set(each(results, "float32").values()) == {"torch.float32"}, each(results, "float32")
    assert set(each(results, "bfloat16").values()) == {"torch.bfloat16"}, each(results, "bfloat16")
    assert results["gaussian_rbf"]["float16"] == "torch.float16"


def test_no_kernel_waits_for_a_number_in_a_step(results: Results) -> None:
    """As a CUDA graph must not, and as a queue that runs ahead of the GPU should not; Adam's rate of a graph is on the
    GPU, too, which cannot be pretended."""
    assert set(each(results, "queued").values()) == {"cuda:0"}, each(results, "queued")


def test_every_kernel_enlarges_pictures_on_the_gpu(results: Results) -> None:
    assert set(each(results, "evaluation").values()) == {"cuda:0, cuda:0"}, each(results, "evaluation")


def test_operations_are_priced_alike_on_every_device(results: Results) -> None:
    macs = each(results, "macs")
    assert all(isinstance(found, list) and found[0] == found[1] > 0 for found in macs.values()), macs
