"""What counts as the source of a cell: a mutant of each kind of file, and code apart from what is said about it."""

from __future__ import annotations

import itertools
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from grla.errors import InputError
from grla.spec import DataSpec, EdsrLiteSpec, KernelSpec, ModelSpec, OutsideSpec, RecallSpec, RunSpec, SimilaritySpec
from grla.study.source import KERNELS, SELECTED, SILENT, code_of, modules_of, outside_code, path_of, source_hash

ROOT = Path(__file__).parents[2]
GLOBAL = ("global", "global")
SPECS = {
    "rbf": RunSpec(),
    "relu": RunSpec(ModelSpec(kernel=KernelSpec("relu"))),
    "softmax": RunSpec(ModelSpec(layers=GLOBAL, kernel=KernelSpec("softmax"))),
    "ridge": RunSpec(ModelSpec(layers=GLOBAL, kernel=KernelSpec("rbf_ridge"))),
    "recall": RunSpec(ModelSpec(layers=GLOBAL, kernel=KernelSpec("relu")), RecallSpec()),
    "similarity": RunSpec(ModelSpec(layers=GLOBAL, kernel=KernelSpec("uniform")), SimilaritySpec()),
    "edsr": RunSpec(EdsrLiteSpec()),
    "outside": RunSpec(OutsideSpec("package.module:factory")),
}
ALL, NETWORKS, PROBES = set(SPECS), set(SPECS) - {"edsr", "outside"}, {"recall", "similarity"}
MUTANTS = {
    "attention/kernels/gaussian_rbf.py": {"rbf"},
    "attention/kernels/softmax.py": {"rbf", "relu", "softmax"},  # the first two have windows
    "attention/kernels/random_features.py": {"ridge"},  # rbf_ridge imports it
    "attention/first_order.py": {"rbf"},
    "attention/triton_kernels.py": {"rbf"},
    "attention/pieces.py": {"rbf", "ridge"},
    "attention/interface.py": NETWORKS,
    "attention/linear.py": NETWORKS,  # their qkv and proj run through it, whatever the kernel
    "attention/layers.py": NETWORKS,
    "model/network.py": NETWORKS,
    "model/baselines.py": {"edsr", "outside"},
    "model/weights.py": ALL,
    "data/patches.py": ALL - PROBES,
    "data/recall.py": {"recall"},
    "data/similarity.py": {"similarity"},
    "data/probes.py": PROBES,
    "training/loop.py": ALL,
    "training/losses.py": ALL,
    "metrics/psnr.py": ALL,
    "evaluation.py": ALL,
    "cost/macs.py": ALL,
}
UNCOUNTED = [
    "attention/kernels/mala.py",
    "cost/scaling.py",
    "engine/storage.py",
    "errors.py",
    "files.py",
    "report/results.py",
    "study/record.py",
    "study/source.py",
    "training/tracking.py",
    "tuning/run.py",
]


def hashes(root: Path = ROOT) -> dict[str, str]:
    return {name: source_hash(spec, root=root) for name, spec in SPECS.items()}


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A copy of the project's source to change."""
    shutil.copytree(ROOT / "grla", tmp_path / "grla", ignore=lambda folder, names: {"__pycache__"} & {*names})
    return tmp_path


def changed(tree: Path) -> set[str]:
    before, after = hashes(), hashes(tree)
    return {name for name in SPECS if before[name] != after[name]}


def append(path: Path, text: str) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(text)


@pytest.mark.parametrize(("file", "expected"), MUTANTS.items(), ids=MUTANTS)
def test_changed_code_counts_for_the_specs_that_run_it_and_for_no_others(
    tree: Path, file: str, expected: set[str]
) -> None:
    append(tree / "grla" / file, "\nMUTANT = 1\n")
    assert changed(tree) == expected


def test_a_changed_formula_counts(tree: Path) -> None:
    path = tree / "grla" / "attention" / "kernels" / "relu.py"
    source = path.read_text(encoding="utf-8")
    path.write_text(source.replace("return relu(q)", "return relu(q) ** 2"), encoding="utf-8")
    assert changed(tree) == {"relu", "recall"}


def test_code_that_computes_no_number_and_words_do_not_count(tree: Path) -> None:
    for file in UNCOUNTED:
        append(tree / "grla" / file, "\nMUTANT = 1\n")
    for file in MUTANTS:
        path = tree / "grla" / file
        path.write_text(path.read_text(encoding="utf-8").replace('"""', '"""In other words: ', 1), encoding="utf-8")
        append(path, "\n# a comment\n")
    assert changed(tree) == set()


@pytest.mark.parametrize(
    "line",
    [
        "from grla.attention.kernels import helper",
        "from grla.attention.kernels.helper import halved",
        "import grla.attention.kernels.helper",
        "from . import helper",
        "from .helper import halved as half",
        "from grla.attention.helpers import halved",
    ],
)
def test_a_helper_counts_however_a_kernel_imports_it(tree: Path, line: str) -> None:
    kernels = tree / "grla" / "attention" / "kernels"
    (kernels / "helper.py").write_text("def halved(x):\n    return x / 2\n")
    (kernels.parent / "helpers.py").write_text("")
    if "helpers" in line:  # a package whose face passes the name on, under another name
        (kernels.parent / "helpers.py").unlink()
        (kernels.parent / "helpers").mkdir()
        (kernels.parent / "helpers" / "__init__.py").write_text("from ..kernels.helper import halved as halved\n")
    (kernels / "own.py").write_text(f"{line}\n")
    own = RunSpec(ModelSpec(kernel=KernelSpec("own")))
    assert f"{KERNELS}.helper" in modules_of(own, tree)
    assert f"{KERNELS}.helper" not in modules_of(SPECS["rbf"], tree)


def test_the_file_of_an_outside_model_counts_where_it_is_given(tmp_path: Path) -> None:
    spec = SPECS["outside"]
    first, again, other = (tmp_path / f"{name}.py" for name in ("first", "again", "other"))
    first.write_text("SCALE = 2\n")
    again.write_text("SCALE = 2  # the same\n")
    other.write_text("SCALE = 3\n")
    found = [source_hash(spec, outside_code(path.stem, path)) for path in (first, again, other)]
    assert found[0] == found[1]
    assert len({*found, source_hash(spec)}) == 3


@pytest.mark.parametrize(("content", "reason"), [(None, "No such file"), ("def f(:\n", "invalid syntax")])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, content: str | None, reason: str) -> None:
    path = tmp_path / "model.py"
    if content is not None:
        path.write_text(content)
    with pytest.raises(InputError, match=rf"source .*model\.py cannot be read: .*{reason}"):
        outside_code("model", path)


def test_what_plans_stores_and_reports_is_no_source_of_a_number() -> None:
    counted = set().union(*(modules_of(spec) for spec in SPECS.values()))
    packages = {module.split(".")[1] for module in counted}
    assert not packages & {"analysis", "benchmark", "report", "tuning"}
    assert not [module for module in counted if "optuna" in code_of(path_of(module))]


def test_every_module_that_is_named_exists_and_every_kind_of_spec_is_covered() -> None:
    assert all(path_of(name).is_file() for name in (*SELECTED, *SILENT))
    kinds = {kind for kinds in SELECTED.values() for kind in kinds}
    assert kinds == {DataSpec, RecallSpec, SimilaritySpec, ModelSpec, EdsrLiteSpec, OutsideSpec}


# Code, and the same with words about it.
CODE = [
    ('x = "# no comment"', 'x = "# no comment"  # a comment'),
    ("y = '''a\n\n  # b \n'''", "y = '''a\n\n  # b \n'''  # '''"),
    ("def f(a=1):\n    return a", 'def f(a=1):  # why\n    """What.\n\n    More # words.\n    """\n\n    return a'),
    ("def f(\n    a,\n): return a", "def f(\n    # first\n    a,  # one\n\n): return a"),
    ('def g(): "doc"', 'def g(): "doc"'),
    ("class A:\n    z = 1", 'class A:\n    "What."\n    z = 1\n    """What z is."""'),
    ("total = (1 +\n    2)", "total = (1 +  # one\n    # two\n\n    2)"),
    ("v = {'a': f'{x} # {total}'}", "v = {'a': f'{x} # {total}'}   # an \u2028 odd one"),
    ("if v:\n    s = 'ü'; t = '#'", "if v:\n    # yes\n    s = 'ü'; t = '#'  # ü"),
]
WORDS = ["# words", "", "   ", '"""Doc.\n\n# more\n"""', "'one' 'two'", "    # indented", "\n\n"]
numbers = itertools.count()


@pytest.fixture(scope="module")
def code(tmp_path_factory: pytest.TempPathFactory) -> Callable[[list[str]], str]:
    """The code of a file with these parts."""
    folder = tmp_path_factory.mktemp("code")

    def of(parts: list[str]) -> str:
        path = folder / f"{next(numbers)}.py"
        path.write_text("\n".join([*parts, ""]), encoding="utf-8")
        return code_of(path)

    return of


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.sampled_from(CODE), st.sampled_from(WORDS)), min_size=1, max_size=6))
def test_comments_docstrings_and_blank_lines_are_dropped(code, parts) -> None:
    plain = [one for (one, _), _ in parts]
    worded = [text for (_, one), words in parts for text in (words, one)]
    assert code(worded) == code(plain) == "\n".join(plain)


def test_an_empty_file_and_one_of_words_only_have_no_code(code: Callable[[list[str]], str]) -> None:
    assert code([]) == code(WORDS) == ""
