"""Networks by name: the same weights each time, and the caller's random numbers are left alone."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from grla.benchmark.networks import find_network, prepared_network, slower_than_before, time_networks
from grla.benchmark.points import KernelSubject, NetworkSubject
from grla.errors import InputError
from grla.model import build_model
from grla.spec import KernelSpec, ModelSpec, RunSpec, to_dict
from grla.training.checkpoint import save_checkpoint

CPU = torch.device("cpu")
ROW = {"name": "relu", "ratio": 1.0}
RECORD: dict[str, Any] = {"protocol": "p", "upscale": 4, "lr_size": [8, 8], "base": "relu", "device": "cpu", "gpu": ""}


def equal(first: nn.Module, second: nn.Module) -> bool:
    a, b = first.state_dict(), second.state_dict()
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


def test_weights_are_those_of_seed_0_whatever_was_drawn_before() -> None:
    torch.manual_seed(0)
    expected = build_model(ModelSpec(kernel=KernelSpec("relu")))
    torch.manual_seed(5)
    found = find_network("relu", 4)
    assert equal(found, expected)
    assert not any(module.training for module in found.modules())
    assert equal(prepared_network("relu", 4, CPU), expected)


def test_inputs_are_those_of_seed_0() -> None:
    torch.manual_seed(0)
    expected = torch.randn(1, 1, 16, 8), torch.randn(1, 1, 16, 8), torch.randn(1, 1, 16, 8)
    found = KernelSubject("relu", 8).inputs(16, CPU, backward=False)
    assert all(torch.equal(mine, theirs) for mine, theirs in zip(found, expected, strict=True))
    torch.manual_seed(0)
    (lr,) = NetworkSubject("relu", 4).inputs(16, CPU, backward=False)
    assert torch.equal(lr, torch.rand(1, 3, 4, 4))


@pytest.mark.parametrize(
    "look_up",
    [
        lambda: find_network("relu", 4),
        lambda: find_network("edsr_lite", 2),
        lambda: prepared_network("relu+checkpoint-activations", 4, CPU),
        lambda: KernelSubject("random_features", 8).build(),
        lambda: KernelSubject("relu", 8).inputs(16, CPU, backward=True),
        lambda: NetworkSubject("edsr_lite", 4).inputs(16, CPU, backward=True),
    ],
)
def test_a_look_up_leaves_the_callers_generator_as_it_was(look_up: Any) -> None:
    torch.manual_seed(3)
    before: Tensor = torch.get_rng_state()
    look_up()
    assert torch.equal(torch.get_rng_state(), before)


def test_a_network_that_cannot_be_timed_does_not_lose_the_others(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    for factor in (2, 4):
        (tmp_path / f"timed_x{factor}.py").write_text(
            f"from torch import nn\ndef f(): return nn.Upsample(None, {factor})"
        )
    names = ["timed_x4:f", "timed_x2:f", "timed_x4:missing"]
    record = time_networks(names, names[0], 4, (8, 8), 2, CPU)
    assert [row["name"] for row in record["models"]] == [names[0], f"{names[0]} again"]
    assert list(record["refused"]) == names[1:]
    assert record["refused"][names[1]].startswith(
        f"model {names[1]}: the model must map (1, 3, 8, 8) to (1, 3, 32, 32)"
    )
    with pytest.raises(InputError, match="it enlarges x2"):
        time_networks(names, names[1], 4, (8, 8), 2, CPU)


def test_an_unknown_name_is_refused_and_leaves_the_generator_as_it_was() -> None:
    before = torch.get_rng_state()
    with pytest.raises(InputError, match=r"model must be a kernel \(agent, .*\), edsr_lite, .* got 'sofmax'"):
        find_network("sofmax", 4)
    assert torch.equal(torch.get_rng_state(), before)


def test_a_checkpoint_of_another_factor_is_refused(tmp_path: Path) -> None:
    spec = RunSpec(ModelSpec(upscale=2, dim=8, depth=1, layers=("global",)))
    network = build_model(spec.model)
    save_checkpoint(tmp_path / "a.pt", {"spec": to_dict(spec), "model": network.state_dict(), "ema": None})
    assert equal(find_network(str(tmp_path / "a.pt"), 2), network)
    with pytest.raises(InputError, match="upscale must be the checkpoint's x2, got 4"):
        find_network(str(tmp_path / "a.pt"), 4)


def test_only_grlasr_checkpoints_its_activations() -> None:
    with pytest.raises(InputError, match=r"model edsr_lite\+checkpoint-activations cannot checkpoint its activations"):
        prepared_network("edsr_lite+checkpoint-activations", 4, CPU)


def test_a_base_that_is_not_timed_is_refused() -> None:
    with pytest.raises(InputError, match="base must be one of the models, relu, taylor, got 'softmax'"):
        time_networks(("relu", "taylor"), "softmax", 4, (8, 8), 2, CPU)


@pytest.mark.parametrize(
    ("now", "limit", "said"),
    [
        (1.15, 1.1, ["relu: 1.15 times the base, 1.15 times what it was"]),
        (1.15, 1.2, []),
        (0.5, 1.1, []),
    ],
)
def test_what_got_slower_against_the_base_is_said(now: float, limit: float, said: list[str]) -> None:
    rows = [{**ROW, "ratio": now}, {"name": "new", "ratio": 9.0}]
    assert slower_than_before({**RECORD, "models": rows}, {**RECORD, "models": [ROW]}, limit) == said


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("protocol", "q"),
        ("upscale", 2),
        ("lr_size", [8, 9]),
        ("base", "taylor"),
        ("device", "cuda"),
        ("gpu", "Tesla T4"),
    ],
)
def test_records_of_something_else_are_not_compared(key: str, value: object) -> None:
    with pytest.raises(InputError, match=f"the earlier record's {key} must be .* as in this run"):
        slower_than_before({**RECORD, "models": [ROW]}, {**RECORD, "models": [ROW], key: value}, 1.1)
