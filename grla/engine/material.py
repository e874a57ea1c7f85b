"""The images of a run and the weights that it may start from, loaded once and shared by all its cells."""

from __future__ import annotations

import functools
import hashlib
import inspect
import re
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor

from grla.data import (
    ImagePair,
    PatchStore,
    RecallSampler,
    SimilaritySampler,
    as_rgb,
    image_pair,
    imresize,
    mod_crop,
    read_test_sets,
    training_images,
)
from grla.errors import InputError, require
from grla.evaluation import Image, score
from grla.model import find_factory, weights_digest, weights_of
from grla.spec import (
    AnyDataSpec,
    DataSpec,
    OutsideSpec,
    RecallSpec,
    RunSpec,
    SimilaritySpec,
    all_stages,
    sizes_at,
    spec_hash,
)
from grla.study import cell_identity, outside_code, picture_name, source_hash
from grla.training import load_checkpoint

VALIDATION_SIDE = 192
"""Validation images are centre crops of at most this many HR pixels a side: validating stays cheap."""
NUM_PROBE_IMAGES = 32
"""Test images of a probe of each kind; a quarter as many validate."""
LONGEST_NAME = 255
"""Bytes of a file's name on the file systems in use."""
SHOWN_NAMES = 5
ADDRESS = re.compile(" at 0x[0-9a-f]+")
"""Of an object in memory; another one in each process."""

Batches = Callable[[int, int], tuple[Tensor, Tensor]]
"""From (seed, step) to lr (batch, 3, h, w) and hr (batch, 3, upscale * h, upscale * w) in [0, 1]."""


@dataclass(frozen=True)
class TrainingMaterial:
    """What it takes to train and to select, and nothing of any test set.

    `batch` maps (seed, step) to lr and hr to train on; `validation` are pairs from held-out images; `checksums` name
    the content; `found` says in words what was read; `holds` tells whether an HR image is among those to train or
    validate on; `initial` are the weights that networks start from where they fit, if there are any.
    """

    batch: Batches
    validation: list[ImagePair]
    checksums: dict[str, str]
    found: list[str] = field(default_factory=list)
    holds: Callable[[Image], bool] = lambda _: False
    initial: Mapping[str, Tensor] | None = None


@dataclass(frozen=True, kw_only=True)
class Material(TrainingMaterial):
    """What all runs on one kind of images share.

    `test` are the pairs to score, `baselines` each baseline's answers, `overlap` the names of those test images that
    are among those to train or validate on.
    """

    test: list[ImagePair]
    baselines: dict[str, list[Image]]
    overlap: list[str] = field(default_factory=list)

    @property
    def test_images(self) -> str:
        """8 hex digits that name the test images: scores of different ones are never compared."""
        return spec_hash({name: value for name, value in self.checksums.items() if name.startswith("test:")})[:8]


Loaded = TypeVar("Loaded", bound=TrainingMaterial)


def load_training_material(data: AnyDataSpec, upscale: int, cache: Path, device: torch.device) -> TrainingMaterial:
    """Read, check and checksum the images to train and validate on; no test image is read.

    Every unusable image is an InputError now, not in mid-training.
    """
    if isinstance(data, DataSpec):
        return _photographs(data, upscale, cache, device)
    return _probe(_sampler(data, upscale), data.batch_size)


def load_material(data: AnyDataSpec, upscale: int, cache: Path, device: torch.device) -> Material:
    """The same with the test images."""
    training = load_training_material(data, upscale, cache, device)
    if isinstance(data, DataSpec):
        test, found = read_test_sets(data.test, upscale)
        _require_file_names(test)
        overlap = _overlap(test, training, data.allow_overlap)
        baselines = {"bicubic": [imresize(pair.lr, upscale) for pair in test]}
    else:
        sampler, found, overlap = _sampler(data, upscale), [], []
        test, baselines = sampler.pairs("test", NUM_PROBE_IMAGES), sampler.baselines("test", NUM_PROBE_IMAGES)
    fields = {**vars(training), "checksums": training.checksums | _checksums(test), "found": training.found + found}
    return Material(**fields, test=test, baselines=baselines, overlap=overlap)


def cached(load: Callable[..., Loaded], cache: Path, device: torch.device) -> Callable[[RunSpec], Loaded]:
    """From a spec to its material by `load`, one of the two above; each distinct set of images is loaded once.

    Patch and batch size are part of what is distinct, and weights to start from.
    """

    @functools.cache
    def loaded(data: AnyDataSpec, upscale: int, init_from: str) -> Loaded:
        material = load(data, upscale, cache, device)
        return starting_from(material, Path(init_from)) if init_from else material

    return lambda spec: loaded(spec.data, spec.model.upscale, spec.train.init_from)


def starting_from(material: Loaded, path: Path) -> Loaded:
    """The same with the weights in a file to start from; raises InputError where it cannot be read or holds none."""
    weights = weights_of(load_checkpoint(path), f"init_from {path}")
    checksums = material.checksums | {"initial": weights_digest(weights)}
    return replace(material, initial=weights, checksums=checksums)


def _photographs(data: DataSpec, upscale: int, cache: Path, device: torch.device) -> TrainingMaterial:
    sources = [data.train] if isinstance(data.train, str) else data.train
    training, held_out = training_images(sources)
    whole = [(image.name, image.load()) for image in held_out]
    validation = [_validation_pair(name, image, upscale) for name, image in whole]
    largest = max(patch_size for _, patch_size, _ in all_stages(data))
    store = PatchStore.build(training, upscale, largest, cache).to(device)

    def batch(seed: int, step: int) -> tuple[Tensor, Tensor]:
        patch_size, batch_size = sizes_at(data, step)
        return store.batch(seed, step, batch_size, patch_size)

    return TrainingMaterial(
        batch,
        validation,
        {"training": store.checksum, "validation": checksum(validation)},
        [f"training: {len(store.entries)} HR images, and {len(validation)} to validate on, in {', '.join(sources)}"],
        lambda hr: store.holds(hr) or any(np.array_equal(as_rgb(hr), mod_crop(image, upscale)) for _, image in whole),
    )


def _probe(sampler: RecallSampler | SimilaritySampler, batch_size: int) -> TrainingMaterial:
    def batch(seed: int, step: int) -> tuple[Tensor, Tensor]:
        return sampler.batch(seed, step, batch_size)

    validation = sampler.pairs("validation", NUM_PROBE_IMAGES // 4)
    first = batch(0, 0)[0].numpy().tobytes()  # what is drawn from any seed is known by the first batch of one
    return TrainingMaterial(
        batch, validation, {"training": hashlib.sha256(first).hexdigest(), "validation": checksum(validation)}
    )


def _sampler(data: RecallSpec | SimilaritySpec, upscale: int) -> RecallSampler | SimilaritySampler:
    if isinstance(data, SimilaritySpec):
        return SimilaritySampler(data.patch_size, data.copies, upscale)
    return RecallSampler.of(data, upscale)


def _require_file_names(test: list[ImagePair]) -> None:
    """Raise InputError for test images whose results could not be written, or would be written over each other."""
    owners: dict[str, str] = {}
    for pair in test:
        file, label = f"{picture_name(pair.test_set, pair.name)}.png", f"{pair.name} of {pair.test_set}"
        length = len(file.encode())
        rule = (
            f"must be at most {LONGEST_NAME} bytes long with its set's name, as a file's name, got {length}; rename it"
        )
        if length > LONGEST_NAME:
            raise InputError(f"the name of test image {label} {rule}")
        if file in owners:
            raise InputError(f"test images {owners[file]} and {label} would have one file, {file}; rename one")
        owners[file] = label


def _overlap(test: list[ImagePair], training: TrainingMaterial, allowed: bool) -> list[str]:
    """The test images that are trained or validated on. Raises InputError if there are any, unless that is allowed."""
    names = [f"{pair.name} of {pair.test_set}" for pair in test if training.holds(pair.hr)]
    if names and not allowed:
        shown = ", ".join(names[:SHOWN_NAMES]) + (", ..." if len(names) > SHOWN_NAMES else "")
        what = f"{len(names)} test images are among the images to train or validate on: {shown}"
        raise InputError(f"{what}; remove them from one of the two, or set `allow_overlap`")
    return names


def _checksums(test: list[ImagePair]) -> dict[str, str]:
    """Checksum by test set."""
    names = dict.fromkeys(pair.test_set for pair in test)
    return {f"test:{name}": checksum([pair for pair in test if pair.test_set == name]) for name in names}


def cell_hash(spec: RunSpec, material: TrainingMaterial, device: torch.device) -> str:
    """The name of a run, see `grla.study.cell_identity`, by the source as it is now."""
    return cell_identity(spec, material.checksums, device.type, cell_source(spec))


def cell_source(spec: RunSpec) -> str:
    """The name of the source that computes a cell with this spec.

    Of an outside model the code of its factory counts and what that imports (see `grla.study.source.outside_code`), and
    what a functools.partial binds, as it is printed. Other packages, data, and modules that are imported by a computed
    name do not: change those under another name, so that the cells are run again. Raises InputError for a factory that
    is not written in Python.
    """
    if not isinstance(spec.model, OutsideSpec):
        return source_hash(spec)
    return source_hash(spec, _factory_code(spec.model.factory))


def _factory_code(target: str) -> set[str]:
    """The code of the module that defines the function or class behind "package.module:factory".

    Of a functools.partial, or an object that can be called, also that of the module that makes it.
    """
    factory: Any = find_factory(target)
    made_there = not (inspect.isclass(factory) or inspect.isroutine(factory))
    code, modules = set(), {target.partition(":")[0]} if made_there else set()
    while isinstance(factory, functools.partial):
        code.add(ADDRESS.sub("", repr((factory.args, factory.keywords))))
        factory = factory.func
    for name in modules | {str(factory.__module__)}:
        file = str(getattr(sys.modules.get(name), "__file__", None))
        require(file.endswith(".py"), f"the factory {target}", "must be written in Python, in a file", f"module {name}")
        code |= outside_code(name, Path(file))
    return code


def baseline_rows(material: Material, upscale: int) -> list[dict[str, object]]:
    """Each baseline's score on every test image; a row's "variant" is the baseline's name."""
    key = {"test_images": material.test_images}
    return [
        {"variant": name, **key, **vars(score(pair, answer, border=upscale))}
        for name, answers in material.baselines.items()
        for pair, answer in zip(material.test, answers, strict=True)
    ]


def checksum(pairs: list[ImagePair]) -> str:
    """16 hex digits that name the pixels and names of image pairs, wherever they lie."""
    digest = hashlib.sha256()
    for pair in pairs:
        for image in (pair.hr, pair.lr):
            digest.update(f"{pair.name} {image.shape}".encode())
            digest.update(image.tobytes())
    return digest.hexdigest()[:16]


def _validation_pair(name: str, hr: Image, upscale: int) -> ImagePair:
    top, left = (max(0, (side - VALIDATION_SIDE) // 2) for side in hr.shape[:2])
    crop = hr[top : top + VALIDATION_SIDE, left : left + VALIDATION_SIDE]
    return image_pair("validation", name, crop, upscale)
