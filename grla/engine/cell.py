"""One cell: a spec in, a record out. Build the network, train it, score it."""

from __future__ import annotations

import json
import sys
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import torch
from PIL import Image as PillowImage
from torch import nn

from grla.cost import is_out_of_memory, process_peak_mib
from grla.devices import card_name
from grla.engine.cells import CellFolder
from grla.engine.material import Material, TrainingMaterial, cell_hash, cell_source
from grla.engine.processes import USUAL, Execution, attention_path
from grla.engine.trunk import Trunk, gain_since_half, half_of, recorded_end, trunk_of
from grla.errors import InputError, Interrupted, ModelError, NotFinite, require
from grla.evaluation import Image, Upscaler, evaluate, mean_score, network_upscaler
from grla.files import atomic_write, write_text
from grla.model import build_on_meta, build_seeded, fitting
from grla.provenance import ProcessorShare
from grla.spec import RunSpec, sizes_at, to_dict
from grla.study import GRADIENT_NORM, VALIDATION_PSNR, ImageScore, Record, picture_name
from grla.training import (
    Diverged,
    QueuedTrainer,
    StepStats,
    Tracker,
    Trainer,
    fit,
    keep_freed_memory,
    num_processes,
    own_slice,
    resume_checkpoint,
    save_checkpoint,
    trained_together,
    trainer_kind,
)

LOGS_PER_RUN = 100
SHOWN_IMAGES = 3  # of the test images, how many SR results are kept as pictures


class Listener(Protocol):
    """Who follows a cell while it runs."""

    def stepped(self, progress: float, stats: StepStats) -> None:
        """After every training step; `progress` is the share of the cell's budget used, 0 to 1."""

    def validated(self, entry: dict[str, float]) -> None:
        """After every validation, with its entry of the history."""

    def checkpointed(self) -> None:
        """After the checkpoint of the training under way has been written."""

    def should_stop(self) -> bool:
        """Whether to stop at the next step, with a checkpoint."""

    def lap(self, phase: str) -> None:
        """Whenever a phase of the cell ends: those of its trainer, "validation", "scoring", "storage"."""

    def finished(self, outcome: str) -> None:
        """After the cell's record is stored."""


@dataclass(frozen=True)
class CellRun:
    """A cell about to run: what it is, what it runs on and where, the folder of its files, and who follows it.

    `costs` are fields of a record that were measured for its variant, see `grla.engine.costs`.
    """

    spec: RunSpec
    material: TrainingMaterial
    folder: CellFolder
    device: torch.device
    listener: Listener
    execution: Execution = USUAL
    costs: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class TrainingJob:
    """What every process that trains a cell must know: how, and the checkpoint to go on from, if there is one."""

    spec: RunSpec
    execution: Execution
    saved: dict[str, Any] | None

    def trainer(self, material: TrainingMaterial, device: torch.device) -> Trainer:
        """The trainer, with the network as it was saved, or built from the spec's seed and given weights that fit."""
        model = build_seeded(self.spec.model, self.spec.seed)
        if self.saved is None and material.initial is not None:
            model.load_state_dict(fitting(model, material.initial)[0], strict=False)
        keep_freed_memory()
        trainer = make_trainer(self.spec, model, material, device, self.execution, trainer_kind())
        if self.saved is not None:
            trainer.load_state_dict(self.saved)
        return trainer


def run_cell(run: CellRun, material: Material) -> Record:
    """Run one cell, from its checkpoint if it has one, and score it on the test images of `material`.

    A NaN or infinite loss or answer, lack of memory, a network that cannot be used, or a fault of the code end in a
    record with that outcome and the reason; a network whose costs could not be measured, in a record that says so.
    `Interrupted` (the listener asked to stop) and InputError (a full disk, say) go through: they are not the cell's.
    """
    name, source = cell_hash(run.spec, run.material, run.device), cell_source(run.spec)
    record = Record(name, device=run.device.type, gpu=card_name(run.device), source=source, **run.costs)
    if record.outcome != "ok":
        return record
    with outcome_of(record):
        trainer = train(run, record)
        record.attention_path = attention_path(trainer.model, run.device, run.execution)
        scores, outputs = evaluate(_upscaler(trainer, run.spec), material.test, border=run.spec.model.upscale)
        record.images = [{"test_images": material.test_images, **asdict(score)} for score in scores]
        for name, value in _scored(scores).items():
            setattr(record, name, value)
        save_images(run.folder.path, material, outputs)
        run.listener.lap("scoring")
    return record


def train(run: CellRun, record: Record) -> Trainer:
    """Build and train a cell's network, validating on the way, and write into `record` how far it came.

    No test image is needed and none is seen. With the schedule "stable" it goes on from where others on the same way
    branched off, and trains what half the budget would have given (`grla.engine.trunk`).
    """
    if run.material.initial is not None:
        _, misfit = fitting(build_on_meta(run.spec.model), run.material.initial)
        write_text(run.folder.misfit, json.dumps(asdict(misfit), indent=2) + "\n")
    trunk = trunk_of(run.folder.shared, run.spec, run.material, run.device)
    half = _end_of_half(run, trunk)
    trainer = _train(run, record, trunk)
    gained = gain_since_half(trainer.history)
    record.gain_db = gained if half is None else trainer.history[-1][VALIDATION_PSNR] - half
    return trainer


def _end_of_half(run: CellRun, trunk: Trunk | None) -> float | None:
    """Validation PSNR-Y with half the budget, from its cell if that has been run; None where nothing is shared."""
    spec = half_of(run.spec)
    if spec is None:
        return None
    recorded = recorded_end(run.folder.beside(cell_hash(spec, run.material, run.device)).record)
    if recorded is not None:
        return recorded
    halved = replace(run, spec=spec, folder=run.folder.half, listener=HalfListener(run.listener))
    return _train(halved, Record(run.folder.name), trunk).history[-1][VALIDATION_PSNR]


def _train(run: CellRun, record: Record, trunk: Trunk | None) -> Trainer:
    saved = resume_checkpoint(*run.folder.checkpoints)
    if saved is None and trunk is not None:
        saved = trunk.state_for(run.spec.train)
    job = TrainingJob(run.spec, run.execution, saved)
    with trained_together(job, lambda job: job.trainer(run.material, run.device)) as trainer:
        trainer.lap = run.listener.lap
        record.execution, record.threads = _in_words(run.execution.suited(trainer.model)), torch.get_num_threads()
        record.history = trainer.history  # grows from here on, for listeners that look back
        tracker = Tracker(run.folder.log, trainer.step)
        tracker.config(json.dumps(to_dict(run.spec), indent=2), record.num_params or 0)
        run.listener.lap("logging")
        share = ProcessorShare(record.threads)
        identity = {"cell_hash": record.cell_hash, "spec": to_dict(run.spec)}
        try:
            ends = run.spec.train.trunk_steps
            keep = None if trunk is None or ends is None else partial(trunk.keep, run.folder.partial, ends)
            watcher = CellWatcher(run.spec, run.material, tracker, run.listener, keep)
            fit(trainer, watcher, run.folder.partial, identity)
            save_checkpoint(run.folder.weights, {**identity, **trainer.state_dict()})
        finally:
            tracker.close()
            record.processor_share = share.now() if run.device.type == "cpu" else None
            record.steps, record.train_seconds = trainer.step, trainer.seconds
            record.final_loss = trainer.last_loss if trainer.step else None
    run.listener.lap("logging")
    return trainer


class HalfListener:
    """Follows the branch that ends at half the budget, for a cell's listener: its validations are not the cell's."""

    def __init__(self, inner: Listener) -> None:
        self.should_stop = inner.should_stop
        self.lap = inner.lap
        self.finished = inner.finished
        self._inner = inner

    def stepped(self, progress: float, stats: StepStats) -> None:
        """Half of the cell's own progress."""
        self._inner.stepped(progress / 2, stats)

    def validated(self, entry: dict[str, float]) -> None:
        """Nothing."""

    def checkpointed(self) -> None:
        """Nothing: the branch is short enough to be trained again elsewhere."""


@contextmanager
def outcome_of(record: Record) -> Iterator[None]:
    """Write into `record` how the work inside ends; see `run_cell` for what goes through."""
    try:
        yield
    except NotFinite as error:
        record.outcome, record.reason = "diverged", str(error)
    except ModelError as error:
        record.outcome, record.reason = "error", str(error)
        print(f"error: {error}", file=sys.stderr, flush=True)
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


def make_trainer(
    spec: RunSpec,
    model: nn.Module,
    material: TrainingMaterial,
    device: torch.device,
    execution: Execution = USUAL,
    kind: type[Trainer] = Trainer,
) -> Trainer:
    """A trainer of `model` on the material's patches; batch t and what the network draws depend on seed and t alone.

    Of several processes each has its slice of the batch. One on a GPU does not wait for it.
    """
    batch = own_slice(partial(material.batch, spec.seed))
    if kind is Trainer and device.type == "cuda":
        prepare, graph = execution.prepare, execution.step_graph
        return QueuedTrainer(model, spec.train, batch, device, prepare, spec.seed, graph)
    require(not execution.step_graph, "step_graph", "needs one process and a GPU of type cuda", str(device))
    return kind(model, spec.train, batch, device, execution.prepare, spec.seed)


def save_images(folder: Path, material: Material, images: list[Image]) -> None:
    """Keep a few test images' results, from the first to the last, as PNG for the figures."""
    for index in sorted(set(np.linspace(0, len(images) - 1, SHOWN_IMAGES).round().astype(int).tolist())):
        pair, image = material.test[index], images[index]
        with atomic_write(folder / f"{picture_name(pair.test_set, pair.name)}.png") as file:
            PillowImage.fromarray(image).save(file, format="PNG", compress_level=1)


class CellWatcher:
    """Scores the validation images, writes the logs, and tells the listener.

    `keep_trunk` is called once the checkpoint at the end of the schedule's trunk, validation included, is written.
    """

    def __init__(
        self,
        spec: RunSpec,
        material: TrainingMaterial,
        tracker: Tracker,
        listener: Listener,
        keep_trunk: Callable[[], None] | None = None,
    ) -> None:
        self.spec = spec
        self.material = material
        self.tracker = tracker
        self.listener = listener
        self.should_stop = listener.should_stop
        self._keep_trunk = keep_trunk
        self._step = 0
        self._logged = -1

    def stepped(self, trainer: Trainer, stats: StepStats) -> None:
        """Log a share of the steps and pass all of them on."""
        self._step = trainer.step
        mark = int(trainer.progress * LOGS_PER_RUN)
        if mark > self._logged:
            self._logged = mark
            peak = process_peak_mib(trainer.device)
            _, batch_size = sizes_at(self.spec.data, stats.step - 1)
            self.tracker.step(stats, trainer.gradient_norm(), batch_size, peak)
        self.listener.stepped(trainer.progress, stats)

    def checkpointed(self) -> None:
        """Pass it on."""
        if self._keep_trunk is not None and self._step == self.spec.train.trunk_steps:
            self._keep_trunk()
        self.listener.checkpointed()

    def validate(self, trainer: Trainer) -> dict[str, float]:
        """Mean PSNR-Y and SSIM-Y on the validation images."""
        pairs = self.material.validation
        scores, outputs = evaluate(_upscaler(trainer, self.spec), pairs, border=self.spec.model.upscale)
        trainer.lap("validation")
        values = {f"val_{metric}": value for metric, value in _scored(scores).items()}
        self.tracker.scalars({f"validation/{name[4:]}": value for name, value in values.items()}, trainer.step)
        norms = trainer.gradient_norms()
        self.tracker.scalars({f"gradient_norm/{part}": norm for part, norm in norms.items()}, trainer.step)
        pictures = {"validation/sr": outputs[0]}
        if len(trainer.history) == 0:  # encoding a picture takes as long as a training step or more
            pictures |= {"validation/lr": pairs[0].lr, "validation/hr": pairs[0].hr}
        self.tracker.images(pictures, trainer.step)
        self.listener.validated({"step": trainer.step, **values})
        return values | {f"{GRADIENT_NORM}{part}": norm for part, norm in norms.items()}


def _in_words(execution: Execution) -> str:
    """What a record says about the way its cell is trained: "" for the usual way in one process."""
    processes = f"{num_processes()} processes" if num_processes() > 1 else ""
    return ", ".join(filter(None, [str(execution), processes]))


def _upscaler(trainer: Trainer, spec: RunSpec) -> Upscaler:
    return network_upscaler(trainer.evaluation_model, spec.model.upscale, spec.data.test_tile)


def _scored(scores: list[ImageScore]) -> dict[str, float]:
    """Mean PSNR-Y and SSIM-Y, which a probe does not have. Raises ModelError where no image has a PSNR."""
    psnr, ssim = (mean_score(scores, metric) for metric in ("psnr_y", "ssim_y"))
    if psnr is None:
        raise ModelError("every image is enlarged exactly, as flat ones are, so no PSNR can be told; take others")
    return {"psnr_y": psnr} | ({} if ssim is None else {"ssim_y": ssim})
