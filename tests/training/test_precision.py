"""In what steps are computed: what a GPU can, what is refused, and that scaled losses train as others do."""

from __future__ import annotations

import copy
import itertools
import math

import pytest
import torch
from torch import Tensor, nn

from grla.errors import InputError
from grla.spec import Budget, RunSpec, TrainSpec, from_dict, spec_hash, to_dict, with_changes
from grla.training import Diverged, Trainer, precisions_of
from grla.training.precision import computed_in, loss_scaler, products_in, require_precision

CPU, GPU = torch.device("cpu"), torch.device("cuda", 0)


def batch(step: int) -> tuple[Tensor, Tensor]:
    lr = torch.rand(2, 3, 6, 6, generator=torch.Generator().manual_seed(step))
    return lr, lr.repeat_interleave(2, 2).repeat_interleave(2, 3)


def trainer(scaled: bool, **changes: object) -> Trainer:
    """With `scaled` its losses are, as for float16 on a GPU, by a scale that grows after two steps."""
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), nn.PixelShuffle(2))
    made = Trainer(model, TrainSpec(Budget(12, "steps"), learning_rate=1e-2, **changes), batch, CPU)
    if scaled:
        made.scaler = torch.amp.GradScaler("cpu", init_scale=2.0**10, growth_interval=2)
    return made


def test_runs_keep_their_names_however_their_precision_is_said() -> None:
    base = RunSpec()
    assert spec_hash(with_changes(base, {"train.precision": "fp32"})) == spec_hash(base)
    by_amp, by_name = (with_changes(base, change) for change in ({"train.amp": True}, {"train.precision": "bf16"}))
    assert by_amp == by_name
    assert with_changes(by_amp, {"train.precision": "fp32"}) == base
    specs = [with_changes(by_amp, {"train.precision": name}) for name in ("fp32", "tf32", "bf16", "fp16")]
    assert [spec.train.computed_in for spec in specs] == ["fp32", "tf32", "bf16", "fp16"]
    assert len({spec_hash(spec) for spec in specs}) == 4
    assert all(from_dict(RunSpec, to_dict(spec)) == spec for spec in specs)
    with pytest.raises(InputError, match="precision must be one of fp32, tf32, bf16, fp16, got 'fp8'"):
        TrainSpec(precision="fp8")


@pytest.mark.parametrize(
    ("capability", "able"), [((7, 5), ("fp32", "fp16")), ((8, 0), ("fp32", "tf32", "bf16", "fp16"))]
)
def test_a_gpu_is_not_asked_for_what_it_would_emulate(
    capability: tuple[int, int], able: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda device: capability)
    assert precisions_of(GPU) == able
    for precision in able:
        require_precision(precision, GPU)
    if "bf16" not in able:
        with pytest.raises(InputError, match=r"precision must be one of fp32, fp16 on a GPU .* below 8\.0.*got 'bf16'"):
            Trainer(nn.Conv2d(3, 3, 1), TrainSpec(amp=True), batch, GPU)


def test_apple_s_gpus_train_in_float32_alone() -> None:
    require_precision("fp32", torch.device("mps"))
    for precision in ("tf32", "bf16", "fp16"):
        with pytest.raises(InputError, match=f"precision must be fp32 on Apple's GPUs.*got '{precision}'"):
            require_precision(precision, torch.device("mps"))


def test_a_cpu_trains_in_float32_whatever_is_asked_for() -> None:
    weights = []
    for precision in ("fp32", "tf32", "bf16", "fp16"):
        run = trainer(scaled=False, precision=precision)
        run.train_step()
        weights.append(run.model[0].weight.detach())
    assert all(torch.equal(weights[0], other) for other in weights)


def test_tf32_lasts_for_the_step_alone() -> None:
    for precision in ("fp32", "bf16", "tf32"):
        with products_in(precision), computed_in(precision, CPU):
            assert torch.backends.cuda.matmul.allow_tf32 == (precision == "tf32")
    assert not torch.backends.cuda.matmul.allow_tf32


def test_losses_are_scaled_for_float16_on_a_gpu_only() -> None:
    assert not any(loss_scaler(name, CPU).is_enabled() for name in ("fp32", "fp16"))


def test_scaled_losses_train_as_others_and_gradients_have_their_own_norm() -> None:
    """Scales are powers of two, so that nothing is rounded."""
    plain, scaled = trainer(scaled=False, clip_norm=0.05), trainer(scaled=True, clip_norm=0.05)
    for _ in range(3):
        plain.train_step()
        scaled.train_step()
        assert scaled.gradient_norm() == plain.gradient_norm()
    assert torch.equal(plain.model[0].weight, scaled.model[0].weight)


def test_the_scale_goes_on_where_it_was() -> None:
    straight, first, second = (trainer(scaled=True) for _ in range(3))
    for _ in range(3):
        first.train_step()
    second.load_state_dict(copy.deepcopy(first.state_dict()))
    assert second.scaler.get_scale() == first.scaler.get_scale() == 2.0**11
    for run, steps in ((straight, 6), (second, 3)):
        for _ in itertools.repeat(None, steps):
            run.train_step()
    assert torch.equal(straight.model[0].weight, second.model[0].weight)
    assert straight.scaler.state_dict() == second.scaler.state_dict()


class PoisonedBackward(torch.autograd.Function):
    """Answers are finite, gradients are not."""

    @staticmethod
    def forward(ctx: object, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx: object, grad: Tensor) -> Tensor:
        return grad * math.nan


class Poisoned(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return PoisonedBackward.apply(x)


def test_gradients_that_are_no_numbers_however_small_the_scale_are_divergence() -> None:
    run = trainer(scaled=True)
    run.model.append(Poisoned())
    before = run.model[0].weight.detach().clone()
    for _ in range(10):
        run.train_step()  # the scale is halved from 2**10 to 1
        assert run.gradient_norms() == {}
    with pytest.raises(Diverged, match="gradients stay NaN or infinite at step 10; last finite loss 0"):
        run.train_step()
    assert torch.equal(before, run.model[0].weight)


def test_checkpoints_from_before_there_were_scales_can_be_gone_on_from() -> None:
    state = trainer(scaled=False).state_dict()
    del state["scaler"]
    trainer(scaled=False).load_state_dict(state)
