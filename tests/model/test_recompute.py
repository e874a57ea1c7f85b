"""Activation checkpointing changes what is kept, and not one bit of what is computed."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn

from grla.model import build_model
from grla.spec import ModelSpec

SMALL = {"dim": 10, "depth": 3, "num_heads": 2, "window_size": 4}


def network(**changes: object) -> nn.Module:
    torch.manual_seed(0)
    return build_model(ModelSpec(**{**SMALL, **changes}))


def checkpointing(model: nn.Module) -> nn.Module:
    twin = copy.deepcopy(model)
    twin.checkpoint_activations = True
    return twin


def train(model: nn.Module, steps: int = 3) -> None:
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-2, fused=True)
    generator = torch.Generator().manual_seed(1)
    for _ in range(steps):
        optimizer.zero_grad()
        model(torch.rand(2, 3, 9, 14, generator=generator)).square().mean().backward()
        optimizer.step()


@pytest.mark.parametrize("norm", ["batch", "layer"])
@pytest.mark.parametrize("kernel", ["gaussian_rbf", "rbf_ridge", "softmax"])
def test_weights_gradients_and_running_statistics_are_equal_to_the_bit(kernel: str, norm: str) -> None:
    usual = network(kernel=kernel, norm=norm)
    twice = checkpointing(usual)
    for model in (usual, twice):
        train(model)
    state, expected = twice.state_dict(), usual.state_dict()
    assert list(state) == list(expected)
    for name, value in expected.items():
        assert torch.equal(state[name], value), name
    for (name, mine), theirs in zip(twice.named_parameters(), usual.parameters(), strict=True):
        assert torch.equal(mine.grad, theirs.grad), name
    if norm == "batch":
        assert state["blocks.0.0.layers.0.local.0.num_batches_tracked"] == 3


def kept_bytes(model: nn.Module) -> int:
    """Bytes that a forward pass keeps for the backward pass, blocks that are computed again left out."""
    kept: dict[int, int] = {}

    def pack(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
        model(torch.rand(2, 3, 16, 16))
    return sum(kept.values())


def test_blocks_keep_their_inputs_only() -> None:
    model = network(depth=4, aggregation=False)
    tokens = 4 * 2 * 16 * 16 * SMALL["dim"]
    kept = kept_bytes(checkpointing(model))
    assert kept < 0.2 * kept_bytes(model)
    assert kept < 30 * tokens  # head, joints and the upsampler's 12 maps of 3 x 16 channels, too


def test_evaluation_is_not_touched() -> None:
    model = network().eval()
    with torch.inference_mode():
        lr = torch.rand(1, 3, 8, 8)
        assert torch.equal(checkpointing(model)(lr), model(lr))


def test_a_failure_in_the_second_pass_leaves_the_running_statistics_in_place() -> None:
    model = checkpointing(network())
    norm = model.blocks[0][0].layers[0].local[0]
    mean, calls = norm.running_mean, []

    def fail(*_: object) -> None:
        calls.append(norm.running_mean is mean)
        if len(calls) == 2:
            raise RuntimeError("no memory, say")

    norm.register_forward_hook(fail)
    loss = model(torch.rand(1, 3, 8, 8)).mean()
    with pytest.raises(RuntimeError, match="no memory, say"):
        loss.backward()
    assert calls == [True, False]
    assert norm.running_mean is mean
