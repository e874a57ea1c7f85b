"""What is loaded for a run, and the source of a cell whose network comes from outside, wherever that lies."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from grla.engine import cell_source
from grla.engine.material import Material, load_material
from grla.errors import InputError
from grla.spec import DataSpec, OutsideSpec, RunSpec

FILES = {
    "peer_net.py": """
import functools
from peer_layers import conv
from peer_parts import Block
import torch

try:
    from .peer_layers import conv as same
except ImportError:
    pass

def build(): return conv()
def unused(): return 1
class Factory:
    def __init__(self, width): self.width = width
    def __call__(self): return conv()
instance = Factory(3)
method = instance.__call__
""",
    "peer_made.py": "import functools\nimport peer_net\nWIDTH = 2\nsmall = functools.partial(peer_net.build, WIDTH)\n",
    "peer_layers.py": "def conv(): return 1\n",
    "peer_parts/__init__.py": "from peer_parts.block import Block\n",
    "peer_parts/block.py": "from . import deep\nclass Block: pass\n",
    "peer_parts/deep.py": "DEEP = 1\n",
    "peer_other.py": "OTHER = 1\n",
}
Source = Callable[..., str]


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Source:
    """The source of a factory, with files of the folder that it is in changed; each time in a new folder."""
    folders = iter(range(99))

    def of(target: str, changed: Mapping[str, str] | None = None, inside: str = ".") -> str:
        folder = tmp_path / str(next(folders)) / inside
        for name, content in {**FILES, **(changed or {})}.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_text(content)
        monkeypatch.chdir(folder)
        try:
            return cell_source(RunSpec(OutsideSpec(target)))
        finally:
            for name in [name for name in sys.modules if name.startswith("peer_")]:
                del sys.modules[name]

    return of


@pytest.mark.parametrize("target", ["peer_net:build", "peer_net:Factory", "peer_net:instance", "peer_net:method"])
@pytest.mark.parametrize("file", ["peer_net.py", "peer_layers.py", "peer_parts/block.py", "peer_parts/deep.py"])
def test_what_an_outside_model_imports_from_beside_it_counts(source: Source, target: str, file: str) -> None:
    plain = source(target)
    assert source(target) == plain  # in whatever folder
    assert source(target, {file: FILES[file] + "CHANGED = 1\n"}) != plain
    assert source(target, {file: FILES[file] + "# in words\n", "peer_other.py": "OTHER = 2\n"}) == plain


def test_what_a_partial_binds_counts_and_the_module_that_makes_it(source: Source) -> None:
    plain, file = source("peer_made:small"), FILES["peer_made.py"]
    assert source("peer_made:small", {"peer_net.py": FILES["peer_net.py"] + "CHANGED = 1\n"}) != plain
    assert source("peer_made:small", {"peer_made.py": file.replace("WIDTH = 2", "WIDTH = 3")}) != plain
    read = file.replace("WIDTH = 2", "WIDTH = open('peer_width.txt').read()")
    found = [source("peer_made:small", {"peer_made.py": read, "peer_width.txt": width}) for width in "23"]
    assert found[0] != found[1]
    bound = file.replace("WIDTH = 2", "WIDTH = object()")  # its address is another one each time
    assert source("peer_made:small", {"peer_made.py": bound}) == source("peer_made:small", {"peer_made.py": bound})


def test_of_an_installed_package_nothing_beside_it_counts(source: Source) -> None:
    files = {"peer_parts/block.py": "import peer_other\nfrom peer_parts import deep\nclass Block: pass\n"}
    where = "site-packages"
    plain = source("peer_parts.block:Block", files, where)
    assert source("peer_parts.block:Block", {**files, "peer_other.py": "OTHER = 2\n"}, where) == plain
    assert source("peer_parts.block:Block", {**files, "peer_parts/deep.py": "DEEP = 2\n"}, where) != plain
    assert source("peer_parts.block:Block", {**files, "peer_other.py": "OTHER = 2\n"}) != plain


@pytest.mark.parametrize(("target", "module"), [("os:getcwd", "posix"), ("math:sqrt", "math")])
def test_a_factory_without_source_is_named(target: str, module: str) -> None:
    with pytest.raises(InputError, match=f"the factory {target} must be written in Python, .* got 'module {module}'"):
        cell_source(RunSpec(OutsideSpec(target)))


@pytest.fixture
def folders(tmp_path: Path) -> Path:
    """`train` (40x41 pixels: 0 and 2 to train on, 1 to validate on; 2 is gray) and `test` (x)."""
    for seed, name in enumerate(("train/0", "train/1", "train/2", "test/x")):
        path = tmp_path / f"{name}.png"
        path.parent.mkdir(exist_ok=True)
        shape = (41, 40) if name == "train/2" else (41, 40, 3)
        Image.fromarray(np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)).save(path)
    return tmp_path


def loaded(folder: Path, allow_overlap: bool = False) -> Material:
    data = DataSpec(str(folder / "train"), (str(folder / "test"),), patch_size=4, allow_overlap=allow_overlap)
    return load_material(data, 2, folder / "cache", torch.device("cpu"))


@pytest.mark.parametrize("name", ["0", "1", "2"])
def test_a_test_image_that_is_trained_on_is_refused_unless_allowed(folders: Path, name: str) -> None:
    assert loaded(folders).overlap == []
    with Image.open(folders / "train" / f"{name}.png") as image:
        image.save(folders / "test" / "copy.bmp")  # compared by its pixels
    with pytest.raises(
        InputError, match=r"^1 test images are among .*: copy of test; remove .* or set `allow_overlap`"
    ):
        loaded(folders)
    assert loaded(folders, allow_overlap=True).overlap == ["copy of test"]


def test_a_picture_that_differs_in_one_pixel_is_another(folders: Path) -> None:
    with Image.open(folders / "train" / "0.png") as image:
        image.putpixel((20, 39), (1, 2, 3))
        image.save(folders / "test" / "almost.png")
    assert loaded(folders).overlap == []


@pytest.mark.parametrize(("length", "fits"), [(246, True), (247, False)])
def test_names_too_long_for_results_are_refused_before_training(folders: Path, length: int, fits: bool) -> None:
    """Results are called test-NAME.png, in at most 255 bytes; an umlaut has two."""
    (folders / "test" / "x.png").rename(folders / "test" / ("ü" * 20 + "x" * (length - 40) + ".png"))
    if fits:
        assert len(loaded(folders).test) == 1
    else:
        with pytest.raises(InputError, match=r"test image üüü.* of test must be at most 255 bytes .*, got 256; rename"):
            loaded(folders)


def test_results_of_two_images_never_have_one_file(folders: Path) -> None:
    (folders / "test" / "a").mkdir()
    for name in ("a/b", "a_b"):
        (folders / "test" / f"{name}.png").write_bytes((folders / "test" / "x.png").read_bytes())
    with pytest.raises(InputError, match=r"a/b of test and a_b of test would have one file, test-a_b\.png; rename one"):
        loaded(folders)
