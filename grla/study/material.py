"""The images of a run, loaded once and shared by all its cells."""

from __future__ import annotations

import hashlib
import inspect
import sys
from dataclasses import dataclass
from pathlib import Path

import torch

from grla.data import ImagePair, PatchStore, image_pair, test_images, training_images
from grla.evaluation import Image, bicubic_upscaler, evaluate
from grla.model.baselines import find_factory
from grla.spec import DataSpec, OutsideSpec, RunSpec, spec_hash, to_dict
from grla.study.provenance import PROTOCOL

VALIDATION_SIDE = 192
"""Validation images are centre crops of at most this many HR pixels a side: validating stays cheap."""


@dataclass(frozen=True)
class Material:
    """Training patches, validation pairs (from held-out training images), test pairs, checksums of their content."""

    store: PatchStore
    validation: list[ImagePair]
    test: list[ImagePair]
    checksums: dict[str, str]


def load_material(data: DataSpec, upscale: int, cache: Path, device: torch.device) -> Material:
    """Read, check and checksum all images of `data`; every unusable one is an InputError now, not in mid-training."""
    training, held_out = training_images(data.train)
    validation = [_validation_pair(image.name, image.load(), upscale) for image in held_out]
    test = [pair for source in data.test for pair in test_images(source, upscale)]
    store = PatchStore.build(training, upscale, data.patch_size, cache).to(device)
    checksums = {"training": store.checksum, "validation": checksum(validation)}
    for name in dict.fromkeys(pair.test_set for pair in test):
        checksums[f"test:{name}"] = checksum([pair for pair in test if pair.test_set == name])
    return Material(store, validation, test, checksums)


def cell_hash(spec: RunSpec, material: Material, device: torch.device) -> str:
    """The name of a run: its spec, with folders replaced by their content, the protocol and the device type."""
    values = to_dict(spec)
    values["data"] |= {"train": None, "test": None}
    content = {"spec": values, "images": material.checksums, "protocol": PROTOCOL, "device": device.type}
    if isinstance(spec.model, OutsideSpec):  # a spec only names its code, which must count as well
        module = sys.modules[find_factory(spec.model.factory).__module__]
        content["source"] = inspect.getsource(module)
    return spec_hash(content)


def bicubic_rows(material: Material, upscale: int) -> tuple[list[dict[str, object]], list[Image]]:
    """The baseline's score on every test image, and its images."""
    scores, images = evaluate(bicubic_upscaler(upscale), material.test, border=upscale)
    return [{"upscale": upscale, **vars(score)} for score in scores], images


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
