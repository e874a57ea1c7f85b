"""What the README, CONTRIBUTING and the pages of docs/ show must work as it stands.

Examples are run. Commands are read by their own parsers, and what they name must be there; tests/studies/ runs each of
them at its smallest.
"""

from __future__ import annotations

import dataclasses
import importlib
import re
import shlex
from collections.abc import Iterator
from importlib.metadata import entry_points
from pathlib import Path

import pytest
import run_ablation
import torch
import tyro

from grla.attention.interface import AttentionKernel
from grla.study import Study, load_search

ROOT = Path(__file__).parents[1]
README = ROOT / "README.md"
PAGES = [README, ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
TEXTS = {page: page.read_text(encoding="utf-8") for page in PAGES}
EXAMPLES = [code for text in TEXTS.values() for code in re.findall(r"```python\n(.*?)```", text, re.DOTALL)]
LINKS = [(page, link) for page, text in TEXTS.items() for link in re.findall(r"\]\(((?!http)[^)]+)\)", text)]
OF_A_CLUSTER = {"createdb", "ssh", "sbatch"}
"""Programs that neither Python nor the installed packages bring."""
EXAMPLE = "window"
"""The study that the README shows how to write."""


def commands(text: str) -> Iterator[str]:
    """The commands of a page, without comments: in blocks of bash, in indented lines, and in backticks."""
    blocks = "".join(re.findall(r"```bash\n(.*?)```", text, re.DOTALL)).replace("\\\n", "")
    inline = [found.replace("\n", " ") for found in re.findall(r"`((?:python|pip|torchrun|tensorboard) [^`]+)`", text)]
    indented = re.findall(r"^ {4}((?:\w+=\S+ )?python .*)$", text, re.MULTILINE)
    variables = dict(re.findall(r'^(\w+)="(.*?)"', blocks, re.MULTILINE))
    for line in (*blocks.splitlines(), *indented, *inline):
        command = re.sub(r"\s+#.*", "", line)
        for name, value in variables.items():
            command = command.replace(f"${name}", value)
        if command and not re.match(r'\w+="', command):
            yield command


COMMANDS = list(dict.fromkeys(command for text in TEXTS.values() for command in commands(text)))
CALLS = [call for command in COMMANDS for call in re.findall(r'(?<![\w/])studies/(\w+)\.py([^"&]*)', command)]


@pytest.mark.parametrize(("script", "words"), CALLS, ids=[f"{script}{words}" for script, words in CALLS])
def test_commands_are_understood_and_ask_for_what_there_is(script: str, words: str) -> None:
    module = importlib.import_module(script)
    asked = [word for word in shlex.split(words) if word != "..."]
    read_as = module.arguments_type(asked) if script == "report" else getattr(module, "Arguments", None)
    arguments = tyro.cli(read_as or module.Subcommand, args=asked)
    if script == "run_ablation" and arguments.study != EXAMPLE:
        assert run_ablation.study_run(
            dataclasses.replace(arguments, base=None)
        ).cells()  # base is a file of the reader's
    if script == "run_tuning":
        assert load_search(arguments.search).space(arguments.profile, {})


@pytest.mark.parametrize("command", COMMANDS)
def test_programs_and_files_of_commands_are_there(command: str) -> None:
    for part in [command] if '"' in command else command.split(" && "):
        program, *words = [word for word in shlex.split(part) if not re.match(r"\w+=", word)]
        installed = program in {"python", "pip", "bash"} or entry_points(group="console_scripts", name=program)
        assert installed or program in OF_A_CLUSTER
        for word in words:
            assert not re.match(r"(tests|studies|notebooks)\b|requirements", word) or (ROOT / word).exists()


@pytest.mark.parametrize("code", [code for code in EXAMPLES if "STUDY =" in code])
def test_study_examples_have_cells(code: str) -> None:
    names: dict[str, object] = {}
    exec(code, names)
    study = names["STUDY"]
    assert isinstance(study, Study)
    for profile in study.profiles:
        assert len(study.cells(profile, {}, seeds=1)) > 1


def test_the_kernel_example_obeys_the_contract() -> None:
    (code,) = [code for code in EXAMPLES if "class Kernel" in code]
    names: dict[str, object] = {"__name__": "example"}
    exec(code, names)
    kernel = names["Kernel"](6)
    assert isinstance(kernel, AttentionKernel)
    q, k, v = torch.rand(3, 1, 2, 9, 6, dtype=torch.float64)
    torch.testing.assert_close(kernel(q, k, v), kernel.weights(q, k) @ v)


@pytest.mark.parametrize(("page", "link"), LINKS, ids=[f"{page.stem}: {link}" for page, link in LINKS])
def test_links_lead_somewhere(page: Path, link: str) -> None:
    path, _, section = link.partition("#")
    target = page.parent / path if path else page
    assert target.exists()
    titles = re.findall(r"^#+ (.*)$", target.read_text("utf-8"), re.MULTILINE) if section else []
    assert section in ("", *(re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles))


def test_the_readme_is_one_sitting_and_leads_to_every_page() -> None:
    assert len(TEXTS[README].encode()) <= 8 * 1024
    linked = {link.partition("#")[0] for page, link in LINKS if page == README}
    assert {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")} <= linked
