"""The source of a cell whose network comes from outside: the code of its factory, wherever that lies."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from grla.engine import cell_source
from grla.errors import InputError
from grla.spec import OutsideSpec, RunSpec

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
