"""Exported files give what the network gives, at sizes that were not traced, and what cannot be exported is said."""

from __future__ import annotations

from pathlib import Path

import onnx
import pytest
import torch
from torch import nn

from grla.benchmark import exported
from grla.benchmark.exported import OPSET, TOLERANCES, load_exported, write_onnx, write_program
from grla.benchmark.networks import time_networks
from grla.errors import InputError, ModelError
from grla.model import build_seeded
from grla.spec import ModelSpec

SMALL = ModelSpec(upscale=2, dim=8, depth=1, window_size=4, num_heads=2)
SIZES = [(8, 12), (9, 21), (3, 17), (1, 2), (1, 1)]
"""Whole windows, parts of them, less than one, a pixel: none of these was checked when the file was written."""


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """A small GRLASR whose BatchNorm has seen images."""
    model = build_seeded(SMALL, seed=0)
    with torch.no_grad():
        for _ in range(3):
            model(torch.rand(2, 3, 8, 8))
    return model.eval()


def differences(path: Path, network: nn.Module) -> list[float]:
    loaded = load_exported(path, 2)
    found = []
    for size in SIZES:
        lr = torch.rand(1, 3, *size)
        with torch.no_grad():
            found.append(float((loaded(lr) - network(lr)).abs().max()))
    return found


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16], ids=str)
@pytest.mark.parametrize(("write", "suffix"), [(write_onnx, ".onnx"), (write_program, ".pt2")])
def test_a_file_gives_what_the_network_gives_at_any_size(
    network: nn.Module, dtype: torch.dtype, write: object, suffix: str, tmp_path: Path
) -> None:
    path = tmp_path / f"network{suffix}"
    checked = write(network, dtype, path)  # type: ignore[operator]
    assert max(checked.values()) <= TOLERANCES[dtype]
    assert max(differences(path, network)) <= TOLERANCES[dtype]
    assert (max(checked.values()) > 1e-5) == (dtype == torch.float16)
    if suffix == ".onnx":
        made = onnx.load(path)
        onnx.checker.check_model(made)
        assert [(one.domain, one.version) for one in made.opset_import if not one.domain] == [("", OPSET)]
        (lr,), (sr,) = made.graph.input, made.graph.output
        assert (lr.name, sr.name) == ("lr", "sr")
        assert [bool(side.dim_param) for side in lr.type.tensor_type.shape.dim] == [False, False, True, True]


def test_a_file_that_gives_something_else_is_not_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(exported.TOLERANCES, torch.float32, -1.0)
    with pytest.raises(InputError, match=r"the output of .* must be within -1 of the network at 64x48, got "):
        write_program(nn.Conv2d(3, 3, 3, padding=1), torch.float32, tmp_path / "network.pt2")
    assert not list(tmp_path.iterdir())


class ByContent(nn.Module):
    """What it does depends on the image's pixels."""

    def forward(self, lr: torch.Tensor) -> torch.Tensor:
        return lr if lr.sum() > 0 else -lr


@pytest.mark.parametrize("content", ["network.onnx", "network.pt2"])
def test_what_cannot_be_read_or_exported_is_said(content: str, tmp_path: Path) -> None:
    path = tmp_path / content
    with pytest.raises(InputError, match="must be a file"):
        load_exported(path)
    path.write_bytes(b"nothing")
    with pytest.raises(InputError, match=rf"cannot read .*{content}: "):
        load_exported(path)
    with pytest.raises(InputError, match="ByContent cannot be exported: "):
        write_program(ByContent(), torch.float32, tmp_path / "x.pt2")
    with pytest.raises(InputError, match=r"onnx must end in \.onnx"):
        write_onnx(ByContent(), torch.float32, tmp_path / "x.pt2")


class Two(nn.Module):
    """Of two inputs, and without parameters."""

    def forward(self, lr: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
        return lr + other


def test_a_file_of_another_kind_of_network_does_not_lose_the_others(tmp_path: Path) -> None:
    images = torch.zeros(1, 3, 8, 8)
    torch.export.save(torch.export.export(Two(), (images, images)), tmp_path / "two.pt2")
    torch.onnx.export(Two(), (images, images), tmp_path / "two.onnx", verbose=False)
    for name in ("two.pt2", "two.onnx"):
        with pytest.raises(ModelError, match=rf"exported network .*{name} must take one image .* of any size"):
            load_exported(tmp_path / name, 2)
    write_program(nn.Upsample(scale_factor=2), torch.float32, tmp_path / "plain.pt2")
    names = [str(tmp_path / name) for name in ("plain.pt2", "two.onnx", "two.pt2")]
    record = time_networks(names, names[0], 2, (8, 8), 2, torch.device("cpu"))
    assert {row["name"] for row in record["models"]} == {names[0], f"{names[0]} again"}
    assert list(record["refused"]) == names[1:]


def test_what_only_exporting_needs_may_be_missing() -> None:
    with pytest.raises(InputError, match=r"no_such_package is not installed; pip install -r requirements-export\.txt"):
        exported.library("no_such_package")
