"""Bars of memory and of a training step have the lengths of the numbers."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from grla.report.figures.bars import memory_figure, network_frame, phases, training_figure
from grla.training import STEP_PHASES
from tests.report.figures.drawn import check_saved, texts
from tests.report.records import memory_record, training_record


def test_phases_are_those_that_the_training_records() -> None:
    assert tuple(phases(network_frame(training_record()))) == STEP_PHASES


def test_memory_has_a_bar_and_whiskers_per_network(tmp_path: Path) -> None:
    figure = memory_figure(memory_record())
    forward, step = figure.axes
    assert [bar.get_width() for bar in forward.patches] == pytest.approx([900, 300.4])
    assert texts(forward.get_yticklabels()) == ["softmax", "relu"]
    assert step.patches[1].get_width() == 2000
    assert step.patches[1].get_y() == forward.patches[1].get_y()  # beside its name, though softmax has no bar
    assert step.get_ylim() == forward.get_ylim()
    whiskers = [np.asarray(segment) for segment in forward.collections[0].get_segments()]  # type: ignore[attr-defined]
    assert [ends[:, 0].tolist() for ends in whiskers] == [pytest.approx([900, 900]), pytest.approx([298, 305])]
    assert forward.get_xlabel() == "growth of resident memory at its peak (MiB)"
    assert [forward.get_title(), step.get_title()] == [
        "forward pass, LR input 320x180",
        "training step, 4 LR patches of 64x64",
    ]
    on_gpu = memory_figure(memory_record() | {"device": "cuda"})
    assert on_gpu.axes[0].get_xlabel() == "growth of allocated GPU memory at its peak (MiB)"
    check_saved(figure, tmp_path)


def test_the_phases_of_a_step_are_stacked_in_order(tmp_path: Path) -> None:
    figure = training_figure(training_record())
    (panel,) = figure.axes
    assert [bar.get_width() for bar in panel.patches] == pytest.approx([16, 480, 960, 80, 64])
    assert [bar.get_x() for bar in panel.patches] == pytest.approx([0, 16, 496, 1456, 1536])
    assert texts(panel.get_legend().get_texts()) == list(STEP_PHASES)
    assert texts(panel.get_yticklabels()) == ["relu"]  # softmax failed
    assert panel.get_xlabel() == "seconds for 1000 iterations of 4 LR patches of 64x64"
    check_saved(figure, tmp_path)
