"""`run_ablation.py compare`: networks of one's own beside GRLASR, without a study file."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from tests.shared.commands import call

NETWORK = """
from torch import nn

def build(upscale):
    return nn.Sequential(nn.Conv2d(3, 3 * upscale**2, 3, padding=1), nn.PixelShuffle(upscale))

class Wide(nn.Sequential):
    def __init__(self):
        super().__init__(nn.Conv2d(3, 48, 5, padding=2), nn.PixelShuffle(4))
"""
NUMBERS = """
import torch
from torch import nn

def build(upscale):
    assert torch.linspace(0, 0.1, 4)[3].item() > 0
    return nn.Sequential(nn.Conv2d(3, 3 * upscale**2, 3, padding=1), nn.PixelShuffle(upscale))
"""
SMOKE = ("--profile", "smoke")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder of the user's with two networks and the changes that make a base x2."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "network.py").write_text(NETWORK)
    (tmp_path / "mine" / "numbers.py").write_text(NUMBERS)
    (tmp_path / "mine" / "timid.py").write_text("import not_there")
    (tmp_path / "x2.json").write_text('{"changes": {"model.upscale": 2}}')
    return tmp_path


def test_networks_stand_in_the_table_and_the_record_is_verified(home: Path, crops: Path) -> None:
    data = ("--train-data", crops / "train", "--test-data", crops / "test", "--workers", 1)
    shown = call("run_ablation.py", "compare", "mine.network:build", "mine.network:Wide", *SMOKE, *data, folder=home)
    assert "| GRLASR (base)" in shown
    assert "| mine.network:build" in shown
    folder = home / "results" / "compare" / "smoke"
    cells = pd.read_csv(folder / "cells.csv")
    assert cells.groupby("variant")["num_params"].first()["model=mine.network:Wide"] == 3 * 48 * 25 + 48
    assert set(cells["outcome"]) == {"ok"}
    assert len(cells) == 3
    assert "results/compare/smoke" in call("report.py", "compare", folder=home)
    # Other networks replace the tables, which is said before anything else is done.
    other = call("run_ablation.py", "compare", "mine.network:Wide", *SMOKE, *data, folder=home)
    assert "holds tables of GRLASR, mine.network:build, mine.network:Wide: they are replaced; cells stay." in other
    again = call("run_ablation.py", "compare", "mine.network:Wide", *SMOKE, *data, folder=home)
    assert "they are replaced" not in again
    # The code under test may have changes that are no commit yet; nothing else may be at fault.
    faults = call("report.py", folder, "--verify", folder=home, code=int("-dirty" in cells["code_version"][0]))
    assert all("files had been changed" in line for line in faults.splitlines() if line.startswith("  "))


def test_it_is_at_the_upscale_factor_of_the_base(home: Path) -> None:
    asked = ("compare", "mine.network:build", *SMOKE, "--base", "x2.json", "--dry-run")
    shown = call("run_ablation.py", *asked, folder=home)
    (row,) = [line for line in shown.splitlines() if line.startswith("model=")]
    assert row.split()[2] == f"{(27 * 12 + 12) / 1e3:.2f}"


def test_a_factory_that_needs_its_numbers_is_counted_all_the_same(home: Path) -> None:
    """SwinIR's calls `.item()` on the drop rates of its blocks, which has no answer on the meta device."""
    shown = call("run_ablation.py", "compare", "mine.numbers:build", *SMOKE, "--dry-run", folder=home)
    (row,) = [line for line in shown.splitlines() if line.startswith("model=")]
    assert row.split()[2] == f"{(27 * 48 + 48) / 1e3:.2f}"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (
            ["compare"],
            "MODELS must name one or more networks of your own, each once, as package.module:factory, got []",
        ),
        (["compare", "mine.network"], "MODELS must look like package.module:factory, got 'mine.network'"),
        (["compare", "mine.gone:build"], "cannot find 'mine.gone:build': No module named 'mine.gone'"),
        (["compare", "mine.timid:build"], "'mine.timid:build' imports not_there, which is not installed"),
        (["compare", "mine.network:gone"], "cannot find 'mine.network:gone': module 'mine.network' has no attribute"),
        (["kernels", "mine.network:build"], "MODELS must be left out but for 'compare', got ('mine.network:build',)"),
    ],
)
def test_a_name_that_cannot_be_used_is_one_clear_line(home: Path, words: list[str], message: str) -> None:
    shown = call("run_ablation.py", *words, *SMOKE, folder=home, code=1)
    assert f"error: {message}" in shown
    assert "Traceback" not in shown
    assert not (home / "results" / "cells").exists()
