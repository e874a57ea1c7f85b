"""RunSpec in, Record out: build, price, train, evaluate one cell. The only room that sees everything."""

from __future__ import annotations

import copy
import functools
import json
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image as PillowImage

from grla.cost import is_out_of_memory, peak_memory_mib, process_peak_mib
from grla.engine.execution import USUAL, Execution
from grla.engine.material import Material, TrainingMaterial, cell_hash, cell_source
from grla.engine.pricing import counted_costs, measured_costs
from grla.engine.record import CellFolders, Listener
from grla.engine.trainers import in_words, make_trainer
from grla.errors import InputError, Interrupted
from grla.evaluation import Image, evaluate, network_upscaler
from grla.files import atomic_write
from grla.model import build_model
from grla.spec import RunSpec, to_dict
from grla.study import GRADIENT_NORM, ImageScore, Record, picture_name
from grla.training import (
    Diverged,
    StepStats,
    Tracker,
    Trainer,
    announce,
    end_of_steps,
    fit,
    resume_checkpoint,
    save_checkpoint,
    trainer_kind,
)

LOGS_PER_RUN = 200
SHOWN_IMAGES = 3  # of the test images, how many SR results are kept as pictures


def run_one(
    spec: RunSpec,
    material: Material,
    folders: CellFolders,
    device: torch.device,
    listener: Listener,
    execution: Execution = USUAL,
) -> Record:
    """Run one cell, from its checkpoint if it has one.

    A NaN or infinite loss, lack of memory, or a fault of the code end in a record with that outcome and the reason.
    `Interrupted` (the listener asked to stop) and InputError (a full disk, say) go through: they are not the cell's.
    """
    record = Record(cell_hash(spec, material, device), device=device.type, source=cell_source(spec))
    with outcome_of(record):
        _price(record, spec, material, device, execution)
        listener.lap("pricing")
        trainer = train(record, spec, material, folders, device, listener, execution)
        scores, outputs = evaluate(_upscaler(trainer, spec), material.test, border=spec.model.upscale)
        record.images = [{"test_images": material.test_images, **asdict(score)} for score in scores]
        record.psnr_y = _mean(scores, "psnr_y")
        record.ssim_y = _mean(scores, "ssim_y")
        save_images(folders.images, material, outputs)
        for path in folders.resumable[1:]:
            path.unlink(missing_ok=True)
        listener.lap("scoring")
    return record


@contextmanager
def outcome_of(record: Record) -> Iterator[None]:
    """Write into `record` how the work inside ends; see `run_one` for what goes through."""
    try:
        yield
    except (Interrupted, InputError):
        raise
    except OSError as error:
        raise InputError(f"files of the run cannot be read or written: {error}; earlier results are kept") from error
    except Diverged as error:
        record.outcome, record.reason, record.steps = "diverged", str(error), error.step
    except Exception as error:  # whatever a kernel under study does wrong is its outcome, and the study goes on
        record.outcome = "out_of_memory" if is_out_of_memory(error) else "error"
        record.reason = f"{type(error).__name__}: {error}"
        if record.outcome == "error":
            traceback.print_exc()


def train(
    record: Record,
    spec: RunSpec,
    material: TrainingMaterial,
    folders: CellFolders,
    device: torch.device,
    listener: Listener,
    execution: Execution = USUAL,
) -> Trainer:
    """Build and train a cell's network, validating on the way, and write into `record` how far it came.

    No test image is needed and none is seen.
    """
    with torch.random.fork_rng():
        torch.manual_seed(spec.seed)
        model = build_model(spec.model)
    saved = resume_checkpoint(*folders.resumable)
    announce((spec, execution, saved))
    trainer = make_trainer(spec, model, material, device, execution, trainer_kind())
    trainer.lap = listener.lap
    if saved is not None:
        trainer.load_state_dict(saved)
    record.history = trainer.history  # grows from here on, for listeners that look back
    tracker = Tracker(folders.tensorboard, trainer.step)
    tracker.config(json.dumps(to_dict(spec), indent=2), record.num_params or 0)
    listener.lap("logging")
    try:
        identity = {"cell_hash": record.cell_hash, "spec": to_dict(spec)}
        fit(trainer, CellWatcher(spec, material, tracker, listener), folders.partial, identity)
        save_checkpoint(folders.checkpoint, {**identity, **trainer.state_dict()})
    finally:
        end_of_steps(trainer)
        tracker.close()
        record.steps, record.train_seconds = trainer.step, trainer.seconds
        record.final_loss = trainer.last_loss if trainer.step else None
    listener.lap("logging")
    return trainer


def save_images(folder: Path, material: Material, images: list[Image]) -> None:
    """Keep a few test images' results, from the first to the last, as PNG for the figures."""
    for index in sorted(set(np.linspace(0, len(images) - 1, SHOWN_IMAGES).round().astype(int).tolist())):
        pair, image = material.test[index], images[index]
        with atomic_write(folder / f"{picture_name(pair.test_set, pair.name)}.png") as file:
            PillowImage.fromarray(image).save(file, format="PNG")


def _price(record: Record, spec: RunSpec, material: Material, device: torch.device, execution: Execution) -> None:
    """Fill in the costs, on a model of its own, before training starts and with nothing else running."""
    model = build_model(spec.model).to(device)
    record.execution = in_words(execution.suited(model))
    for name, value in (counted_costs(model, spec) | measured_costs(model, spec, device)).items():
        setattr(record, name, value)
    for _ in range(2):  # the second time, when libraries have what they keep for ever
        trial = make_trainer(spec, copy.deepcopy(model), material, device, execution)
        # The first step creates the optimiser's state, the second holds it while gradients exist: the peak.
        record.train_peak_memory_mib = peak_memory_mib(functools.partial(_steps, trial, 2), device)


def _steps(trainer: Trainer, number: int) -> None:
    for _ in range(number):
        trainer.train_step()


def _upscaler(trainer: Trainer, spec: RunSpec) -> Any:
    return network_upscaler(trainer.evaluation_model, spec.model.upscale, spec.data.test_tile)


class CellWatcher:
    """Scores the validation images, writes the logs, and tells the listener."""

    def __init__(self, spec: RunSpec, material: TrainingMaterial, tracker: Tracker, listener: Listener) -> None:
        self.spec = spec
        self.material = material
        self.tracker = tracker
        self.listener = listener
        self._logged = -1

    def stepped(self, trainer: Trainer, stats: StepStats) -> None:
        """Log a share of the steps and pass all of them on."""
        mark = int(trainer.progress * LOGS_PER_RUN)
        if mark > self._logged:
            self._logged = mark
            peak = process_peak_mib(trainer.device)
            self.tracker.step(stats, trainer.gradient_norm(), self.spec.data.batch_size, peak)
        self.listener.stepped(trainer.progress, stats)

    def validate(self, trainer: Trainer) -> dict[str, float]:
        """Mean PSNR-Y and SSIM-Y on the validation images."""
        pairs = self.material.validation
        scores, outputs = evaluate(_upscaler(trainer, self.spec), pairs, border=self.spec.model.upscale)
        trainer.lap("validation")
        means = {f"val_{metric}": _mean(scores, metric) for metric in ("psnr_y", "ssim_y")}
        values = {name: value for name, value in means.items() if value is not None}
        self.tracker.scalars({f"validation/{name[4:]}": value for name, value in values.items()}, trainer.step)
        norms = trainer.gradient_norms()
        self.tracker.scalars({f"gradient_norm/{part}": norm for part, norm in norms.items()}, trainer.step)
        pictures = {"validation/sr": outputs[0]}
        if len(trainer.history) == 0:  # encoding a picture takes as long as a training step or more
            pictures |= {"validation/lr": pairs[0].lr, "validation/hr": pairs[0].hr}
        self.tracker.images(pictures, trainer.step)
        self.listener.validated({"step": trainer.step, **values})
        return values | {f"{GRADIENT_NORM}{part}": norm for part, norm in norms.items()}

    def should_stop(self) -> bool:
        """Ask the listener."""
        return self.listener.should_stop()


def _mean(scores: list[ImageScore], metric: str) -> float | None:
    """The mean of a metric over images; None where it is not defined."""
    values = [value for score in scores if (value := getattr(score, metric)) is not None]
    return float(np.mean(values)) if values else None
