from __future__ import annotations

from pathlib import Path

import numpy as np
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from grla.training.loop import StepStats
from grla.training.tracking import Tracker


def read(folder: Path) -> EventAccumulator:
    events = EventAccumulator(str(folder))
    events.Reload()
    return events


def test_everything_is_logged_where_tensorboard_finds_it(tmp_path: Path) -> None:
    tracker = Tracker(tmp_path, first_step=0)
    tracker.config("model: tiny", num_params=123)
    tracker.step(StepStats(1, 0.5, 1e-3, 0.25), gradient_norm=2.0, batch_size=4, peak_memory_mib=100.0)
    tracker.images({"validation/sr": np.zeros((4, 5, 3), np.uint8), "validation/hr": np.zeros((4, 5), np.uint8)}, 1)
    tracker.close()
    events = read(tmp_path)
    values = {tag: events.Scalars(tag)[0].value for tag in events.Tags()["scalars"]}
    assert values == {
        "model/num_params": 123,
        "train/loss": 0.5,
        "train/learning_rate": np.float32(1e-3),
        "train/gradient_norm": 2.0,
        "speed/step_ms": 250,
        "speed/images_per_second": 16,
        "memory/peak_mib": 100,
    }
    assert set(events.Tags()["images"]) == {"validation/sr", "validation/hr"}
    assert b"model: tiny" in events.Tensors("config/text_summary")[0].tensor_proto.string_val[0]


def test_resuming_drops_what_a_killed_run_logged_past_its_checkpoint(tmp_path: Path) -> None:
    first = Tracker(tmp_path, first_step=0)
    for step in (1, 2, 3):
        first.scalars({"train/loss": float(step)}, step)
    first.close()
    second = Tracker(tmp_path, first_step=2)
    second.scalars({"train/loss": 20.0}, 2)
    second.close()
    assert [(e.step, e.value) for e in read(tmp_path).Scalars("train/loss")] == [(1, 1.0), (2, 20.0)]
