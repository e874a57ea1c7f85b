"""Which rule gives a published figure: the paper's own, and rules that fvcore and a hand count define."""

from __future__ import annotations

import pytest
import torch
from fvcore.nn import FlopCountAnalysis
from torch import nn

from grla.cost import count
from grla.cost.decoder import readings
from grla.model import build_model
from grla.spec import EdsrLiteSpec, ModelSpec

SIZES = {"output 1280x720": (180, 320), "output 1024x720": (180, 256)}
HOOKS = "module hooks, norms and softmax too (hook_flops)"
FVCORE = "all multiply-adds and norms (fvcore's total)"


@pytest.fixture(scope="module")
def grlasr() -> nn.Module:
    with torch.device("meta"):
        return build_model(ModelSpec())


@pytest.mark.parametrize(
    ("published", "rule"),
    [(56.5, HOOKS), (78.2, "all multiply-adds"), (156.5, "2 x all multiply-adds")],
)
def test_the_papers_network_is_read_as_it_was_counted(grlasr: nn.Module, published: float, rule: str) -> None:
    sizes = SIZES if rule == HOOKS else dict([*SIZES.items()][:1])  # counting the paper's network takes a second
    nearest, *others = readings(grlasr, 1e9 * published, sizes)
    assert (nearest.rule, nearest.size) == (rule, "output 1280x720")
    assert nearest.off < 0.002
    assert nearest.off == pytest.approx(abs(nearest.value / 1e9 - published) / published)
    assert [nearest.off, *(other.off for other in others)] == sorted(reading.off for reading in [nearest, *others])


def test_rules_that_give_the_same_number_are_one_reading() -> None:
    model = build_model(EdsrLiteSpec(channels=4, blocks=1, upscale=2))
    macs = count(model, (1, 3, 8, 8)).macs
    once, twice = readings(model, macs, {"LR 8x8": (8, 8)})
    same = f"all multiply-adds = convolution and linear modules = convolution modules = {HOOKS} = {FVCORE}"
    assert (once.rule, once.size, once.value, once.off) == (same, "LR 8x8", macs, 0)
    assert (twice.value, twice.off) == (2 * macs, 1)


def test_parts_are_told_apart_by_module() -> None:
    class Net(nn.Sequential):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            out: torch.Tensor = super().forward(x)  # type: ignore[no-untyped-call]
            return out @ out.mT

    values = {}
    for reading in readings(Net(nn.Conv2d(3, 4, 1), nn.Linear(6, 7), nn.LayerNorm(7)), 1.0, {"": (5, 6)}):
        values |= dict.fromkeys(reading.rule.split(" = "), reading.value)
    convolution, linear, product, normed = 30 * 12, 20 * 6 * 7, 4 * 25 * 7, 4 * 5 * 7
    assert values["convolution modules"] == convolution
    assert values["convolution and linear modules"] == convolution + linear
    assert values["2 x convolution and linear modules"] == 2 * (convolution + linear)
    assert values["all multiply-adds"] == convolution + linear + product
    assert values[HOOKS] == convolution + linear + 4 * normed
    assert values[FVCORE] == convolution + linear + product + 5 * normed


def test_fvcores_total_is_what_fvcore_says() -> None:
    model = build_model(ModelSpec(dim=8, depth=2, window_size=4, num_heads=2)).eval()
    for module in model.modules():
        if hasattr(module, "plain_path"):
            module.plain_path = True
    analysis = FlopCountAnalysis(model, torch.zeros(1, 3, 9, 12))
    total = analysis.unsupported_ops_warnings(False).uncalled_modules_warnings(False).total()
    (reading,) = [reading for reading in readings(model, total, {"": (9, 12)}) if reading.rule == FVCORE]
    assert reading.value == total
