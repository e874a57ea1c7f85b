"""On a real GPU: `python -m pytest -m gpu -n 1`."""

from __future__ import annotations

import pytest
import torch

from grla.attention import kernel_names
from grla.benchmark.gpu_checks import Subject, latency, launches, parity, resuming, training
from grla.spec import ModelSpec

pytestmark = pytest.mark.gpu
SMALL = ModelSpec(dim=22, depth=1, window_size=8, num_heads=2)


@pytest.fixture
def gpu() -> torch.device:
    assert torch.cuda.is_available(), "there is no GPU that PyTorch can use"
    return torch.device("cuda", 0)


def small(gpu: torch.device, *kernels: str) -> Subject:
    return Subject(gpu, kernels, SMALL, patch_size=16, batch_size=2, lr_size=(32, 32), tokens=3000)


@pytest.mark.parametrize("name", kernel_names())
def test_outputs_and_gradients_are_those_of_the_cpu(gpu: torch.device, name: str) -> None:
    rows = parity(small(gpu, name))
    assert all(row["ok"] for row in rows), rows


@pytest.mark.parametrize("name", kernel_names())
def test_a_training_step_has_the_loss_of_the_cpu(gpu: torch.device, name: str) -> None:
    subject = small(gpu, name)
    there = subject.trainer(name, gpu).train_step().loss
    here = subject.trainer(name, torch.device("cpu")).train_step().loss
    assert there == pytest.approx(here, rel=1e-4)
    assert all(loss > 0 for row in training(subject) for loss in row["losses"])


def test_training_goes_on_where_it_stopped(gpu: torch.device) -> None:
    (row,) = resuming(small(gpu, "gaussian_rbf"))
    assert row["ok"], row


def test_a_graph_replays_what_is_launched_in_many_parts(gpu: torch.device) -> None:
    subject = small(gpu, "gaussian_rbf")
    (row,) = latency(subject)
    assert row["replay_ms"] is not None
    assert launches(subject)[0]["forward"] > 10
