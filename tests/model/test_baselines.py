"""Models from outside: where their modules are looked for, and which file defines them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from grla.errors import InputError
from grla.model import outside_model

PEER = """
import functools
from torch import nn

def plain(): return nn.Conv2d(3, 3, 1)
def scaled(upscale, channels=3): return nn.Conv2d(channels, channels, upscale)
def lazy():
    import peer_sibling
    return peer_sibling.build()
def tidy():
    import sys
    sys.path.remove("")
    return plain()
def number(): return 3

class Factory:
    def __call__(self): return plain()
    def method(self): return plain()

instance = Factory()
method = instance.method
wide = functools.partial(functools.partial(scaled, channels=5), upscale=2)
"""


@pytest.fixture(autouse=True)
def peer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A module and its sibling in the current folder, which is not on the path."""
    (tmp_path / "peer_model.py").write_text(PEER)
    (tmp_path / "peer_sibling.py").write_text("from torch import nn\ndef build(): return nn.Conv2d(3, 7, 1)\n")
    monkeypatch.chdir(tmp_path)
    for name in ("peer_model", "peer_sibling"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])


@pytest.mark.parametrize(
    ("factory", "shape"),
    [
        ("plain", (3, 3, 1, 1)),
        ("scaled", (3, 3, 4, 4)),
        ("wide", (5, 5, 4, 4)),
        ("instance", (3, 3, 1, 1)),
        ("lazy", (7, 3, 1, 1)),  # imports its sibling only when it is called
        ("tidy", (3, 3, 1, 1)),
    ],
)
def test_a_module_of_the_current_folder_is_found_and_the_path_stays_as_it_was(
    factory: str, shape: tuple[int, ...]
) -> None:
    before = list(sys.path)
    model = outside_model(f"peer_model:{factory}", 4)
    assert isinstance(model, nn.Conv2d)
    assert model.weight.shape == shape
    assert sys.path == before


def test_an_empty_entry_that_was_on_the_path_before_stays_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path, ""])
    before = list(sys.path)
    outside_model("peer_model:plain", 4)
    assert sys.path == before


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("peer_model", "an outside model must look like package.module:factory, got 'peer_model'"),
        ("peer_model:missing", "cannot find 'peer_model:missing': module 'peer_model' has no attribute 'missing'"),
        ("no_such_module:plain", "cannot find 'no_such_module:plain': No module named 'no_such_module'"),
        ("peer_model:number", "peer_model:number must return an nn.Module, got int"),
    ],
)
def test_what_is_no_model_is_named(target: str, message: str) -> None:
    before = list(sys.path)
    with pytest.raises(InputError, match=message):
        outside_model(target, 4)
    assert sys.path == before


def test_weights_are_loaded_bare_or_under_a_usual_key(tmp_path: Path) -> None:
    state = {"weight": torch.ones(3, 3, 1, 1), "bias": torch.zeros(3)}
    worse = {name: value + 1 for name, value in state.items()}
    contents = {
        "bare.pt": state,
        "params.pt": {"params": state},
        "both.pt": {"params": worse, "params_ema": state},
        "ours.pt": {"step": 3, "model": state, "ema": None},
    }
    for name, content in contents.items():
        torch.save(content, tmp_path / name)
        model = outside_model("peer_model:plain", 4, tmp_path / name)
        assert torch.equal(model.state_dict()["weight"], state["weight"])
    (tmp_path / "text.pt").write_text("no weights")
    with pytest.raises(InputError, match=r"text\.pt is not a readable checkpoint \(it is no file of PyTorch's"):
        outside_model("peer_model:plain", 4, tmp_path / "text.pt")
