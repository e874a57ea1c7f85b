"""A tiny study on small crops of bundled photographs, and a database server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Any

import pytest
import torch
from PIL import Image

from grla.data import photo_path, read_image
from grla.engine import RunSettings, StudyRun
from grla.spec import DataSpec
from grla.study import Study, load_study
from tests.shared import ABLATIONS, postgres


@pytest.fixture(scope="session")
def crops(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with `train` (4 images of 40x40) and `test` (2 images, 33x37 and 32x32, the second gray)."""
    folder = tmp_path_factory.mktemp("crops")
    for name in ("train", "test"):
        (folder / name).mkdir()
    coffee, camera = read_image(photo_path("coffee")), read_image(photo_path("camera"))
    for index in range(4):
        left = 60 * index
        Image.fromarray(coffee[100:140, left : left + 40]).save(folder / "train" / f"{index}.png")
    Image.fromarray(coffee[200:233, 300:337]).save(folder / "test" / "colour.png")
    Image.fromarray(camera[100:132, 200:232]).save(folder / "test" / "gray.png")
    return folder


@pytest.fixture
def tiny() -> Study:
    return load_study("tiny", ABLATIONS)


@pytest.fixture
def make_run(tiny: Study, crops: Path, tmp_path: Path) -> Callable[..., StudyRun]:
    """Builds a run of the tiny study; `settings` are further run settings, "__" for "." names changes of the spec."""

    def make(
        seeds: int | None = None,
        study: Study = tiny,
        out: Path = tmp_path / "out",
        join: bool = False,
        retry_failed: bool = False,
        settings: Mapping[str, Any] = MappingProxyType({}),
        **changes: object,
    ) -> StudyRun:
        photographs = {"data.train": str(crops / "train"), "data.test": (str(crops / "test"),)}
        data = photographs if isinstance(study.base.data, DataSpec) else {}
        named = {name.replace("__", "."): value for name, value in changes.items()}
        where = RunSettings(out, torch.device("cpu"), **settings)
        return StudyRun(study, "smoke", where, {**data, **named}, seeds, join, retry_failed)

    return make


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator:
    """A running PostgreSQL server of the tests' own; see postgres.py."""
    server = postgres.Server(tmp_path_factory.mktemp("postgres"))
    yield server
    server.stop()
