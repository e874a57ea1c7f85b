"""The shared BatchNorm in a group of one process, where it must equal nn.BatchNorm2d; tests/engine has one of two."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch
import torch.distributed as dist
from torch import nn

from grla.errors import InputError
from grla.spec import Budget, TrainSpec
from grla.training.distributed import SharedTrainer, leads, num_processes, own_slice, require_equal_slices, trainer_kind
from grla.training.loop import Trainer
from grla.training.shared_norm import SharedBatchNorm2d, share_batch_norms


@pytest.fixture
def alone() -> Iterator[None]:
    """A process group of this process."""
    dist.init_process_group("gloo", store=dist.HashStore(), rank=0, world_size=1)
    yield
    dist.destroy_process_group()


def network() -> nn.Sequential:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.Sequential(nn.BatchNorm2d(4, momentum=0.3)), nn.Conv2d(4, 3, 1))
    nn.init.normal_(model[1][0].weight)
    return model.double()


@pytest.mark.usefixtures("alone")
def test_it_is_batch_norm() -> None:
    usual, shared = network(), share_batch_norms(network())
    assert type(shared[1][0]) is SharedBatchNorm2d
    for _ in range(2):
        lr = 5 + torch.randn(2, 3, 6, 7, dtype=torch.float64)
        for model in (usual, shared):
            model(lr).square().sum().backward()
    assert list(shared.state_dict()) == list(usual.state_dict())
    for name, value in usual.state_dict().items():
        torch.testing.assert_close(shared.state_dict()[name], value, rtol=1e-12, atol=1e-12)
    for mine, theirs in zip(shared.parameters(), usual.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, theirs.grad, rtol=1e-9, atol=1e-9)
    torch.testing.assert_close(shared.eval()(lr), usual.eval()(lr), rtol=1e-12, atol=1e-12)


@pytest.mark.usefixtures("alone")
def test_half_precision_comes_back_as_it_came() -> None:
    norm = SharedBatchNorm2d(3)
    x = torch.randn(2, 3, 4, 4)
    out = norm(x.bfloat16())
    assert out.dtype == torch.bfloat16
    torch.testing.assert_close(out.float(), nn.BatchNorm2d(3)(x), rtol=0.02, atol=0.02)


@pytest.mark.parametrize(
    "norm", [nn.BatchNorm1d(3), nn.BatchNorm2d(3, affine=False), nn.BatchNorm2d(3, track_running_stats=False)]
)
def test_other_batch_norms_are_refused(norm: nn.Module) -> None:
    with pytest.raises(InputError, match=r"shared batch norms must be nn.BatchNorm2d, affine, with running statistics"):
        share_batch_norms(nn.Sequential(norm))


def test_without_torchrun_nothing_is_shared() -> None:
    def batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
        return torch.zeros(step), torch.ones(step)

    assert (num_processes(), leads(), own_slice(batch), trainer_kind()) == (1, True, batch, Trainer)
    require_equal_slices(3)


def test_slices_are_the_parts_of_the_batch_in_order(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dist, "is_initialized", lambda: True)
    monkeypatch.setattr(dist, "get_world_size", lambda: 2)
    parts = []
    for rank in range(2):
        monkeypatch.setattr(dist, "get_rank", lambda rank=rank: rank)
        parts.append(own_slice(lambda step: (torch.arange(4), step + torch.arange(4)))(10))
    assert [lr.tolist() for lr, _ in parts] == [[0, 1], [2, 3]]
    assert [hr.tolist() for _, hr in parts] == [[10, 11], [12, 13]]
    with pytest.raises(InputError, match=r"batch_size must divide by the number of processes, 2, .* got 3"):
        require_equal_slices(3)


@pytest.mark.usefixtures("alone")
def test_a_fault_in_a_step_says_to_run_again_and_is_not_announced_as_an_end() -> None:
    def batch(step: int) -> tuple[torch.Tensor, torch.Tensor]:
        if step:
            raise RuntimeError("a cable was pulled")
        return torch.zeros(1, 3, 4, 4), torch.zeros(1, 3, 4, 4)

    model = nn.Conv2d(3, 3, 1)
    trainer = SharedTrainer(model, TrainSpec(Budget(2, "steps")), batch, torch.device("cpu"), lambda model: model)
    assert trainer.train_step().step == 1
    assert not trainer.in_step
    with pytest.raises(InputError, match=r"a step of 1 processes failed \(RuntimeError: a cable was pulled\); run aga"):
        trainer.train_step()
    assert trainer.in_step
