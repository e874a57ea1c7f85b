"""What the README and the pages of docs/ show must work as it stands."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import torch

from grla.attention.interface import AttentionKernel
from grla.study import Study

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
LINKS = [(page, link) for page in PAGES for link in re.findall(r"\]\(((?!http)[^)]+)\)", page.read_text("utf-8"))]


@pytest.mark.parametrize("code", [block for block in BLOCKS if "STUDY =" in block])
def test_study_examples_have_cells(code: str) -> None:
    names: dict[str, object] = {}
    exec(code, names)
    study = names["STUDY"]
    assert isinstance(study, Study)
    for profile in study.profiles:
        assert len(study.cells(profile, {}, seeds=1)) > 1


def test_the_kernel_example_obeys_the_contract() -> None:
    (code,) = [block for block in BLOCKS if "class Kernel" in block]
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
    assert len(README.encode()) < 14_000
    assert {f"docs/{page.name}" for page in (ROOT / "docs").glob("*.md")} <= {link for _, link in LINKS}
