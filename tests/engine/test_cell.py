from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from grla.analysis.checkpoints import find_upscaler, load_trained
from grla.cost import count
from grla.engine import USUAL, CellFolder, CellRun, StudyRun, run_cell
from grla.engine.costs import measure
from grla.engine.material import Material, cell_hash, cell_source, load_material
from grla.errors import InputError, Interrupted
from grla.evaluation import evaluate
from grla.model import build_model
from grla.spec import RunSpec, from_dict, with_changes
from grla.study import Record
from grla.training.checkpoint import load_checkpoint

CPU = torch.device("cpu")


class Silent:
    def __init__(self, stop_at: float = 2.0) -> None:
        self.stop_at = stop_at
        self.progress = 0.0
        self.checkpoints = 0
        self.entries: list[dict[str, float]] = []

    def stepped(self, progress: float, stats: object) -> None:
        self.progress = progress

    def validated(self, entry: dict[str, float]) -> None:
        self.entries.append(entry)

    def checkpointed(self) -> None:
        self.checkpoints += 1

    def should_stop(self) -> bool:
        return self.progress >= self.stop_at

    def lap(self, phase: str) -> None:
        pass

    def finished(self, outcome: str) -> None:
        pass


@pytest.fixture
def base(make_run: Callable[..., StudyRun]) -> RunSpec:
    return make_run().cells()[0].spec


@pytest.fixture
def material(base: RunSpec, tmp_path: Path) -> Material:
    return load_material(base.data, base.model.upscale, tmp_path / "cache", CPU)


@pytest.fixture
def folder(tmp_path: Path) -> CellFolder:
    return CellFolder(tmp_path / "c")


def run(spec: RunSpec, material: Material, folder: CellFolder, listener: Silent | None = None) -> Record:
    costs = measure(spec, material, CPU, USUAL) | {"costs": "0123456789abcdef"}
    return run_cell(CellRun(spec, material, folder, CPU, listener or Silent(), costs=costs), material)


def test_a_record_is_complete_and_true(base: RunSpec, material: Material, folder: CellFolder) -> None:
    listener = Silent()
    record = run(base, material, folder, listener)
    assert record.outcome == "ok"
    assert {name for name, value in vars(record).items() if value is None} == {"latency_replay_ms"}  # of GPUs only
    counts = count(build_model(base.model), (1, 3, 16, 16))
    assert (record.num_params, record.macs, record.hook_flops) == (counts.num_params, counts.macs, counts.hook_flops)
    assert record.steps == 6
    assert record.source == cell_source(base)
    assert listener.checkpoints == 3
    assert [entry["step"] for entry in record.history] == [2, 4, 6] == [entry["step"] for entry in listener.entries]
    assert [row["image"] for row in record.images] == ["colour", "gray"]
    assert record.psnr_y == pytest.approx(np.mean([row["psnr_y"] for row in record.images]))
    assert record.latency_p10_ms <= record.latency_ms <= record.latency_p90_ms
    assert sorted(path.name for path in folder.path.glob("*.png")) == ["test-colour.png", "test-gray.png"]
    json.dumps(dataclasses.asdict(record), allow_nan=False)


def test_the_checkpoint_scores_what_the_record_says(base: RunSpec, material: Material, folder: CellFolder) -> None:
    spec = with_changes(base, {"train.ema_decay": 0.5})
    record = run(spec, material, folder)
    assert from_dict(RunSpec, load_checkpoint(folder.weights)["spec"]) == spec
    upscaler = find_upscaler(str(folder.weights), None, 2, CPU)
    scores, _ = evaluate(upscaler, material.test, border=2)
    assert [{"test_images": material.test_images, **vars(score)} for score in scores] == record.images
    with pytest.raises(InputError, match="upscale must be the checkpoint's x2, got 4"):
        load_trained(folder.weights, 4)


def test_equal_runs_are_equal_to_the_bit_and_other_seeds_are_not(
    base: RunSpec, material: Material, folder: CellFolder, tmp_path: Path
) -> None:
    first = run(base, material, folder)
    again = run(base, material, CellFolder(tmp_path / "2"))
    other = run(with_changes(base, {"seed": 1}), material, CellFolder(tmp_path / "3"))
    assert first.images == again.images != other.images
    assert first.final_loss == again.final_loss


def test_stopping_and_going_on_changes_nothing(base: RunSpec, material: Material, folder: CellFolder, tmp_path) -> None:
    straight = run(base, material, CellFolder(tmp_path / "s"))
    with pytest.raises(Interrupted):
        run(base, material, folder, Silent(stop_at=0.5))
    resumed = run(base, material, folder)
    assert resumed.images == straight.images
    assert [e["loss"] for e in resumed.history] == [e["loss"] for e in straight.history]


def test_batches_grow_as_the_stages_say_however_often_training_stops(
    base: RunSpec, folder: CellFolder, tmp_path: Path
) -> None:
    spec = with_changes(base, {"data.stages": ((2, 12, 2), (4, 20, 1))})
    material = load_material(spec.data, 2, tmp_path / "cache", CPU)
    shapes = [material.batch(0, step)[0].shape[::2] for step in range(6)]
    assert shapes == [(2, 8), (2, 8), (2, 12), (2, 12), (1, 20), (1, 20)]
    straight = run(spec, material, CellFolder(tmp_path / "s"))
    for share in (0.3, 0.6):
        with pytest.raises(Interrupted):
            run(spec, material, folder, Silent(stop_at=share))
    resumed = run(spec, material, folder)
    assert resumed.images == straight.images
    assert [e["loss"] for e in resumed.history] == [e["loss"] for e in straight.history]
    with pytest.raises(InputError, match="all 3 training images are too small"):
        load_material(with_changes(spec, {"data.stages": ((2, 24, 2),)}).data, 2, tmp_path / "cache", CPU)


def test_the_memory_of_training_is_that_of_the_largest_batches(base: RunSpec, material: Material) -> None:
    steps: list[int] = []

    def noting(seed: int, step: int) -> tuple[torch.Tensor, torch.Tensor]:
        steps.append(step)
        return material.batch(seed, step)

    spec = with_changes(base, {"data.stages": ((100, 12, 4), (200, 16, 1))})
    measure(spec, dataclasses.replace(material, batch=noting), CPU, USUAL)
    assert steps == [100, 101] * 2


def test_divergence_is_a_record_with_step_and_reason(base: RunSpec, material: Material, folder: CellFolder) -> None:
    record = run(with_changes(base, {"train.learning_rate": 1e38}), material, folder)
    assert record.outcome == "diverged"
    assert record.steps >= 1
    assert f"at step {record.steps}; last finite loss" in record.reason
    assert record.psnr_y is None
    assert record.macs > 0
    json.dumps(dataclasses.asdict(record), allow_nan=False)


@pytest.mark.parametrize(
    ("error", "outcome"),
    [
        (torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB"), "out_of_memory"),
        (RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried 8 TB"), "out_of_memory"),
        (MemoryError("no"), "out_of_memory"),
        (RuntimeError("shapes do not match"), "error"),
    ],
)
def test_lack_of_memory_and_faults_are_records(
    base, material, folder, monkeypatch: pytest.MonkeyPatch, capsys, error: Exception, outcome: str
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("grla.engine.cell.fit", fail)
    record = run(base, material, folder)
    assert record.outcome == outcome
    assert str(error) in record.reason


def test_the_hash_names_content_not_folder(base: RunSpec, material: Material, crops: Path, tmp_path: Path) -> None:
    moved = tmp_path / "elsewhere" / "train"
    moved.mkdir(parents=True)
    for path in (crops / "train").iterdir():
        (moved / path.name).write_bytes(path.read_bytes())
    spec = with_changes(base, {"data.train": str(moved)})
    same = load_material(spec.data, 2, tmp_path / "cache", CPU)
    assert cell_hash(spec, same, CPU) == cell_hash(base, material, CPU)
    assert cell_hash(with_changes(base, {"seed": 1}), material, CPU) != cell_hash(base, material, CPU)
    assert cell_hash(base, material, torch.device("cuda")) != cell_hash(base, material, CPU)
    for half in range(2):
        (tmp_path / f"half{half}").mkdir()
        for path in sorted(moved.iterdir())[half::2]:
            (tmp_path / f"half{half}" / path.name).write_bytes(path.read_bytes())
    halves = with_changes(base, {"data.train": (str(tmp_path / "half0"), str(tmp_path / "half1"))})
    together = load_material(halves.data, 2, tmp_path / "cache", CPU)
    assert cell_hash(halves, together, CPU) == cell_hash(base, material, CPU)
    assert together.found[0].endswith(f"to validate on, in {tmp_path}/half0, {tmp_path}/half1")
    (moved / "0.png").write_bytes((moved / "1.png").read_bytes())
    changed = load_material(spec.data, 2, tmp_path / "cache", CPU)
    assert cell_hash(spec, changed, CPU) != cell_hash(base, material, CPU)
