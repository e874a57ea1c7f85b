"""What is used of PyTorch is in every version from 2.9 to 2.13: machines with GPUs have older ones than ours."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path

import pytest
import torch
from torch.nn.parallel import DistributedDataParallel

ROOT = Path(__file__).parents[1]
LATER_ARGUMENTS = {
    "compile": {"name", "recompile_limit", "isolate_recompiles", "shapes_spec"},
    "DistributedDataParallel": {
        "forward_sync_buffers",
        "bucket_cap_mb_list",
        "batched_grad_copy",
    },
}
"""By callable, its arguments that PyTorch 2.13 has and 2.9 has not."""


def test_nothing_is_called_with_arguments_that_came_after_2_9() -> None:
    for path in [*ROOT.glob("grla/**/*.py"), *ROOT.glob("studies/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call):
                name = getattr(node.func, "attr", getattr(node.func, "id", ""))
                used = {keyword.arg for keyword in node.keywords}
                assert not used & LATER_ARGUMENTS.get(name, set()), f"{path}:{node.lineno}"


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_differs_between_versions_is_here_under_the_name_that_all_of_them_have() -> None:
    """`recompile_limit` was called `cache_size_limit` before 2.6; `broadcast_buffers` gets another name in 2.12."""
    assert torch._dynamo.config.recompile_limit > 0
    assert {"broadcast_buffers", "static_graph"} <= set(inspect.signature(DistributedDataParallel).parameters)
