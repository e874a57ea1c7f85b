"""Reports are made again from raw rows, and what does not match is found."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pandas as pd
import pytest
import report

import claims
from grla.errors import InputError
from grla.provenance import commit_is_known
from grla.report import write_ledger
from grla.report.kinds import study
from grla.report.results import DEFINITION, PROVENANCE, read_json, read_rows
from grla.report.verify import code_faults, identity_faults
from grla.study import load_study
from tests.shared.commands import call

REFERENCE = Path(__file__).parents[2] / "results" / "reference"


@pytest.fixture
def record(tmp_path: Path) -> Path:
    """A copy of the smallest reference study."""
    return Path(shutil.copytree(REFERENCE / "recall-photos-quick", tmp_path / "reference" / "recall-photos-quick"))


def replace(path: Path, old: str, new: str) -> None:
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")


def test_merge_without_folders_shows_its_own_usage() -> None:
    shown = call("report.py", "merge", code=2)
    assert "report.py merge --help" in " ".join(shown.split())


def test_a_reference_study_matches(record: Path) -> None:
    assert study.faults(record) == []


def test_changed_rows_are_found_in_tables_and_figures(record: Path) -> None:
    rows = pd.read_csv(record / "images.csv", dtype=str, keep_default_na=False)
    chosen = (rows["variant"] == "kernel=uniform") & (rows["image"] == "bird")
    rows.loc[chosen, "psnr_y"] = "33.5"
    rows.to_csv(record / "images.csv", index=False)
    found = study.faults(record)
    for name in ("summary.md", "tables/kernel.csv", "tables/kernel.tex"):
        assert f"{name}: is not what the rows give" in found
    for name in ("difference", "psnr", "per-image"):
        assert f"{name}: shows other data than the rows give" in found
    assert not any(line.startswith("cell ") for line in found)


@pytest.mark.parametrize(
    ("file", "old", "new", "fault"),
    [
        ("cells.csv", "4fa159e6564e3464", "4fa159e6564e3465", "cell 4fa159e6564e3465 (base, seed 0): is not the hash"),
        ("cells.csv", "94de1958018a", "94de1958018a-dirty", "code 94de1958018a-dirty: files had been changed"),
        ("provenance.json", '"grla-1"', '"grla-0"', "protocol: was grla-0, numbers now mean grla-1"),
        ("provenance.json", "30d2384d04a19141", "00d2384d04a19141", "definition: its hash is not f9fba206"),
        ("study.json", '"amount": 4000', '"amount": 4001', "definition: its hash is not f9fba206"),
        ("study.json", '"depth": 1', '"depth": 2', "model.depth: was 2, the study's file now says 1"),
        ("study.json", '"rbf_ridge"', '"ridge"', "factor kernel: had the levels"),
    ],
)
def test_a_changed_identity_is_found(record: Path, file: str, old: str, new: str, fault: str) -> None:
    replace(record / file, old, new)
    definition, about = (read_json(record / name) for name in (DEFINITION, PROVENANCE))
    found = identity_faults(load_study("recall_photos"), definition, about, read_rows(record).cells)
    assert any(line.startswith(fault) for line in found)


def test_a_study_without_a_file_is_found(record: Path) -> None:
    replace(record / "study.json", '"file": "recall_photos"', '"file": "gone"')
    (fault,) = study.faults(record)
    assert "study must be one of" in fault


def test_a_painted_figure_and_a_missing_table_end_the_command(record: Path) -> None:
    (record / "psnr.png").write_bytes(b"")
    (record / "tables" / "kernel.tex").unlink()
    with pytest.raises(InputError, match=r"psnr\.png: is not the file that was drawn") as found:
        report.check(report.find(str(record)))
    assert "tables/kernel.tex: is missing" in str(found.value)


def test_writing_anew_mends_what_was_broken(record: Path) -> None:
    before, rows = (record / "summary.md").read_text(), (record / "cells.csv").read_bytes()
    (record / "summary.md").write_text("lost")
    (record / "psnr.png").unlink()
    report.main(report.Arguments(str(record)))
    assert (record / "summary.md").read_text() == before
    assert (record / "cells.csv").read_bytes() == rows
    assert study.faults(record) == []


def test_the_benchmark_matches_and_a_changed_row_is_found(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = Path(shutil.copytree(REFERENCE / "benchmark", tmp_path / "benchmark"))
    report.main(report.Arguments(str(folder), verify=True))
    assert "No fault found in" in capsys.readouterr().out
    record = json.loads((folder / "memory.json").read_text())
    record["models"][0]["forward_mib"] *= 2
    (folder / "memory.json").write_text(json.dumps(record))
    with pytest.raises(InputError, match=r"memory\.csv: is not what memory\.json gives") as found:
        report.main(report.Arguments(str(tmp_path), verify=True))
    assert "memory: shows other data" in str(found.value)


def test_a_ledger_is_judged_again_and_has_a_page(record: Path, tmp_path: Path) -> None:
    root = record.parent
    claims.main(claims.Arguments(root))
    # Of a clean commit, as the code under test may have changes; processors differ in its last digits.
    shutil.copy(REFERENCE / "settled.json", root)
    write_ledger(root / "claims.md")
    found = report.find(str(root))
    assert [(kind.TITLE, found.page_name(path)) for kind, path in found.folders] == [
        ("Claims", "claims.html"),
        ("Studies", "recall-photos-quick.html"),
    ]
    report.check(found)
    report.write_pages(report.find(str(root)), tmp_path / "html")
    page = (tmp_path / "html" / "claims.html").read_text()
    assert "recall_photos, quick, 15 cells, 3 seeds" in page
    assert "1 contradicted" in (tmp_path / "html" / "index.html").read_text()
    replace(root / "claims.md", "contradicted", "supported")
    with pytest.raises(InputError, match=r"claims\.md: is not what the records give"):
        report.check(report.find(str(root)))
    report.write_reports(report.find(str(root)))
    report.check(report.find(str(root)))


def test_commits_that_nobody_can_look_up_are_flagged() -> None:
    known = commit_is_known("0" * 12)  # None in a shallow clone, and outside of a checkout
    assert known is not True
    assert code_faults({"0" * 12}) == ([] if known is None else [f"code {'0' * 12}: is no commit of this history"])
    assert code_faults({"1234567-dirty"}) == ["code 1234567-dirty: files had been changed after the commit"]


def test_names_of_pages_and_what_can_be_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(REFERENCE.parents[1])
    found = report.find("recall")
    assert [(kind.TITLE, found.page_name(folder)) for kind, folder in found.folders] == [
        ("Studies", "reference-recall-quick.html")
    ]
    everything = [(kind.TITLE, folder) for kind, folder in report.find("all").folders if "reference" in folder.parts]
    assert ("Costs", Path("results/reference/benchmark")) in everything
    studies = {folder.name for title, folder in everything if title == "Studies"}
    assert studies == {folder.name for folder in study.folders(REFERENCE)}
    alone = report.find(str(REFERENCE / "recall-quick"))
    assert [alone.page_name(folder) for _, folder in alone.folders] == ["recall-quick.html"]
    with pytest.raises(InputError, match="what must be a folder with results"):
        report.find("nothing_of_this_name")
