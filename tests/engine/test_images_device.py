"""Which process keeps training images on a GPU: one that trains, not the parent of others."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from grla.engine import RunSettings, StudyRun
from grla.engine.run import open_plan

CPU, GPU = torch.device("cpu"), torch.device("cuda")


@pytest.mark.parametrize(("workers", "expected"), [(None, GPU), (1, GPU), (0, CPU), (2, CPU)])
def test_only_a_process_that_trains_keeps_images_on_its_gpu(workers: int | None, expected: torch.device) -> None:
    assert RunSettings(Path("out"), GPU, workers).images_device == expected


def test_the_parent_of_workers_puts_nothing_on_a_gpu(make_run: Callable[..., StudyRun]) -> None:
    run = make_run(settings={"workers": 2})
    plan = open_plan(replace(run, settings=replace(run.settings, device=GPU)))
    lr, hr = plan.cells[0].material.batch(0, 0)
    assert lr.device == hr.device == CPU
