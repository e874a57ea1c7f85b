"""Weights are found in what files hold, named by their content, and taken where they fit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from grla.errors import InputError
from grla.model import (
    build_model,
    build_on_meta,
    build_seeded,
    fitting,
    load_weights,
    outside_model,
    weights_digest,
    weights_of,
)
from grla.spec import ModelSpec

SMALL = ModelSpec(upscale=2, dim=4, depth=1, window_size=4, num_heads=2)
UPSAMPLER = ["upsampler.0.weight", "upsampler.0.bias"]


def state(value: float = 1.0) -> dict[str, Tensor]:
    return {"weight": torch.full((3, 3, 1, 1), value), "bias": torch.full((3,), value)}


@pytest.mark.parametrize(
    "content",
    [
        state(),
        {"params": state(), "epoch": 3},
        {"params_ema": state(), "params": state(2.0)},
        {"state_dict": {"model": state()}},
        {"model": state(), "ema": None, "step": 3},
        {"params": {"lr": 1e-3}, "state_dict": state()},
        {"state_dict": state(), "ema": {"decay": 0.99}},
        {"model_state_dict": state(), "model": {"steps": torch.tensor(3), "decay": torch.tensor(0.9)}},
        {"params": state(), "ema": {"state_dict": {"epoch": 3}}},
        {"model": state(2.0), "ema": {"n_averaged": torch.tensor(5)} | {f"module.{k}": v for k, v in state().items()}},
    ],
)
def test_averaged_weights_come_first_wherever_they_are(content: dict[str, Any]) -> None:
    found = weights_of(content, "x.pt")
    assert list(found) == ["weight", "bias"]
    assert all(torch.equal(value, state()[name]) for name, value in found.items())


def test_an_average_of_pytorchs_is_read_as_its_network() -> None:
    network = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3))
    found = weights_of({"ema": AveragedModel(network, use_buffers=True).state_dict()}, "x.pt")
    network.load_state_dict(found)
    assert list(found) == list(network.state_dict())


@pytest.mark.parametrize("content", [{}, {"epoch": 3}, {"model": {"weight": torch.ones(1), "names": ["a"]}}])
def test_what_holds_no_weights_is_named(content: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"^x\.pt must hold a state dict, bare or under one of ema, params_ema, "):
        weights_of(content, "x.pt")


def test_a_digest_names_names_types_shapes_and_values_and_no_order() -> None:
    plain = state()
    assert weights_digest(dict(reversed(plain.items()))) == weights_digest(plain)
    others = [
        state(2.0),
        {"weight": plain["weight"], "shift": plain["bias"]},
        {**plain, "bias": plain["bias"].view(torch.int32)},
        {**plain, "weight": plain["weight"].view(3, 1, 3, 1)},
        {**plain, "more": torch.tensor(1)},
        {name: value.bfloat16() for name, value in plain.items()},
    ]
    assert len({weights_digest(weights) for weights in (plain, *others)}) == 7


@pytest.mark.parametrize("key", ["net_g", "generator", "model_state_dict", "state_dict_ema", "ema"])
@pytest.mark.parametrize("prefix", ["", "module.", "_orig_mod.", "model.", "model.module.", "model.net_g._orig_mod."])
def test_what_wrappers_put_before_all_names_is_stripped_and_said(key: str, prefix: str) -> None:
    network, given = nn.Conv2d(3, 3, 1), {f"{prefix}{name}": value for name, value in state().items()}
    weights = weights_of({"epoch": 3, key: given}, "x.pt")
    misfit = load_weights(network, weights, "x.pt")
    assert torch.equal(network.weight, state()["weight"])
    assert misfit.told == ([f"{prefix!r} is stripped from all names"] if prefix else [])
    taken, misfit = fitting(network, weights)
    assert list(taken) == ["weight", "bias"]
    assert (misfit.missing, misfit.unexpected, misfit.stripped) == ([], [], prefix)


def test_weights_of_other_networks_beside_a_prefix_are_left_out_and_named() -> None:
    given = {"loss.vgg.weight": torch.ones(9), "bias": torch.ones(3)}
    given |= {f"model.{name}": value for name, value in state(2.0).items()}
    network = nn.Conv2d(3, 3, 1)
    words = "'model.' is stripped, and what has another name is left out: loss.vgg.weight"
    assert load_weights(network, {n: v for n, v in given.items() if n != "bias"}, "x.pt").told == [words]
    assert load_weights(network, given, "x.pt").left == ["loss.vgg.weight", "bias"]
    assert torch.equal(network.weight, state(2.0)["weight"])
    with pytest.raises(
        InputError, match=r"unexpected: more\.weight; 'model\.' is stripped, and .*: loss\.vgg\.weight, bias"
    ):
        load_weights(network, given | {"model.more.weight": torch.ones(1)}, "x.pt")
    averaged = {f"model_ema.{name}": value for name, value in state(3.0).items()}
    assert load_weights(network, given | averaged, "x.pt").stripped == "model_ema."
    assert torch.equal(network.bias, state(3.0)["bias"])
    with pytest.raises(InputError, match=r"missing: weight, bias; unexpected: model\.weight, loss\.vgg\.weight$"):
        load_weights(network, {"model.weight": state()["weight"], "loss.vgg.weight": torch.ones(9)}, "x.pt")


def test_which_key_was_taken_of_several_is_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    text = "from torch import nn\n\ndef build():\n    return nn.Conv2d(3, 3, 1)\n"
    (tmp_path / "keys_of_several.py").write_text(text)
    torch.save({"params": state(2.0), "params_ema": state(), "epoch": 3}, tmp_path / "x.pt")
    monkeypatch.chdir(tmp_path)
    network = outside_model("keys_of_several:build", 2, tmp_path / "x.pt")
    assert torch.equal(network.state_dict()["weight"], state()["weight"])
    assert "x.pt: those under 'params_ema' are taken, not 'params'." in capsys.readouterr().err


def test_a_prefix_of_the_networks_own_stays() -> None:
    network = nn.Sequential()
    network.model = nn.Conv2d(3, 3, 1)
    given = {f"model.{name}": value for name, value in state().items()}
    assert load_weights(network, given, "x.pt").stripped == ""
    assert torch.equal(network.model.weight, state()["weight"])


def test_the_first_names_that_do_not_fit_are_said() -> None:
    given = {f"body.{number}.weight": torch.ones(1) for number in range(7)} | {"bias": torch.ones(2)}
    words = r"weights x\.pt must fit the network, got missing: weight; "
    words += r"unexpected: body\.0\.weight, .*, body\.4\.weight and 2 more; reshaped: bias \(2, not 3\)"
    with pytest.raises(InputError, match=words):
        load_weights(nn.Conv2d(3, 3, 1), given, "x.pt")


@pytest.mark.parametrize("build", [build_model, build_on_meta])
def test_x4_starts_from_x2_but_for_its_upsampler(build: Any) -> None:
    weights = build_seeded(SMALL, 1).state_dict()
    taken, misfit = fitting(build(replace(SMALL, upscale=4)), weights)
    assert (misfit.missing, misfit.unexpected) == ([], [])
    assert misfit.reshaped == ["upsampler.0.weight (12x4x3x3, not 48x4x3x3)", "upsampler.0.bias (12, not 48)"]
    assert [*taken, *UPSAMPLER] == list(weights)


def test_what_is_missing_and_what_has_no_place_is_listed() -> None:
    weights = {name: value for name, value in build_model(SMALL).state_dict().items() if name not in UPSAMPLER}
    _, misfit = fitting(build_model(SMALL), weights | {"extra": torch.ones(1)})
    assert str(misfit) == "missing: upsampler.0.weight, upsampler.0.bias; unexpected: extra"
    assert str(fitting(build_model(SMALL), build_model(SMALL).state_dict())[1]) == "all weights fit"


def test_weights_of_another_network_are_refused() -> None:
    """Counters of BatchNorm fit any network of the same layers; they are no weights."""
    counters = {name: torch.tensor(0) for name in build_model(SMALL).state_dict() if "num_batches" in name}
    assert counters
    with pytest.raises(InputError, match=r"weights to start .* none that do \(missing: head.weight, "):
        fitting(build_model(SMALL), counters)
