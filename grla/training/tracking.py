"""TensorBoard logs of one cell."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np
from torch.utils.tensorboard import SummaryWriter

from grla.training.loop import StepStats


class Tracker:
    """Writes one cell's scalars, images and configuration to `folder`.

    `first_step` is where training starts or resumes: points of an earlier, killed run past it are dropped.
    """

    def __init__(self, folder: Path, first_step: int) -> None:
        self._writer = SummaryWriter(str(folder), purge_step=first_step)

    def config(self, text: str, num_params: int) -> None:
        """The run's specification as text and its number of parameters."""
        self._writer.add_text("config", f"```\n{text}\n```", 0)
        self._writer.add_scalar("model/num_params", num_params, 0)

    def step(self, stats: StepStats, gradient_norm: float, batch_size: int, peak_memory_mib: float | None) -> None:
        """One training step's scalars."""
        values = {
            "train/loss": stats.loss,
            "train/learning_rate": stats.learning_rate,
            "train/gradient_norm": gradient_norm,
            "speed/step_ms": 1000 * stats.seconds,
            "speed/images_per_second": batch_size / stats.seconds,
        }
        if peak_memory_mib is not None:
            values["memory/peak_mib"] = peak_memory_mib
        self.scalars(values, stats.step)

    def scalars(self, values: Mapping[str, float], step: int) -> None:
        """Any scalars by tag."""
        for tag, value in values.items():
            self._writer.add_scalar(tag, value, step)

    def images(self, images: Mapping[str, np.ndarray], step: int) -> None:
        """uint8 images by tag, (height, width, 3) or gray (height, width)."""
        for tag, image in images.items():
            layout = "HWC" if image.ndim == 3 else "HW"
            self._writer.add_image(tag, image, step, dataformats=layout)

    def close(self) -> None:
        """Flush everything to disk."""
        self._writer.close()
