"""How many patches a machine trains on in a second, by how its cores, or its GPU, are shared out.

The rules of `grla.engine.processes.arrangement` come from this: cells side by side or one after the other, by threads
or by processes that share each batch; on a GPU, which small cells leave idle, as many processes as pay.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing.queues import Queue
from multiprocessing.synchronize import Barrier
from queue import Empty
from typing import Any

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from grla.attention import kernel_names
from grla.benchmark.machine_load import conditions_now
from grla.benchmark.memory import BatchSize
from grla.benchmark.networks import EDSR_LITE, benchmark_record
from grla.cost import fresh_processes
from grla.engine import USUAL, Arrangement, TrainingJob, TrainingMaterial, team
from grla.errors import InputError, require_at_least
from grla.spec import (
    AnyModelSpec,
    Budget,
    DataSpec,
    EdsrLiteSpec,
    KernelSpec,
    ModelSpec,
    OutsideSpec,
    RunSpec,
    TrainSpec,
)
from grla.study import load_study
from grla.training import trained_together

QUICK_BASE = "quick"
"""The name of the base network of profile quick, which is trained on that profile's batches."""
RECIPE = TrainSpec(Budget(1_000_000, "steps"), learning_rate=1e-6)
"""With so small a learning rate no network diverges."""
WARMUP_STEPS = 2
LONGEST_SECONDS = 600.0
SIDE_BY_SIDE = (1, 2, 4, 8)
"""Cells at a time on a GPU that are compared, each in a process of its own."""
CPU = torch.device("cpu")


@dataclass(frozen=True)
class Throughput:
    """What `measure_throughput` measures: `rounds` times `steps` steps of each model in each arrangement on `device`.

    A model is "quick", a kernel's name for GRLASR at the paper's size, "edsr_lite" or "package.module:factory". Raises
    InputError for no round or no step.
    """

    models: tuple[str, ...]
    upscale: int
    batch: BatchSize
    rounds: int = 3
    steps: int = 5
    device: torch.device = CPU

    def __post_init__(self) -> None:
        require_at_least("rounds", self.rounds, 1)
        require_at_least("steps", self.steps, 1)


def arrangements(cores: int, batch_size: int, gpu: bool = False) -> list[Arrangement]:
    """What is compared on `cores` cores: one thread first, then the ways to use them all; on a GPU cells side by side.

    Processes that share a batch are as many as can share it equally.
    """
    if gpu:
        return [Arrangement(number) for number in SIDE_BY_SIDE]
    processes = next(number for number in range(cores, 0, -1) if batch_size % number == 0)
    ways = [Arrangement(), Arrangement(threads=cores), Arrangement(cores), Arrangement(processes=processes)]
    return list(dict.fromkeys(ways))


def measure_throughput(asked: Throughput) -> dict[str, Any]:
    """A record of training on noise on this machine: the settings, the conditions, and a row per arrangement.

    A row: the model, `workers`, `processes`, `threads`; the median, least and greatest over rounds of
    `patches_per_second` (all workers together) and of `times`, that over the one of a single thread in the same round;
    and `step_seconds` of one worker. Arrangements of a GPU that do not fit it are `left_out`, with the reason. Raises
    InputError for an unknown model, a model that cannot be trained, and one that does not answer.
    """
    before, random = conditions_now(), np.random.default_rng(0)
    specs = {name: _spec(name, asked) for name in asked.models}
    cores = torch.get_num_threads()
    gpu = asked.device.type != "cpu"
    runs = [(name, way) for name, spec in specs.items() for way in arrangements(cores, spec.data.batch_size, gpu)]
    seconds: dict[tuple[str, Arrangement], list[float]] = {run: [] for run in runs}
    left_out: list[dict[str, Any]] = []
    for _ in range(asked.rounds):
        for index in tqdm(random.permutation(len(runs)), "throughput", disable=None):
            name, way = runs[index]
            try:
                seconds[runs[index]].append(step_seconds(specs[name], way, asked.steps, asked.device))
            except InputError as error:
                if way.workers == 1 or not gpu:
                    raise
                left_out.append({"model": name, "workers": way.workers, "reason": str(error)})
        missing = {(one["model"], one["workers"]) for one in left_out}
        runs = [(name, way) for name, way in runs if (name, way.workers) not in missing]
    rows = []
    for name, way in runs:
        patches = way.workers * specs[name].data.batch_size
        per_second = [patches / one for one in seconds[name, way]]
        alone = [specs[name].data.batch_size / one for one in seconds[name, Arrangement()]]
        times = [one / other for one, other in zip(per_second, alone, strict=True)]
        rows.append(
            {
                "model": name,
                "workers": way.workers,
                "processes": way.processes,
                "threads": way.threads,
                "batch_size": specs[name].data.batch_size,
                "patch_size": specs[name].data.patch_size,
                "step_seconds": statistics.median(seconds[name, way]),
                **_spread("patches_per_second", per_second),
                **_spread("times", times),
            }
        )
    return benchmark_record(
        asked.device,
        upscale=asked.upscale,
        rounds=asked.rounds,
        left_out=left_out,
        steps=asked.steps,
        conditions={"before": before, "after": conditions_now()},
        models=rows,
    )


def step_seconds(spec: RunSpec, way: Arrangement, steps: int, device: torch.device = CPU) -> float:
    """Seconds of a step of `spec`, mean over `steps` and over the workers, which all begin at once."""
    context = fresh_processes()
    answers, start = context.Queue(), context.Barrier(way.workers)
    job = (spec, way, steps, device, start, answers)
    workers = [context.Process(target=_worker, args=job) for _ in range(way.workers)]
    for worker in workers:
        worker.start()
    try:
        found: list[float | str] = [answers.get(timeout=LONGEST_SECONDS) for _ in workers]
    except Empty:
        for worker in workers:
            worker.kill()
        raise InputError(f"no answer within {LONGEST_SECONDS:g} s from {way}; ask for fewer steps") from None
    for worker in workers:
        worker.join()
    faults = [answer for answer in found if isinstance(answer, str)]
    if faults:
        raise InputError(f"the model cannot be trained: {max(faults, key=len)}")
    return statistics.mean(answer for answer in found if isinstance(answer, float))


def _worker(
    spec: RunSpec, way: Arrangement, steps: int, device: torch.device, start: Barrier, answers: Queue[float | str]
) -> None:
    torch.set_num_threads(way.threads)
    try:
        answers.put(_timed(spec, way, steps, device, start))
    except Exception as error:  # whatever it is, the others must not wait for this one
        start.abort()
        answers.put(str(error).partition("\n")[0])  # nothing, of those that waited


def _timed(spec: RunSpec, way: Arrangement, steps: int, device: torch.device, start: Barrier) -> float:
    """Seconds of a step of one worker, after the first ones and once all workers are ready."""
    with team(way.processes, way.threads, noise):
        job = TrainingJob(spec, USUAL, None)
        with trained_together(job, lambda job: job.trainer(noise()(spec), device)) as trainer:
            for _ in range(WARMUP_STEPS):
                trainer.train_step()
            trainer.settle()
            start.wait()
            began = time.perf_counter()
            for _ in range(steps):
                trainer.train_step()
            trainer.settle()
            seconds = time.perf_counter() - began
    return seconds / steps


def noise() -> Callable[[RunSpec], TrainingMaterial]:
    """From a spec to noise of the size of its batches to train on."""
    return _noise_of


def _noise_of(spec: RunSpec) -> TrainingMaterial:
    return TrainingMaterial(partial(_noise, spec.data.batch_size, spec.data.patch_size, spec.model.upscale), [], {})


def _noise(batch_size: int, patch_size: int, upscale: int, seed: int, step: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed + step)
    lr, hr = (torch.rand(batch_size, 3, side, side, generator=generator) for side in (patch_size, upscale * patch_size))
    return lr, hr


def _spec(name: str, asked: Throughput) -> RunSpec:
    if name == QUICK_BASE:
        base = load_study("attention").cells("quick", {"model.upscale": asked.upscale}, seeds=1)[0].spec
        return replace(base, train=RECIPE)
    data = DataSpec(patch_size=asked.batch.patch_size, batch_size=asked.batch.batch_size)
    return RunSpec(_model(name, asked.upscale), data, RECIPE)


def _model(name: str, upscale: int) -> AnyModelSpec:
    if name in kernel_names():
        return ModelSpec(upscale=upscale, kernel=KernelSpec(name))
    if name == EDSR_LITE:
        return EdsrLiteSpec(upscale=upscale)
    if ":" in name:
        return OutsideSpec(name, upscale=upscale)
    known = f"{QUICK_BASE}, a kernel ({', '.join(kernel_names())}), {EDSR_LITE} or package.module:factory"
    raise InputError(f"model must be {known}, got {name!r}")


def _spread(name: str, values: Sequence[float]) -> dict[str, float]:
    return {name: statistics.median(values), f"{name}_low": min(values), f"{name}_high": max(values)}
