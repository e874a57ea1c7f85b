"""The report of a fidelity run, on made-up tables."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from grla.errors import InputError
from grla.report.kinds import fidelity
from tests.report.fidelity_tables import fidelity_tables

ABOUT = {
    "fidelity": "About these tokens.",
    "code_version": "abc123",
    "command_line": "python studies/run_fidelity.py",
    "protocol": "grla-1",
    "machine": {"gpu": None, "torch_threads": 2},
    "packages": {"torch": "2"},
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "results" / "fidelity"
    folder.mkdir(parents=True)
    for name, table in fidelity_tables().items():
        table.to_csv(folder / f"{name}.csv", index=False)
    (folder / "provenance.json").write_text(json.dumps(ABOUT))
    fidelity.write(folder)
    return folder


def test_the_summary_has_the_tables_and_the_papers_numbers_beside_them(folder: Path) -> None:
    text = (folder / "summary.md").read_text(encoding="utf-8")
    assert text.startswith(
        "# Fidelity: what the kernels compute, without training\n\nAbout these tokens.\n\n## Kernel value"
    )
    assert [line for line in text.splitlines() if line.startswith("## ")] == [
        "## Kernel value against angle (figure 1; profiles)",
        "## x = 2 gamma q.k and the Taylor error (figure 6; taylor)",
        "## Distance to softmax attention (distances-*)",
        "## How near the denominator comes to 0 (margins)",
    ]
    assert "and over 98 % of x in [-0.2, 0.2]" in text
    assert "no error exceeds 0.0095" in text
    assert "at most 0.0047" in text
    assert "### Random tokens, against same temperature" in text
    assert "### Layers, output_error against softmax attention" in text
    assert "nan" not in text
    assert "| both      |         12 |               4 |" in text


def test_the_page_has_figures_and_provenance_besides(folder: Path) -> None:
    assert fidelity.folders(folder.parent) == fidelity.folders(folder) == [folder]
    document = fidelity.document(folder)
    assert [section.title for section in document.sections][:2] == ["Method", "Figures"]
    names = ["profiles", "taylor", "distances-random", "distances-layer-1", "margins"]
    assert [figure.name for figure in document.figures] == names
    html = document.html()
    assert html.count("<img") == len(names)
    assert "python studies/run_fidelity.py" in html
    assert fidelity.link(folder, "f.html").text.endswith("their distance to softmax. About these tokens.")


def test_what_was_changed_is_named(folder: Path) -> None:
    def other_than_code() -> list[str]:
        return [fault for fault in fidelity.faults(folder) if not fault.startswith("code ")]

    assert other_than_code() == []
    (folder / "profiles.csv").write_text((folder / "profiles.csv").read_text().replace(",60,", ",61,"))
    assert other_than_code() == [
        "summary.md: is not what the rows give",
        "profiles: shows other data than the rows give",
    ]
    (folder / "margins.csv").unlink()
    with pytest.raises(InputError, match=r"cannot read .*margins\.csv.*write it again with run_fidelity\.py"):
        fidelity.faults(folder)


def test_largest_std_by_hand() -> None:
    """Half of the values at each end have the largest deviation of all: half the range."""
    assert fidelity.largest_std(0.5, 1.0) == 0.5
    assert fidelity.largest_std(1.0, 1.0) == 0
