"""The network that comes with the project: as good as its record says, small, and used unless another is named."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import torch
import upscale
from PIL import Image

from command import SHIPPED

from grla.analysis.score import score_model
from grla.training.checkpoint import load_checkpoint

RECORD = SHIPPED.parents[1] / "shipped-quick"


def test_it_is_small_and_the_one_of_its_record() -> None:
    assert SHIPPED.stat().st_size <= 4 << 20
    assert [load_checkpoint(SHIPPED)["cell_hash"]] == pd.read_csv(RECORD / "cells.csv")["cell_hash"].tolist()


@pytest.mark.parametrize("name", ["Set5", "Set14"])
def test_its_scores_are_those_of_its_record(benchmark_data: Path, name: str) -> None:
    found = score_model(str(SHIPPED), None, 4, [str(benchmark_data / "benchmark" / name)], torch.device("cpu"))
    rows = pd.read_csv(RECORD / "images.csv").query("test_set == @name")
    means = rows.groupby("variant")["psnr_y"].mean()
    assert found["test_sets"][name]["psnr_y"] == pytest.approx(means["base"], abs=1e-3)
    assert means["base"] > means["bicubic"] + 1.5


def test_it_enlarges_pictures_by_default(tmp_path: Path) -> None:
    Image.new("RGB", (20, 10), (200, 100, 50)).save(tmp_path / "small.png")
    upscale.main(upscale.Arguments((tmp_path / "small.png",), out=tmp_path))
    assert Image.open(tmp_path / "small_x4.png").size == (80, 40)
